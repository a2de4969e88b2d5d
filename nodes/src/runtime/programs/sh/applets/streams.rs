//! Commands that read streams: their beginning, their end, their order, their length.

use std::{cmp::Ordering, time::Duration};

use super::{Call, Failure, Parsed, Result, code, number};
use crate::runtime::programs::sh::stream::{CHUNK_BYTES, Sink, Source};

/// How often a file that is followed is looked at.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);
/// The largest block of `dd`.
const MAX_BLOCK_BYTES: u64 = 16 << 20;

/// `-n 5`, `-5`
fn arguments_of(call: &Call<'_>) -> Vec<String> {
    let old_form = |word: &String| {
        word.len() > 1 && word.starts_with('-') && word[1..].chars().all(|c| c.is_ascii_digit())
    };
    let words = call.arguments.iter();
    words
        .map(|word| {
            if old_form(word) {
                format!("-n{}", &word[1..])
            } else {
                word.clone()
            }
        })
        .collect()
}

/// `head [-n N] [-c N] [-q] [FILE]...`
pub async fn head(call: Call<'_>) -> Result {
    let parsed = Parsed::of(&arguments_of(&call), "n:c:qv", &[("lines", 'n'), ("bytes", 'c')])?;
    let (inputs, missed) = call.inputs(&parsed.operands).await?;
    let titled = inputs.len() > 1 && !parsed.has('q');
    for (at, (name, input)) in inputs.into_iter().enumerate() {
        if titled {
            let space = if at == 0 { "" } else { "\n" };
            call.print(format!("{space}==> {name} <==\n")).await?;
        }
        if let Some(mut left) = parsed.number('c')? {
            while left > 0 {
                let piece = input
                    .read(usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES))
                    .await?;
                if piece.is_empty() {
                    break;
                }
                left -= piece.len() as u64;
                call.print(piece).await?;
            }
            continue;
        }
        if let Some(all_but) = parsed.value('n').and_then(|text| text.strip_prefix('-')) {
            let text = input.all().await?;
            let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
            let kept = lines
                .len()
                .saturating_sub(usize::try_from(number(all_but)?).unwrap_or(0));
            call.print(lines[..kept].concat()).await?;
            continue;
        }
        for _ in 0..parsed.number('n')?.unwrap_or(10) {
            let Some(line) = input.line().await? else { break };
            call.print(line).await?;
        }
    }
    Ok(code(missed))
}

/// `tail [-n [+]N] [-c N] [-fF] [FILE]...`
pub async fn tail(call: Call<'_>) -> Result {
    let parsed = Parsed::of(
        &arguments_of(&call),
        "n:c:fFqs:",
        &[("lines", 'n'), ("follow", 'f')],
    )?;
    let (inputs, missed) = call.inputs(&parsed.operands).await?;
    let titled = inputs.len() > 1 && !parsed.has('q');
    let mut followed = Vec::new();
    for (at, (name, input)) in inputs.into_iter().enumerate() {
        let text = input.all().await?;
        if titled {
            let space = if at == 0 { "" } else { "\n" };
            call.print(format!("{space}==> {name} <==\n")).await?;
        }
        let start = if let Some(bytes) = parsed.number('c')? {
            text.len()
                .saturating_sub(usize::try_from(bytes).unwrap_or(usize::MAX))
        } else {
            let wanted = parsed.value('n').unwrap_or("10");
            let starts: Vec<usize> = text
                .split_inclusive(|&byte| byte == b'\n')
                .scan(0, |at, line| Some(std::mem::replace(at, *at + line.len())))
                .collect();
            let count = usize::try_from(number(wanted.trim_start_matches(['+', '-']))?).unwrap_or(usize::MAX);
            let first = match wanted.starts_with('+') {
                true => count.saturating_sub(1),
                false => starts.len().saturating_sub(count),
            };
            starts.get(first).copied().unwrap_or(text.len())
        };
        call.print(&text[start..]).await?;
        followed.push((input, name, text.len() as u64));
    }
    if parsed.has('f') || parsed.has('F') {
        return follow(&call, followed).await;
    }
    Ok(code(missed))
}

/// Prints what is added, for ever. A file that became shorter is read from its beginning.
async fn follow(call: &Call<'_>, mut followed: Vec<(Source, String, u64)>) -> Result {
    let clock = call.shell.world.invocation.clock.clone();
    loop {
        clock.sleep(FOLLOW_INTERVAL).await;
        for (_, name, offset) in &mut followed {
            let path = call.shell.path(name);
            let Ok(found) = call.files().stat(&path).await else {
                continue;
            };
            if found.size_bytes < *offset {
                *offset = 0;
            }
            while *offset < found.size_bytes {
                let piece = call.files().read_at(&path, *offset, CHUNK_BYTES).await?;
                if piece.is_empty() {
                    break;
                }
                *offset += piece.len() as u64;
                call.print(piece).await?;
            }
        }
    }
}

async fn lines_of(call: &Call<'_>, operands: &[String]) -> Result<Vec<String>> {
    let (inputs, _) = call.inputs(operands).await?;
    let mut lines = Vec::new();
    for (_, input) in inputs {
        let text = input.all().await?;
        lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
    }
    Ok(lines)
}

/// `sort [-bfhnru] [-k N] [-t C] [-o FILE] [FILE]...`
pub async fn sort(call: Call<'_>) -> Result {
    let parsed = call.options("bfghnrusk:t:o:V", &[])?;
    let mut lines = lines_of(&call, &parsed.operands).await?;
    let field = parsed
        .value('k')
        .map(|key| key.split([',', '.']).next().unwrap_or_default());
    let field = field.map(|key| {
        key.trim_end_matches(|c: char| c.is_ascii_alphabetic())
            .parse::<usize>()
    });
    let field = field.and_then(std::result::Result::ok);
    let numeric =
        parsed.has('n') || parsed.has('g') || parsed.value('k').is_some_and(|key| key.contains('n'));
    let reverse = parsed.has('r') || parsed.value('k').is_some_and(|key| key.contains('r'));
    let delimiter = parsed.value('t').and_then(|text| text.chars().next());
    let key = |line: &str| -> String {
        let Some(field) = field else {
            return line.to_owned();
        };
        let fields: Vec<&str> = match delimiter {
            Some(delimiter) => line.split(delimiter).collect(),
            None => line.split_whitespace().collect(),
        };
        fields
            .iter()
            .skip(field.saturating_sub(1))
            .copied()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let compare = |a: &String, b: &String| -> Ordering {
        let (a, b) = (key(a), key(b));
        if parsed.has('h') {
            let size = |text: &str| number(text.split_whitespace().next().unwrap_or("0")).unwrap_or(0);
            return size(&a).cmp(&size(&b));
        }
        if numeric {
            return leading(&a).total_cmp(&leading(&b));
        }
        match parsed.has('f') {
            true => a.to_lowercase().cmp(&b.to_lowercase()),
            false => a.cmp(&b),
        }
    };
    lines.sort_by(|a, b| {
        let order = compare(a, b);
        let order = if reverse { order.reverse() } else { order };
        if order == Ordering::Equal && !parsed.has('s') {
            a.cmp(b)
        } else {
            order
        }
    });
    if parsed.has('u') {
        lines.dedup_by(|a, b| compare(a, b) == Ordering::Equal);
    }
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    match parsed.value('o') {
        Some(file) => {
            call.files()
                .replace(&call.shell.path(file), text.into_bytes())
                .await?
        }
        None => call.print(text).await?,
    }
    Ok(0)
}

/// The number that a text begins with.
fn leading(text: &str) -> f64 {
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || (at == 0 && c == '-')));
    text[..end.map_or(text.len(), |(at, _)| at)]
        .parse()
        .unwrap_or(0.0)
}

/// `uniq [-cdiu] [FILE]`
pub async fn uniq(call: Call<'_>) -> Result {
    let parsed = call.options("cdiu", &[])?;
    let mut groups: Vec<(usize, String)> = Vec::new();
    for line in lines_of(&call, &parsed.operands).await? {
        let same = |known: &str| match parsed.has('i') {
            true => known.to_lowercase() == line.to_lowercase(),
            false => known == line,
        };
        match groups.last_mut() {
            Some((count, known)) if same(known) => *count += 1,
            _ => groups.push((1, line)),
        }
    }
    for (count, line) in groups {
        if (parsed.has('d') && count == 1) || (parsed.has('u') && count > 1) {
            continue;
        }
        let text = if parsed.has('c') {
            format!("{count:>7} {line}\n")
        } else {
            line + "\n"
        };
        call.print(text).await?;
    }
    Ok(0)
}

/// `wc [-clmwL] [FILE]...`
pub async fn wc(call: Call<'_>) -> Result {
    let parsed = call.options("clmwL", &[])?;
    let (inputs, missed) = call.inputs(&parsed.operands).await?;
    let all = !"clmwL".chars().any(|option| parsed.has(option));
    let mut totals = [0; 5];
    let many = inputs.len() > 1;
    let show = |counts: &[usize; 5], name: &str| {
        let chosen: Vec<usize> = ['l', 'w', 'm', 'c', 'L']
            .iter()
            .zip(counts)
            .filter(|(option, _)| parsed.has(**option) || (all && "lwc".contains(**option)))
            .map(|(_, count)| *count)
            .collect();
        let alone = chosen.len() == 1;
        let texts: Vec<String> = chosen
            .iter()
            .map(|count| {
                if alone {
                    count.to_string()
                } else {
                    format!("{count:>8}")
                }
            })
            .collect();
        let name = if name == "-" {
            String::new()
        } else {
            format!(" {name}")
        };
        format!("{}{name}\n", texts.join(" "))
    };
    for (name, input) in inputs {
        let text = input.all().await?;
        let characters = String::from_utf8_lossy(&text);
        let counts = [
            text.iter().filter(|&&byte| byte == b'\n').count(),
            characters.split_whitespace().count(),
            characters.chars().count(),
            text.len(),
            characters
                .lines()
                .map(|line| line.chars().count())
                .max()
                .unwrap_or(0),
        ];
        for (total, count) in totals.iter_mut().zip(counts) {
            *total += count;
        }
        call.print(show(&counts, &name)).await?;
    }
    if many {
        call.print(show(&totals, "total")).await?;
    }
    Ok(code(missed))
}

/// `tee [-a] [FILE]...`
pub async fn tee(call: Call<'_>) -> Result {
    let parsed = call.options("ai", &[])?;
    let mut sinks = Vec::new();
    for operand in &parsed.operands {
        let opened = call.shell.create(operand, !parsed.has('a'), call.streams).await;
        sinks.push(opened.map_err(|error| Failure::Text(format!("{operand}: {error}")))?);
    }
    loop {
        let piece = call.streams.input.read(CHUNK_BYTES).await?;
        if piece.is_empty() {
            return Ok(0);
        }
        for sink in &sinks {
            sink.write(&piece).await?;
        }
        call.print(piece).await?;
    }
}

/// `yes [WORD]...`
pub async fn yes(call: Call<'_>) -> Result {
    let word = if call.arguments.is_empty() {
        "y".to_owned()
    } else {
        call.arguments.join(" ")
    };
    let lines = format!("{word}\n").repeat(256);
    loop {
        call.print(&lines).await?;
        tokio::task::yield_now().await;
    }
}

/// `dd [if=FILE] [of=FILE] [bs=N] [count=N] [skip=N] [conv=notrunc]`
pub async fn dd(call: Call<'_>) -> Result {
    let value = |name: &str| {
        call.arguments
            .iter()
            .rev()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    for word in call.arguments {
        let name = word.split('=').next().unwrap_or_default();
        if ![
            "if", "of", "bs", "count", "skip", "conv", "status", "oflag", "iflag",
        ]
        .contains(&name)
        {
            return Err(Failure::Text(format!("unsupported operand '{word}'")));
        }
    }
    let block = value("bs").map_or(Ok(512), number)?;
    if block == 0 || block > MAX_BLOCK_BYTES {
        return Err(Failure::Text("a block has 1 byte to 16 MiB".to_owned()));
    }
    let count = value("count").map(number).transpose()?;
    let skip = value("skip").map_or(Ok(0), number)?.saturating_mul(block);
    let start = call.shell.world.invocation.clock.monotonic();
    let input = match value("if") {
        Some(file) => call
            .shell
            .open(file, call.streams)
            .await
            .map_err(|error| Failure::Text(format!("can't open '{file}': {error}")))?,
        None => call.streams.input.clone(),
    };
    let output = match value("of") {
        Some(file) => call
            .shell
            .create(file, value("conv") != Some("notrunc"), call.streams)
            .await
            .map_err(|error| Failure::Text(format!("can't open '{file}': {error}")))?,
        None => call.streams.output.clone(),
    };
    skipped(&input, skip).await?;
    let limit = count.map_or(u64::MAX, |count| count.saturating_mul(block));
    let copied = copied(&input, &output, limit).await?;
    if value("status") != Some("none") {
        let took = (call.shell.world.invocation.clock.monotonic() - start)
            .as_secs_f64()
            .max(1e-6);
        let (whole, part) = (copied / block, u64::from(!copied.is_multiple_of(block)));
        let rate = super::files::human((copied as f64 / took) as u64);
        let text = format!(
            "{whole}+{part} records in\n{whole}+{part} records out\n{copied} bytes ({}B) copied, {took:.6} seconds, {rate}B/s\n",
            super::files::human(copied)
        );
        call.streams.errors.write(text.as_bytes()).await?;
    }
    Ok(0)
}

async fn skipped(input: &Source, mut bytes: u64) -> Result<()> {
    while bytes > 0 {
        let piece = input
            .read(usize::try_from(bytes).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES))
            .await?;
        if piece.is_empty() {
            break;
        }
        bytes -= piece.len() as u64;
    }
    Ok(())
}

async fn copied(input: &Source, output: &Sink, limit: u64) -> Result<u64> {
    let mut copied = 0;
    while copied < limit {
        let wanted = usize::try_from(limit - copied)
            .unwrap_or(CHUNK_BYTES)
            .min(CHUNK_BYTES);
        let piece = input.read(wanted).await?;
        if piece.is_empty() {
            break;
        }
        output.write(&piece).await?;
        copied += piece.len() as u64;
    }
    Ok(copied)
}
