//! `cut` and `tr`.

use super::{Call, Failure, Result, code};
use crate::runtime::programs::sh::{pattern::named, stream::CHUNK_BYTES};

/// `cut -f LIST [-d C] [-s]`, `cut -c LIST`, `cut -b LIST`
pub async fn cut(call: Call<'_>) -> Result {
    let parsed = call.options("f:d:c:b:s", &[])?;
    let list = parsed.value('f').or(parsed.value('c')).or(parsed.value('b'));
    let Some(list) = list else {
        return Err(Failure::Text(
            "expected a list of bytes, characters, or fields".to_owned(),
        ));
    };
    let ranges = ranges(list)?;
    let chosen = |number: usize| {
        ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&number))
    };
    let delimiter = parsed
        .value('d')
        .and_then(|text| text.chars().next())
        .unwrap_or('\t');
    let (inputs, missed) = call.inputs(&parsed.operands).await?;
    for (_, input) in inputs {
        while let Some(line) = input.line().await? {
            let line = String::from_utf8_lossy(&line).into_owned();
            let line = line.trim_end_matches('\n');
            let text = if !parsed.has('f') {
                let characters = line.chars().enumerate();
                characters
                    .filter(|(at, _)| chosen(at + 1))
                    .map(|(_, c)| c)
                    .collect()
            } else if line.contains(delimiter) {
                let fields = line.split(delimiter).enumerate();
                let fields: Vec<&str> = fields
                    .filter(|(at, _)| chosen(at + 1))
                    .map(|(_, field)| field)
                    .collect();
                fields.join(&delimiter.to_string())
            } else if parsed.has('s') {
                continue;
            } else {
                line.to_owned()
            };
            call.print(text + "\n").await?;
        }
    }
    Ok(code(missed))
}

fn ranges(list: &str) -> Result<Vec<(usize, usize)>> {
    let bad = || Failure::Text(format!("invalid range {list}"));
    let read = |text: &str, default: usize| match text {
        "" => Ok(default),
        text => text.parse::<usize>().map_err(|_| bad()),
    };
    list.split(',')
        .map(|part| match part.split_once('-') {
            Some((first, last)) => Ok((read(first, 1)?, read(last, usize::MAX)?)),
            None => read(part, 0).map(|only| (only, only)),
        })
        .collect()
}

/// `tr [-cds] SET1 [SET2]`
pub async fn tr(call: Call<'_>) -> Result {
    let parsed = call.options("cCds", &[])?;
    let Some(first) = parsed.operands.first() else {
        return Err(Failure::Text("usage: tr [-cds] SET1 [SET2]".to_owned()));
    };
    let (from, to) = (
        set(first),
        parsed.operands.get(1).map(|text| set(text)).unwrap_or_default(),
    );
    let complement = parsed.has('c') || parsed.has('C');
    let mut last = None;
    let mut pending = Vec::new();
    loop {
        let piece = call.streams.input.read(CHUNK_BYTES).await?;
        if piece.is_empty() && pending.is_empty() {
            return Ok(0);
        }
        pending.extend_from_slice(&piece);
        let whole = match std::str::from_utf8(&pending) {
            Err(error) if !piece.is_empty() && error.error_len().is_none() => error.valid_up_to(),
            _ => pending.len(),
        };
        let text: Vec<u8> = pending.drain(..whole).collect();
        let mut out = String::new();
        for c in String::from_utf8_lossy(&text).chars() {
            let place = from.iter().position(|&known| known == c);
            let hit = place.is_some() != complement;
            if hit && parsed.has('d') {
                continue;
            }
            let turned = match to.last().filter(|_| hit) {
                Some(&end) => place.and_then(|place| to.get(place)).copied().unwrap_or(end),
                None => c,
            };
            let squeezes = parsed.has('s') && hit;
            if squeezes && last == Some(turned) {
                continue;
            }
            last = Some(turned);
            out.push(turned);
        }
        call.print(out).await?;
    }
}

/// The characters of a set: ranges, classes and escapes.
fn set(text: &str) -> Vec<char> {
    let text: Vec<char> = super::text::escaped(text).chars().collect();
    let (mut set, mut at) = (Vec::new(), 0);
    while at < text.len() {
        if text[at] == '[' && text.get(at + 1) == Some(&':') {
            let end = text[at..].windows(2).position(|two| two == [':', ']']);
            if let Some(end) = end {
                let name: String = text[at + 2..at + end].iter().collect();
                set.extend((0..=0x7f).filter_map(char::from_u32).filter(|&c| named(&name, c)));
                at += end + 2;
                continue;
            }
        }
        if text.get(at + 1) == Some(&'-') && at + 2 < text.len() {
            set.extend(text[at]..=text[at + 2]);
            at += 3;
        } else {
            set.push(text[at]);
            at += 1;
        }
    }
    set
}
