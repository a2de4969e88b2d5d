//! Commands on files and folders.

use std::io::{self, ErrorKind};

use futures::future::BoxFuture;
use jiff::{Timestamp, tz::TimeZone};

use super::{Call, Failure, Result, base, code};
use crate::{
    runtime::programs::sh::stream::CHUNK_BYTES,
    volumes::{Files, Stat},
};

/// How deep folders are copied and removed.
const MAX_DEPTH: u32 = 256;

/// `cat [FILE]...`
pub async fn cat(call: Call<'_>) -> Result {
    let parsed = call.options("nuv", &[])?;
    let (inputs, missed) = call.inputs(&parsed.operands).await?;
    let mut number = 0;
    for (_, input) in inputs {
        if parsed.has('n') {
            while let Some(line) = input.line().await? {
                number += 1;
                call.print(format!("{number:>6}\t")).await?;
                call.print(line).await?;
            }
            continue;
        }
        loop {
            let piece = input.read(CHUNK_BYTES).await?;
            if piece.is_empty() {
                break;
            }
            call.print(piece).await?;
        }
    }
    Ok(code(missed))
}

/// `ls [-1aAdFhlrRSt] [PATH]...`
pub async fn ls(call: Call<'_>) -> Result {
    let parsed = call.options("1aAdFhlrRStni", &[("all", 'a'), ("color", 'n')])?;
    let mut operands = parsed.operands.clone();
    if operands.is_empty() {
        operands.push(".".to_owned());
    }
    operands.sort();
    let (mut single, mut folders, mut missed) = (Vec::new(), Vec::new(), false);
    for operand in &operands {
        match call.files().stat(&call.shell.path(operand)).await {
            Ok(found) if found.is_directory && !parsed.has('d') => folders.push(operand.clone()),
            Ok(found) => single.push((operand.clone(), found)),
            Err(error) => {
                missed = true;
                call.complain(&format!("{operand}: {}", super::reason(&error)))
                    .await?;
            }
        }
    }
    let many = operands.len() > 1 || parsed.has('R');
    let is_first = single.is_empty();
    show(&call, single, &parsed).await?;
    let mut first = is_first;
    folders.reverse();
    while let Some(folder) = folders.pop() {
        let mut entries = call.files().list(&call.shell.path(&folder)).await?;
        if parsed.has('a') || parsed.has('A') {
            if parsed.has('a') {
                let own = call.files().stat(&call.shell.path(&folder)).await?;
                entries.extend([(".".to_owned(), own), ("..".to_owned(), own)]);
            }
        } else {
            entries.retain(|(name, _)| !name.starts_with('.'));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        if many {
            let space = if std::mem::take(&mut first) { "" } else { "\n" };
            call.print(format!("{space}{folder}:\n")).await?;
        }
        if parsed.has('R') {
            let inner = entries
                .iter()
                .rev()
                .filter(|(name, found)| found.is_directory && !name.starts_with('.'));
            let inner: Vec<String> = inner
                .map(|(name, _)| format!("{}/{name}", folder.trim_end_matches('/')))
                .collect();
            folders.extend(inner);
        }
        if parsed.has('l') {
            let blocks: u64 = entries
                .iter()
                .map(|(_, found)| found.size_bytes.div_ceil(4096) * 4)
                .sum();
            call.print(format!("total {blocks}\n")).await?;
        }
        show(&call, entries, &parsed).await?;
    }
    Ok(code(missed))
}

async fn show(call: &Call<'_>, mut entries: Vec<(String, Stat)>, parsed: &super::Parsed) -> Result<()> {
    if parsed.has('t') {
        entries.sort_by_key(|(_, found)| std::cmp::Reverse(found.modified_ns));
    }
    if parsed.has('S') {
        entries.sort_by_key(|(_, found)| std::cmp::Reverse(found.size_bytes));
    }
    if parsed.has('r') {
        entries.reverse();
    }
    let mut text = String::new();
    let width = entries
        .iter()
        .map(|(_, found)| found.size_bytes.to_string().len())
        .max();
    let width = width.unwrap_or_default().max(5);
    for (name, found) in entries {
        if parsed.has('l') {
            let size = match parsed.has('h') {
                true => human(found.size_bytes),
                false => found.size_bytes.to_string(),
            };
            let links = if found.is_directory { 2 } else { 1 };
            let time = time(found.modified_ns, "%b %e %H:%M");
            text.push_str(&format!(
                "{} {links:>4} root     root     {size:>width$} {time} ",
                mode(&found)
            ));
        }
        text.push_str(&name);
        if parsed.has('F') && found.is_directory {
            text.push('/');
        }
        text.push('\n');
    }
    call.print(text).await
}

fn mode(found: &Stat) -> String {
    let mut text = String::from(if found.is_directory { "d" } else { "-" });
    for shift in [6, 3, 0] {
        let bits = found.mode >> shift;
        for (bit, letter) in [(4, 'r'), (2, 'w'), (1, 'x')] {
            text.push(if bits & bit != 0 { letter } else { '-' });
        }
    }
    text
}

/// A size as people read it.
pub fn human(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["", "K", "M", "G"] {
        if value < 1024.0 || unit == "G" {
            return if unit.is_empty() {
                format!("{bytes}")
            } else {
                format!("{value:.1}{unit}")
            };
        }
        value /= 1024.0;
    }
    bytes.to_string()
}

/// A file's time in UTC.
pub fn time(modified_ns: i64, format: &str) -> String {
    let stamp = Timestamp::from_nanosecond(i128::from(modified_ns)).unwrap_or(Timestamp::UNIX_EPOCH);
    stamp.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

/// `stat FILE...`
pub async fn stat(call: Call<'_>) -> Result {
    let parsed = call.options("c:", &[])?;
    for operand in &parsed.operands {
        let found = call.files().stat(&call.shell.path(operand)).await;
        let found = found
            .map_err(|error| Failure::Text(format!("can't stat '{operand}': {}", super::reason(&error))))?;
        let kind = if found.is_directory {
            "directory"
        } else {
            "regular file"
        };
        let octal = format!("{:o}", found.mode & 0o777);
        let text = match parsed.value('c') {
            Some(format) => format
                .replace("%n", operand)
                .replace("%s", &found.size_bytes.to_string())
                .replace("%a", &octal)
                .replace("%F", kind)
                .replace("%Y", &(found.modified_ns / 1_000_000_000).to_string()),
            None => format!(
                "  File: {operand}\n  Size: {}\t{kind}\nAccess: (0{octal}/{})\nModify: {}",
                found.size_bytes,
                mode(&found),
                time(found.modified_ns, "%Y-%m-%d %H:%M:%S")
            ),
        };
        call.print(text + "\n").await?;
    }
    Ok(0)
}

/// `mkdir [-p] [-m MODE] DIR...`
pub async fn mkdir(call: Call<'_>) -> Result {
    let parsed = call.options("pm:v", &[("parents", 'p')])?;
    let mut failed = false;
    for operand in &parsed.operands {
        let path = call.shell.path(operand);
        let outcome = match parsed.has('p') {
            true => make_all(&call.files(), &path).await,
            false => call.files().create_directory(&path).await,
        };
        if let Err(error) = outcome {
            failed = true;
            let why = super::reason(&error);
            call.complain(&format!("can't create directory '{operand}': {why}"))
                .await?;
        }
    }
    Ok(code(failed))
}

/// Makes a folder and those above it.
pub async fn make_all(files: &Files, path: &str) -> io::Result<()> {
    let mut made = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        made = format!("{made}/{part}");
        match files.stat(&made).await {
            Ok(found) if found.is_directory => {}
            Ok(_) => return Err(ErrorKind::NotADirectory.into()),
            Err(_) => files.create_directory(&made).await?,
        }
    }
    Ok(())
}

/// `rmdir DIR...`
pub async fn rmdir(call: Call<'_>) -> Result {
    for operand in call.arguments {
        let path = call.shell.path(operand);
        let files = call.files();
        let outcome = match files.stat(&path).await {
            Ok(found) if !found.is_directory => Err(ErrorKind::NotADirectory.into()),
            Ok(_) => files.remove(&path).await,
            Err(error) => Err(error),
        };
        outcome.map_err(|error| Failure::Text(format!("'{operand}': {}", super::reason(&error))))?;
    }
    Ok(0)
}

/// `rm [-fr] PATH...`
pub async fn rm(call: Call<'_>) -> Result {
    let parsed = call.options("frRiv", &[("force", 'f'), ("recursive", 'r')])?;
    let deep = parsed.has('r') || parsed.has('R');
    let mut failed = false;
    for operand in &parsed.operands {
        let path = call.shell.path(operand);
        let outcome = match call.files().stat(&path).await {
            Ok(found) if found.is_directory && !deep => Err(ErrorKind::IsADirectory.into()),
            Ok(found) => remove(&call.files(), path, found.is_directory, 0).await,
            Err(error) if parsed.has('f') && error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            failed = true;
            let why = super::reason(&error);
            call.complain(&format!("can't remove '{operand}': {why}")).await?;
        }
    }
    Ok(code(failed))
}

fn remove(files: &Files, path: String, is_directory: bool, depth: u32) -> BoxFuture<'_, io::Result<()>> {
    Box::pin(async move {
        if depth > MAX_DEPTH {
            return Err(io::Error::other("folders are nested too deep"));
        }
        if is_directory {
            for (name, found) in files.list(&path).await? {
                let inner = format!("{}/{name}", path.trim_end_matches('/'));
                remove(files, inner, found.is_directory, depth + 1).await?;
            }
        }
        files.remove(&path).await
    })
}

/// Where a file goes: into a folder, or under a new name.
async fn destination(call: &Call<'_>, source: &str, target: &str) -> String {
    let path = call.shell.path(target);
    match call.files().stat(&path).await {
        Ok(found) if found.is_directory => format!(
            "{}/{}",
            path.trim_end_matches('/'),
            base(source.trim_end_matches('/'))
        ),
        _ => path,
    }
}

/// `cp [-afpr] SOURCE... DEST`
pub async fn cp(call: Call<'_>) -> Result {
    let parsed = call.options("afprRLvT", &[("recursive", 'r')])?;
    let deep = parsed.has('a') || parsed.has('r') || parsed.has('R');
    let Some((target, sources)) = parsed
        .operands
        .split_last()
        .filter(|(_, sources)| !sources.is_empty())
    else {
        return Err(Failure::Text("usage: cp SOURCE... DEST".to_owned()));
    };
    let mut failed = false;
    for source in sources {
        let from = call.shell.path(source);
        let to = destination(&call, source, target).await;
        let outcome = match call.files().stat(&from).await {
            Ok(found) if found.is_directory && !deep => {
                Err(io::Error::other(format!("omitting directory '{source}'")))
            }
            Ok(found) => copy(&call.files(), from, to, found.is_directory, 0).await,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            failed = true;
            call.complain(&format!("can't stat '{source}': {}", super::reason(&error)))
                .await?;
        }
    }
    Ok(code(failed))
}

fn copy(
    files: &Files,
    from: String,
    to: String,
    is_directory: bool,
    depth: u32,
) -> BoxFuture<'_, io::Result<()>> {
    Box::pin(async move {
        if depth > MAX_DEPTH || to.starts_with(&format!("{from}/")) || to == from {
            return Err(io::Error::other(
                "source and destination are the same, or one is inside the other",
            ));
        }
        if !is_directory {
            files.truncate(&to).await?;
            let mut offset = 0;
            loop {
                let piece = files.read_at(&from, offset, CHUNK_BYTES).await?;
                if piece.is_empty() {
                    return Ok(());
                }
                offset += piece.len() as u64;
                files.append(&to, piece).await?;
            }
        }
        if !files.stat(&to).await.is_ok_and(|found| found.is_directory) {
            files.create_directory(&to).await?;
        }
        for (name, found) in files.list(&from).await? {
            let (from, to) = (format!("{from}/{name}"), format!("{to}/{name}"));
            copy(files, from, to, found.is_directory, depth + 1).await?;
        }
        Ok(())
    })
}

/// `mv [-f] SOURCE... DEST`
pub async fn mv(call: Call<'_>) -> Result {
    let parsed = call.options("fnvT", &[])?;
    let Some((target, sources)) = parsed
        .operands
        .split_last()
        .filter(|(_, sources)| !sources.is_empty())
    else {
        return Err(Failure::Text("usage: mv SOURCE... DEST".to_owned()));
    };
    for source in sources {
        let from = call.shell.path(source);
        let to = destination(&call, source, target).await;
        let files = call.files();
        let outcome = match files.rename(&from, &to).await {
            // From one volume to another.
            Err(error) if error.kind() == ErrorKind::CrossesDevices => match files.stat(&from).await {
                Ok(found) => match copy(&files, from.clone(), to, found.is_directory, 0).await {
                    Ok(()) => remove(&files, from, found.is_directory, 0).await,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            },
            outcome => outcome,
        };
        outcome
            .map_err(|error| Failure::Text(format!("can't rename '{source}': {}", super::reason(&error))))?;
    }
    Ok(0)
}

/// `touch FILE...`
pub async fn touch(call: Call<'_>) -> Result {
    let parsed = call.options("cma", &[])?;
    for operand in &parsed.operands {
        let path = call.shell.path(operand);
        let files = call.files();
        match files.stat(&path).await {
            Ok(_) => {}
            Err(_) if parsed.has('c') => continue,
            Err(_) => {
                let made = files.truncate(&path).await;
                made.map_err(|error| call.about(operand, &error))?;
            }
        }
    }
    Ok(0)
}

/// `mktemp [-d]`
pub async fn mktemp(call: Call<'_>) -> Result {
    let parsed = call.options("dp:t", &[])?;
    let drawn = call.shell.world.invocation.surroundings.random.next_u64();
    let path = format!("/tmp/tmp.{:06x}", drawn & 0xff_ffff);
    match parsed.has('d') {
        true => call.files().create_directory(&path).await?,
        false => call.files().truncate(&path).await?,
    }
    call.print(path + "\n").await?;
    Ok(0)
}

/// `chmod`, `chown`: everything belongs to root and nothing is executed by its mode, so there is nothing to change.
pub async fn change_nothing(call: Call<'_>) -> Result {
    let mut missed = false;
    let operands = call
        .arguments
        .iter()
        .filter(|word| !word.starts_with('-'))
        .skip(1);
    for operand in operands {
        if let Err(error) = call.files().stat(&call.shell.path(operand)).await {
            missed = true;
            call.complain(&format!("{operand}: {}", super::reason(&error)))
                .await?;
        }
    }
    Ok(code(missed))
}
