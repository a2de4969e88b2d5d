//! Wildcards: whether a text fits a pattern of `*`, `?` and `[...]`. A backslash makes the next character plain.

/// Whether all of `text` fits `pattern`.
#[must_use]
pub fn fits(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // Positions to come back to: after the last star, and the text's character that it has not swallowed yet.
    let (mut p, mut t, mut back) = (0, 0, None);
    loop {
        if pattern.get(p) == Some(&'*') {
            back = Some((p + 1, t));
            p += 1;
        } else if t == text.len() {
            if p == pattern.len() {
                return true;
            }
            return false;
        } else if let Some(next) = one(&pattern, p, text[t]) {
            (p, t) = (next, t + 1);
        } else if let Some((star, from)) = back {
            (p, t, back) = (star, from + 1, Some((star, from + 1)));
        } else {
            return false;
        }
        if t == text.len() && pattern[p..].iter().all(|&c| c == '*') {
            return true;
        }
    }
}

/// Where the pattern goes on after one character that fits.
fn one(pattern: &[char], at: usize, c: char) -> Option<usize> {
    match *pattern.get(at)? {
        '?' => Some(at + 1),
        '\\' => (*pattern.get(at + 1)? == c).then_some(at + 2),
        '[' => match class(pattern, at, c) {
            Some((true, next)) => Some(next),
            Some((false, _)) => None,
            None => (c == '[').then_some(at + 1),
        },
        plain => (plain == c).then_some(at + 1),
    }
}

/// Whether a character is in the class that begins at `at`, and where the class ends; `None` where it is none.
fn class(pattern: &[char], at: usize, c: char) -> Option<(bool, usize)> {
    let mut at = at + 1;
    let negated = matches!(pattern.get(at)?, '!' | '^');
    at += usize::from(negated);
    let (start, mut found) = (at, false);
    loop {
        let mut low = *pattern.get(at)?;
        if low == ']' && at > start {
            return Some((found != negated, at + 1));
        }
        if low == '[' && pattern.get(at + 1) == Some(&':') {
            let length = pattern[at..].windows(2).position(|two| two == [':', ']'])?;
            let name: String = pattern[at + 2..at + length].iter().collect();
            found |= named(&name, c);
            at += length + 2;
            continue;
        }
        if low == '\\' {
            at += 1;
            low = *pattern.get(at)?;
        }
        let is_range = pattern.get(at + 1) == Some(&'-') && pattern.get(at + 2).is_some_and(|&c| c != ']');
        let high = if is_range { pattern[at + 2] } else { low };
        found |= (low..=high).contains(&c);
        at += if is_range { 3 } else { 1 };
    }
}

/// Whether a character is of a named class.
#[must_use]
pub fn named(class: &str, c: char) -> bool {
    match class {
        "alpha" => c.is_alphabetic(),
        "digit" => c.is_ascii_digit(),
        "alnum" => c.is_alphanumeric(),
        "upper" => c.is_uppercase(),
        "lower" => c.is_lowercase(),
        "space" => c.is_whitespace(),
        "blank" => c == ' ' || c == '\t',
        "punct" => c.is_ascii_punctuation(),
        "xdigit" => c.is_ascii_hexdigit(),
        "print" => !c.is_control(),
        "cntrl" => c.is_control(),
        _ => false,
    }
}

/// Whether a pattern has wildcards.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    let mut escaped = false;
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}
