//! Commands that print, and that turn lines round.

use super::{Call, Failure, Result, base, code};

/// Numbers that `seq` prints at most.
const MAX_NUMBERS: u64 = 10_000_000;

/// `echo [-ne] [WORD]...`
pub async fn echo(call: Call<'_>) -> Result {
    let mut words = call.arguments;
    let (mut end, mut escapes) = ("\n", false);
    while let Some((first, rest)) = words.split_first() {
        let letters = first.strip_prefix('-').unwrap_or_default();
        if letters.is_empty() || !letters.chars().all(|c| "neE".contains(c)) {
            break;
        }
        if letters.contains('n') {
            end = "";
        }
        escapes |= letters.contains('e');
        words = rest;
    }
    let mut text = words.join(" ");
    if escapes {
        text = escaped(&text);
    }
    call.print(text + end).await?;
    Ok(0)
}

/// A text with its escapes replaced.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match characters.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('e') => out.push('\u{1b}'),
            Some('c') => return out,
            Some('\\') => out.push('\\'),
            Some(digit @ '0'..='7') => {
                let mut value = digit.to_digit(8).unwrap_or(0);
                while let Some(next) = characters
                    .peek()
                    .and_then(|c| c.to_digit(8))
                    .filter(|_| value < 32)
                {
                    value = value * 8 + next;
                    characters.next();
                }
                out.extend(char::from_u32(value));
            }
            Some('x') => {
                let mut value = 0;
                for _ in 0..2 {
                    let Some(next) = characters.peek().and_then(|c| c.to_digit(16)) else {
                        break;
                    };
                    value = value * 16 + next;
                    characters.next();
                }
                out.extend(char::from_u32(value));
            }
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

/// `printf FORMAT [ARG]...`
pub async fn printf(call: Call<'_>) -> Result {
    let Some((format, arguments)) = call.arguments.split_first() else {
        return Err(Failure::Text("usage: printf FORMAT [ARG]...".to_owned()));
    };
    let format = escaped(format);
    let mut arguments = arguments.iter();
    let mut out = String::new();
    loop {
        let before = arguments.len();
        formatted(&format, &mut arguments, &mut out)?;
        if arguments.len() == 0 || arguments.len() == before {
            break;
        }
    }
    call.print(out).await?;
    Ok(0)
}

fn formatted(format: &str, arguments: &mut std::slice::Iter<'_, String>, out: &mut String) -> Result<()> {
    let mut characters = format.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = String::new();
        while let Some(flag) = characters.next_if(|c| "-+ 0#".contains(*c)) {
            flags.push(flag);
        }
        let mut sizes = [String::new(), String::new()];
        let mut at = 0;
        while let Some(c) = characters.next_if(|c| c.is_ascii_digit() || *c == '.') {
            match c {
                '.' => at = 1,
                digit => sizes[at].push(digit),
            }
        }
        let kind = characters.next().unwrap_or('%');
        if kind == '%' {
            out.push('%');
            continue;
        }
        let argument = arguments.next().map_or("", String::as_str);
        let precision = sizes[1].parse::<usize>().ok();
        let mut text = match kind {
            's' => argument.chars().take(precision.unwrap_or(usize::MAX)).collect(),
            'b' => escaped(argument),
            'c' => argument.chars().take(1).collect(),
            'd' | 'i' | 'u' => whole(argument)?.to_string(),
            'x' => format!("{:x}", whole(argument)?),
            'X' => format!("{:X}", whole(argument)?),
            'o' => format!("{:o}", whole(argument)?),
            'f' | 'e' | 'g' => {
                let value: f64 = argument.trim().parse().unwrap_or(0.0);
                format!("{value:.*}", precision.unwrap_or(6).min(60))
            }
            other => return Err(Failure::Text(format!("%{other}: invalid format"))),
        };
        if flags.contains('+') && !text.starts_with('-') {
            text.insert(0, '+');
        }
        let width = sizes[0].parse::<usize>().unwrap_or(0).min(10_000);
        let missing = width.saturating_sub(text.chars().count());
        if flags.contains('-') {
            text.push_str(&" ".repeat(missing));
        } else if flags.contains('0') && kind != 's' {
            let sign = usize::from(text.starts_with(['-', '+']));
            text.insert_str(sign, &"0".repeat(missing));
        } else {
            text.insert_str(0, &" ".repeat(missing));
        }
        out.push_str(&text);
    }
    Ok(())
}

fn whole(text: &str) -> Result<i64> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(0);
    }
    if let Some(character) = text.strip_prefix(['\'', '"']) {
        return Ok(character.chars().next().map_or(0, |c| i64::from(u32::from(c))));
    }
    let value = match text.strip_prefix("0x") {
        Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16),
        None => text.parse(),
    };
    value.map_err(|_| Failure::Text(format!("invalid number '{text}'")))
}

/// `seq [FIRST [STEP]] LAST`
pub async fn seq(call: Call<'_>) -> Result {
    let mut words = call.arguments;
    let mut separator = "\n";
    if let [option, value, rest @ ..] = words
        && option == "-s"
    {
        (separator, words) = (value, rest);
    }
    let numbers: Vec<i64> = words.iter().map(|word| whole(word)).collect::<Result<_>>()?;
    let (first, step, last) = match numbers.as_slice() {
        [last] => (1, 1, *last),
        [first, last] => (*first, 1, *last),
        [first, step, last] if *step != 0 => (*first, *step, *last),
        _ => return Err(Failure::Text("usage: seq [FIRST [STEP]] LAST".to_owned())),
    };
    let (mut value, mut printed) = (first, 0);
    while (step > 0 && value <= last) || (step < 0 && value >= last) {
        printed += 1;
        if printed > MAX_NUMBERS {
            return Err(Failure::Text("there are too many numbers".to_owned()));
        }
        let Some(next) = value.checked_add(step) else {
            break;
        };
        let is_last = (step > 0 && next > last) || (step < 0 && next < last);
        call.print(format!("{value}{}", if is_last { "\n" } else { separator }))
            .await?;
        value = next;
    }
    Ok(0)
}

/// `basename PATH [SUFFIX]`
pub async fn basename(call: Call<'_>) -> Result {
    let Some(path) = call.arguments.first() else {
        return Err(Failure::Text("usage: basename PATH [SUFFIX]".to_owned()));
    };
    let mut name = base(path.trim_end_matches('/'));
    if let Some(suffix) = call.arguments.get(1) {
        name = name
            .strip_suffix(suffix.as_str())
            .filter(|name| !name.is_empty())
            .unwrap_or(name);
    }
    call.print(format!("{}\n", if name.is_empty() { "/" } else { name }))
        .await?;
    Ok(0)
}

/// `dirname PATH`
pub async fn dirname(call: Call<'_>) -> Result {
    let path = call
        .arguments
        .first()
        .map(String::as_str)
        .unwrap_or_default()
        .trim_end_matches('/');
    let folder = match path.rsplit_once('/') {
        None => ".",
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
    };
    call.print(format!("{folder}\n")).await?;
    Ok(0)
}

/// `rev [FILE]...`
pub async fn rev(call: Call<'_>) -> Result {
    let (inputs, missed) = call.inputs(call.arguments).await?;
    for (_, input) in inputs {
        while let Some(line) = input.line().await? {
            let line: String = String::from_utf8_lossy(&line)
                .trim_end_matches('\n')
                .chars()
                .rev()
                .collect();
            call.print(line + "\n").await?;
        }
    }
    Ok(code(missed))
}

/// `tac [FILE]...`
pub async fn tac(call: Call<'_>) -> Result {
    let (inputs, missed) = call.inputs(call.arguments).await?;
    for (_, input) in inputs {
        let text = input.all().await?;
        let text = String::from_utf8_lossy(&text);
        for line in text.lines().rev() {
            call.print(format!("{line}\n")).await?;
        }
    }
    Ok(code(missed))
}
