//! `grep` and `sed`.

use regex::{Captures, Regex, RegexBuilder};

use super::{Call, Failure, Result, find};
use crate::runtime::programs::sh::stream::Source;

/// How large a compiled expression may be.
const MAX_EXPRESSION_BYTES: usize = 1 << 20;

/// An expression of POSIX as one of the regex crate. In a basic one `\(`, `\{`, `\|`, `\+`, `\?` are the operators.
pub fn expression(text: &str, extended: bool, fixed: bool, ignore_case: bool) -> Result<Regex> {
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    let mut in_class = false;
    while let Some(c) = characters.next() {
        match c {
            _ if fixed => out.push_str(&regex::escape(&c.to_string())),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                for first in ['^', ']'] {
                    if characters.next_if_eq(&first).is_some() {
                        out.push_str(if first == ']' { "\\]" } else { "^" });
                    }
                }
            }
            '[' if characters.peek() == Some(&':') => {
                out.push('[');
                for inner in characters.by_ref() {
                    out.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            c if in_class => out.push_str(&if "\\[&~-".contains(c) && c != '-' {
                format!("\\{c}")
            } else {
                c.to_string()
            }),
            '\\' => match characters.next() {
                Some(c @ ('(' | ')' | '{' | '}' | '|' | '+' | '?')) if !extended => out.push(c),
                Some('<' | '>') => out.push_str("\\b"),
                Some('n') => out.push_str("\\n"),
                Some(c) if c.is_ascii_alphanumeric() => out.extend(['\\', c]),
                Some(c) => out.push_str(&regex::escape(&c.to_string())),
                None => return Err(Failure::Code(2, "trailing backslash".to_owned())),
            },
            '(' | ')' | '{' | '}' | '|' | '+' | '?' if !extended => out.extend(['\\', c]),
            '*' if out.is_empty() => out.push_str("\\*"),
            c => out.push(c),
        }
    }
    RegexBuilder::new(&out)
        .case_insensitive(ignore_case)
        .size_limit(MAX_EXPRESSION_BYTES)
        .build()
        .map_err(|_| Failure::Code(2, format!("bad regex '{text}'")))
}

/// `grep [-EFHRchilnoqrsvwx] [-e P] [-m N] [-A N] [-B N] [-C N] P [FILE]...`
pub async fn grep(call: Call<'_>) -> Result {
    let parsed = call.options(
        "EFHRchilLnoqrsvwxe:m:A:B:C:",
        &[("color", 'F'), ("ignore-case", 'i')],
    )?;
    let mut operands = parsed.operands.clone();
    let mut patterns = parsed.values('e').to_vec();
    if patterns.is_empty() {
        if operands.is_empty() {
            return Err(Failure::Code(
                2,
                "usage: grep [OPTIONS] PATTERN [FILE]...".to_owned(),
            ));
        }
        patterns.push(operands.remove(0));
    }
    let (extended, fixed) = (
        parsed.has('E') || call.name == "egrep",
        parsed.has('F') || call.name == "fgrep",
    );
    let mut expressions = Vec::new();
    for pattern in patterns.iter().flat_map(|pattern| pattern.split('\n')) {
        let inner = expression(pattern, extended, fixed, parsed.has('i'))?;
        let bounded = match (parsed.has('x'), parsed.has('w')) {
            (true, _) => format!("^(?:{inner})$"),
            (_, true) => format!(r"\b(?:{inner})\b"),
            _ => inner.to_string(),
        };
        let built = RegexBuilder::new(&bounded)
            .case_insensitive(parsed.has('i'))
            .build();
        expressions.push(built.map_err(|error| Failure::Code(2, error.to_string()))?);
    }
    let deep = parsed.has('r') || parsed.has('R');
    if deep {
        if operands.is_empty() {
            operands.push(".".to_owned());
        }
        operands = find::all_files(&call, &operands).await?;
    }
    let (inputs, missed) = call.inputs(&operands).await?;
    let named = (inputs.len() > 1 || deep || parsed.has('H')) && !parsed.has('h');
    let mut any = false;
    for (name, input) in inputs {
        any |= search(&call, &parsed, &expressions, &name, &input, named).await?;
        if any && parsed.has('q') {
            return Ok(0);
        }
    }
    Ok(if missed { 2 } else { i32::from(!any) })
}

async fn search(
    call: &Call<'_>,
    parsed: &super::Parsed,
    expressions: &[Regex],
    name: &str,
    input: &Source,
    named: bool,
) -> Result<bool> {
    let both = parsed.number('C')?;
    let count = |option| Ok::<_, Failure>(parsed.number(option)?.or(both).unwrap_or(0));
    let (before, after) = (usize::try_from(count('B')?).unwrap_or(0), count('A')?);
    let limit = parsed.number('m')?.unwrap_or(u64::MAX);
    let (mut number, mut hits, mut owed) = (0_u64, 0_u64, 0_u64);
    let mut earlier: Vec<(u64, String)> = Vec::new();
    let show = |number: u64, mark: char, text: &str| {
        let file = if named {
            format!("{name}{mark}")
        } else {
            String::new()
        };
        let line = if parsed.has('n') {
            format!("{number}{mark}")
        } else {
            String::new()
        };
        format!("{file}{line}{text}\n")
    };
    let quiet = parsed.has('q') || parsed.has('c') || parsed.has('l') || parsed.has('L');
    while let Some(line) = input.line().await? {
        number += 1;
        let line = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
        let hit = expressions.iter().any(|expression| expression.is_match(&line)) != parsed.has('v');
        if !hit {
            if owed > 0 && !quiet {
                owed -= 1;
                call.print(show(number, '-', &line)).await?;
            } else if before > 0 {
                earlier.push((number, line));
                if earlier.len() > before {
                    earlier.remove(0);
                }
            }
            continue;
        }
        hits += 1;
        if parsed.has('q') {
            return Ok(true);
        }
        if !quiet {
            for (number, line) in earlier.drain(..) {
                call.print(show(number, '-', &line)).await?;
            }
            if parsed.has('o') {
                for part in expressions
                    .iter()
                    .flat_map(|expression| expression.find_iter(&line))
                {
                    call.print(show(number, ':', part.as_str())).await?;
                }
            } else {
                call.print(show(number, ':', &line)).await?;
            }
            owed = after;
        }
        if hits >= limit {
            break;
        }
    }
    if parsed.has('c') {
        let file = if named { format!("{name}:") } else { String::new() };
        call.print(format!("{file}{hits}\n")).await?;
    } else if (parsed.has('l') && hits > 0) || (parsed.has('L') && hits == 0) {
        call.print(format!("{name}\n")).await?;
    }
    Ok(hits > 0)
}

/// Which lines a command of `sed` is for.
enum Address {
    Line(u64),
    Last,
    Fits(Regex),
}

enum Edit {
    Substitute {
        what: Regex,
        with: String,
        all: bool,
        print: bool,
    },
    Delete,
    Print,
    Quit,
}

struct Command {
    from: Option<Address>,
    to: Option<Address>,
    negated: bool,
    edit: Edit,
    /// In the middle of its range.
    inside: bool,
}

/// `sed [-nEri] [-e SCRIPT] SCRIPT [FILE]...` with `s`, `d`, `p`, `q` and addresses.
pub async fn sed(call: Call<'_>) -> Result {
    let parsed = call.options("nErie:", &[])?;
    let mut operands = parsed.operands.clone();
    let mut scripts = parsed.values('e').to_vec();
    if scripts.is_empty() {
        if operands.is_empty() {
            return Err(Failure::Text("usage: sed [-nEi] SCRIPT [FILE]...".to_owned()));
        }
        scripts.push(operands.remove(0));
    }
    let extended = parsed.has('E') || parsed.has('r');
    if parsed.has('i') {
        for operand in &operands {
            let path = call.shell.path(operand);
            let text = call
                .files()
                .read(&path)
                .await
                .map_err(|error| call.about(operand, &error))?;
            let mut commands = commands(&scripts.join("\n"), extended)?;
            let edited = edited(&String::from_utf8_lossy(&text), &mut commands, parsed.has('n'));
            call.files().replace(&path, edited.into_bytes()).await?;
        }
        return Ok(0);
    }
    let (inputs, missed) = call.inputs(&operands).await?;
    let mut text = Vec::new();
    for (_, input) in inputs {
        text.extend(input.all().await?);
    }
    let mut commands = commands(&scripts.join("\n"), extended)?;
    call.print(edited(
        &String::from_utf8_lossy(&text),
        &mut commands,
        parsed.has('n'),
    ))
    .await?;
    Ok(super::code(missed))
}

fn commands(script: &str, extended: bool) -> Result<Vec<Command>> {
    let mut rest = script;
    let mut commands = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ';', '\n', '\t']);
        if rest.is_empty() {
            return Ok(commands);
        }
        let from = address(&mut rest, extended)?;
        let to = match rest.strip_prefix(',') {
            Some(after) => {
                rest = after;
                address(&mut rest, extended)?
            }
            None => None,
        };
        let negated = rest.starts_with('!');
        rest = rest.trim_start_matches(['!', ' ']);
        let Some(letter) = rest.chars().next() else {
            return Err(Failure::Text("missing command".to_owned()));
        };
        rest = &rest[letter.len_utf8()..];
        let edit = match letter {
            'd' => Edit::Delete,
            'p' => Edit::Print,
            'q' => Edit::Quit,
            's' => substitution(&mut rest, extended)?,
            other => return Err(Failure::Text(format!("unsupported command {other}"))),
        };
        commands.push(Command {
            from,
            to,
            negated,
            edit,
            inside: false,
        });
    }
}

fn address(rest: &mut &str, extended: bool) -> Result<Option<Address>> {
    if let Some(after) = rest.strip_prefix('$') {
        *rest = after;
        return Ok(Some(Address::Last));
    }
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits > 0 {
        let (number, after) = rest.split_at(digits);
        *rest = after;
        return Ok(number.parse().ok().map(Address::Line));
    }
    if rest.starts_with('/') {
        let (pattern, after) = delimited(&rest[1..], '/')?;
        *rest = after;
        return Ok(Some(Address::Fits(expression(&pattern, extended, false, false)?)));
    }
    Ok(None)
}

/// What stands before an unescaped delimiter, and what is behind it.
fn delimited(text: &str, delimiter: char) -> Result<(String, &str)> {
    let (mut part, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        if escaped {
            if c != delimiter {
                part.push('\\');
            }
            part.push(c);
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == delimiter {
            return Ok((part, &text[at + c.len_utf8()..]));
        } else {
            part.push(c);
        }
    }
    Err(Failure::Text("unterminated command".to_owned()))
}

fn substitution(rest: &mut &str, extended: bool) -> Result<Edit> {
    let Some(delimiter) = rest.chars().next() else {
        return Err(Failure::Text("unterminated command".to_owned()));
    };
    let (what, after) = delimited(&rest[delimiter.len_utf8()..], delimiter)?;
    let (with, after) = delimited(after, delimiter)?;
    let flags = after.len() - after.trim_start_matches(['g', 'p', 'i', 'I']).len();
    let (flags, after) = after.split_at(flags);
    *rest = after;
    Ok(Edit::Substitute {
        what: expression(&what, extended, false, flags.contains(['i', 'I']))?,
        with,
        all: flags.contains('g'),
        print: flags.contains('p'),
    })
}

fn edited(text: &str, commands: &mut [Command], silent: bool) -> String {
    let mut out = String::new();
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let (number, is_last) = (at as u64 + 1, at + 1 == lines.len());
        let (mut line, mut deleted, mut quits) = ((*line).to_owned(), false, false);
        for command in &mut *commands {
            if command.applies(&line, number, is_last) == command.negated {
                continue;
            }
            match &command.edit {
                Edit::Delete => deleted = true,
                Edit::Print => out.push_str(&format!("{line}\n")),
                Edit::Quit => quits = true,
                Edit::Substitute {
                    what,
                    with,
                    all,
                    print,
                } => {
                    let count = if *all { 0 } else { 1 };
                    let changed = what
                        .replacen(&line, count, |found: &Captures<'_>| filled(with, found))
                        .into_owned();
                    let differs = what.is_match(&line);
                    line = changed;
                    if *print && differs {
                        out.push_str(&format!("{line}\n"));
                    }
                }
            }
            if deleted || quits {
                break;
            }
        }
        if !deleted && !silent {
            out.push_str(&line);
            out.push('\n');
        }
        if quits {
            break;
        }
    }
    out
}

/// A replacement with `&` and `\1` filled in.
fn filled(with: &str, found: &Captures<'_>) -> String {
    let group = |number: usize| found.get(number).map_or("", |group| group.as_str());
    let mut out = String::new();
    let mut characters = with.chars();
    while let Some(c) = characters.next() {
        match c {
            '&' => out.push_str(group(0)),
            '\\' => match characters.next() {
                Some(digit @ '0'..='9') => out.push_str(group(digit as usize - '0' as usize)),
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

impl Command {
    fn applies(&mut self, line: &str, number: u64, is_last: bool) -> bool {
        let at = |address: &Address| match address {
            Address::Line(wanted) => *wanted == number,
            Address::Last => is_last,
            Address::Fits(expression) => expression.is_match(line),
        };
        let (from, to) = match (&self.from, &self.to) {
            (None, _) => return true,
            (Some(from), None) => return at(from),
            (Some(from), Some(to)) => (from, to),
        };
        if self.inside {
            self.inside = !at(to);
            return true;
        }
        if at(from) {
            self.inside = !matches!(to, Address::Line(end) if *end <= number);
            return true;
        }
        false
    }
}
