//! `tar`, as far as `kubectl cp` and people need it: create, extract and list, from files and streams, in the ustar
//! format with GNU's and pax's long names.

use std::io;

use super::{Call, Failure, Parsed, Result, code, files::make_all};
use crate::{
    runtime::programs::sh::stream::{CHUNK_BYTES, Sink, Source},
    volumes::Stat,
};

/// The unit of the format.
const BLOCK: usize = 512;
/// The longest name, in bytes.
const MAX_NAME_BYTES: u64 = 4 << 10;
/// Entries that one archive may hold.
const MAX_ENTRIES: usize = 200_000;

/// `tar c|x|t [-vmOpz] [-f FILE] [-C DIR] [PATH]...`
pub async fn tar(call: Call<'_>) -> Result {
    let mut arguments = call.arguments.to_vec();
    // The old form has no dash.
    if let Some(first) = arguments.first_mut().filter(|first| !first.starts_with('-')) {
        first.insert(0, '-');
    }
    let long = [
        ("no-same-owner", 'o'),
        ("no-same-permissions", 'o'),
        ("directory", 'C'),
        ("file", 'f'),
        ("warning", 'W'),
    ];
    let parsed = Parsed::of(&arguments, "cxtvmOpof:C:W:", &long)?;
    let base = call.shell.path(parsed.value('C').unwrap_or("."));
    let file = parsed.value('f').unwrap_or("-").to_owned();
    if parsed.has('c') {
        let sink = match file.as_str() {
            "-" => call.streams.output.clone(),
            file => call
                .shell
                .create(file, true, call.streams)
                .await
                .map_err(|error| Failure::Text(format!("can't open '{file}': {error}")))?,
        };
        return create(&call, &parsed, &base, &sink).await;
    }
    let source = match file.as_str() {
        "-" => call.streams.input.clone(),
        file => call
            .shell
            .open(file, call.streams)
            .await
            .map_err(|error| Failure::Text(format!("can't open '{file}': {error}")))?,
    };
    extract(&call, &parsed, &base, source).await
}

fn inside(base: &str, path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}/{path}", base.trim_end_matches('/'))
    }
}

async fn create(call: &Call<'_>, parsed: &Parsed, base: &str, sink: &Sink) -> Result {
    let mut missed = false;
    for operand in &parsed.operands {
        let root = call.shell.path(&inside(base, operand));
        let name = operand.trim_start_matches('/').to_owned();
        if operand.starts_with('/') {
            call.streams
                .errors
                .write(b"tar: removing leading '/' from member names\n")
                .await?;
        }
        let found = match call.files().stat(&root).await {
            Ok(found) => found,
            Err(error) => {
                missed = true;
                call.complain(&format!("{operand}: {}", super::reason(&error)))
                    .await?;
                continue;
            }
        };
        let mut waiting = vec![(root, name, found)];
        let mut packed = 0;
        while let Some((path, name, found)) = waiting.pop() {
            packed += 1;
            if packed > MAX_ENTRIES {
                return Err(Failure::Text("there are too many files".to_owned()));
            }
            if parsed.has('v') {
                call.streams.errors.write(format!("{name}\n").as_bytes()).await?;
            }
            pack(call, sink, &path, &name, &found).await?;
            if found.is_directory {
                let mut entries = call.files().list(&path).await?;
                entries.sort_by(|a, b| b.0.cmp(&a.0));
                for (entry, found) in entries {
                    let path = format!("{}/{entry}", path.trim_end_matches('/'));
                    waiting.push((path, format!("{}/{entry}", name.trim_end_matches('/')), found));
                }
            }
        }
    }
    sink.write(&[0; 2 * BLOCK]).await?;
    Ok(code(missed))
}

async fn pack(call: &Call<'_>, sink: &Sink, path: &str, name: &str, found: &Stat) -> Result<()> {
    let name = if found.is_directory {
        format!("{}/", name.trim_end_matches('/'))
    } else {
        name.to_owned()
    };
    if name.len() > 100 {
        sink.write(&header("././@LongLink", name.len() as u64 + 1, b'L', 0o644, 0))
            .await?;
        let mut text = name.clone().into_bytes();
        text.push(0);
        text.resize(text.len().next_multiple_of(BLOCK), 0);
        sink.write(&text).await?;
    }
    let (size, kind) = if found.is_directory {
        (0, b'5')
    } else {
        (found.size_bytes, b'0')
    };
    let seconds = u64::try_from(found.modified_ns / 1_000_000_000).unwrap_or(0);
    sink.write(&header(&name, size, kind, found.mode & 0o777, seconds))
        .await?;
    let mut written = 0;
    while written < size {
        let piece = call.files().read_at(path, written, CHUNK_BYTES).await?;
        // A file that became shorter meanwhile is filled up, so that the archive stays whole.
        let mut piece = if piece.is_empty() {
            vec![0; CHUNK_BYTES]
        } else {
            piece
        };
        piece.truncate(
            usize::try_from(size - written)
                .unwrap_or(piece.len())
                .min(piece.len()),
        );
        sink.write(&piece).await?;
        written += piece.len() as u64;
    }
    let odd = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if odd > 0 {
        sink.write(&vec![0; BLOCK - odd]).await?;
    }
    Ok(())
}

fn header(name: &str, size: u64, kind: u8, mode: u32, seconds: u64) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name.as_bytes()[..name.len().min(100)]);
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", size.min(0o77_777_777_777)).as_bytes());
    put(
        136,
        format!("{:011o}\0", seconds.min(0o77_777_777_777)).as_bytes(),
    );
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    put(265, b"root");
    put(297, b"root");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// An entry's head.
struct Entry {
    name: String,
    size: u64,
    kind: u8,
}

async fn extract(call: &Call<'_>, parsed: &Parsed, base: &str, source: Source) -> Result {
    let mut reader = Reader { source, long: None };
    let mut failed = false;
    for _ in 0..MAX_ENTRIES {
        let Some(entry) = reader.next().await? else {
            // What follows the end is read, so that whoever writes it is not cut off.
            while !reader.source.read(CHUNK_BYTES).await?.is_empty() {}
            return Ok(code(failed));
        };
        let chosen = parsed.operands.is_empty()
            || parsed.operands.iter().any(|operand| {
                let operand = operand.trim_start_matches('/').trim_end_matches('/');
                entry.name.trim_end_matches('/') == operand || entry.name.starts_with(&format!("{operand}/"))
            });
        if chosen && (parsed.has('t') || parsed.has('v')) {
            let sink = if parsed.has('t') {
                &call.streams.output
            } else {
                &call.streams.errors
            };
            sink.write(format!("{}\n", entry.name).as_bytes()).await?;
        }
        if !chosen || parsed.has('t') {
            reader.pass(entry.size, &Sink::Null).await?;
        } else if entry.name.split('/').any(|part| part == "..") {
            failed = true;
            call.complain(&format!("{}: it leads out of the archive's folder", entry.name))
                .await?;
            reader.pass(entry.size, &Sink::Null).await?;
        } else if parsed.has('O') {
            reader.pass(entry.size, &call.streams.output).await?;
        } else {
            failed |= !unpack(call, &mut reader, &entry, base).await?;
        }
    }
    Err(Failure::Text("there are too many files".to_owned()))
}

/// Writes one entry; false where it could not be had, which was said.
async fn unpack(call: &Call<'_>, reader: &mut Reader, entry: &Entry, base: &str) -> Result<bool> {
    let files = call.files();
    let path = call.shell.path(&inside(base, entry.name.trim_start_matches('/')));
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let made = async {
        match entry.kind {
            b'5' => make_all(&files, &path).await,
            b'0' | 0 | b'7' => {
                make_all(&files, folder).await?;
                files.truncate(&path).await
            }
            _ => Err(io::Error::other("links and devices are not supported")),
        }
    };
    match made.await {
        Ok(()) if entry.kind != b'5' => {
            let sink = Sink::File(files, path.as_str().into());
            reader.pass(entry.size, &sink).await?;
        }
        Ok(()) => reader.pass(entry.size, &Sink::Null).await?,
        Err(error) => {
            call.complain(&format!("{}: {}", entry.name, super::reason(&error)))
                .await?;
            reader.pass(entry.size, &Sink::Null).await?;
            return Ok(false);
        }
    }
    Ok(true)
}

struct Reader {
    source: Source,
    /// The name of the next entry, which was too long for its head.
    long: Option<String>,
}

impl Reader {
    async fn block(&mut self) -> Result<Option<Vec<u8>>> {
        let mut block = Vec::with_capacity(BLOCK);
        while block.len() < BLOCK {
            let piece = self.source.read(BLOCK - block.len()).await?;
            if piece.is_empty() {
                return match block.is_empty() {
                    true => Ok(None),
                    false => Err(Failure::Text("short read".to_owned())),
                };
            }
            block.extend_from_slice(&piece);
        }
        Ok(Some(block))
    }

    async fn next(&mut self) -> Result<Option<Entry>> {
        loop {
            let Some(block) = self.block().await? else {
                return Ok(None);
            };
            if block.iter().all(|&byte| byte == 0) {
                return Ok(None);
            }
            let sum: u32 = block
                .iter()
                .enumerate()
                .map(|(at, &byte)| {
                    if (148..156).contains(&at) {
                        32
                    } else {
                        u32::from(byte)
                    }
                })
                .sum();
            let octal =
                |range: std::ops::Range<usize>| u64::from_str_radix(text(&block[range]).trim(), 8).ok();
            let size = octal(124..136).filter(|_| octal(148..156) == Some(u64::from(sum)));
            let Some(size) = size else {
                return Err(Failure::Text("invalid tar header".to_owned()));
            };
            let kind = block[156];
            match kind {
                b'L' => {
                    self.long = Some(text(&self.contents(size).await?));
                    continue;
                }
                b'x' => {
                    let records = self.contents(size).await?;
                    self.long = pax_path(&String::from_utf8_lossy(&records)).or(self.long.take());
                    continue;
                }
                b'g' | b'K' => {
                    self.pass(size, &Sink::Null).await?;
                    continue;
                }
                _ => {}
            }
            let prefix = if &block[257..262] == b"ustar" {
                text(&block[345..500])
            } else {
                String::new()
            };
            let short = text(&block[..100]);
            let short = if prefix.is_empty() {
                short
            } else {
                format!("{prefix}/{short}")
            };
            let name = self.long.take().unwrap_or(short);
            return Ok(Some(Entry { name, size, kind }));
        }
    }

    async fn contents(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > MAX_NAME_BYTES {
            return Err(Failure::Text("a name is too long".to_owned()));
        }
        let mut contents = Vec::new();
        while (contents.len() as u64) < size {
            let Some(block) = self.block().await? else {
                return Err(Failure::Text("short read".to_owned()));
            };
            contents.extend(block);
        }
        contents.truncate(usize::try_from(size).unwrap_or(0));
        Ok(contents)
    }

    /// Hands on the contents of an entry, and passes over what fills its last block.
    async fn pass(&mut self, size: u64, sink: &Sink) -> Result<()> {
        let whole = size.next_multiple_of(BLOCK as u64);
        let mut read = 0;
        while read < whole {
            let wanted = usize::try_from(whole - read)
                .unwrap_or(CHUNK_BYTES)
                .min(CHUNK_BYTES);
            let piece = self.source.read(wanted).await?;
            if piece.is_empty() {
                return Err(Failure::Text("short read".to_owned()));
            }
            let kept = usize::try_from(size.saturating_sub(read))
                .unwrap_or(piece.len())
                .min(piece.len());
            sink.write(&piece[..kept]).await?;
            read += piece.len() as u64;
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// The path of a pax header: records of `LENGTH KEY=VALUE\n`.
fn pax_path(records: &str) -> Option<String> {
    records
        .lines()
        .find_map(|record| record.split_once(' ')?.1.strip_prefix("path=").map(str::to_owned))
}
