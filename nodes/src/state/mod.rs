//! What a node remembers of its pods when its process dies: addresses, restart counts and how containers ended.
//!
//! One file of JSON lines, the last line of a pod counting, appended to once per round of work, so that a thousand
//! new pods cost a few writes. A line cut short by a crash is passed over. The file is written anew (aside, synced,
//! renamed) at start and whenever dead lines outnumber the living [`COMPACT_FACTOR`] to one.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The file's name below the data directory.
const FILE: &str = "pods.jsonl";
/// The first line: what the file is and in which version.
const HEADER: &str = r#"{"format":"coracle-node-pods","version":1}"#;
/// Lines per living pod at which the file is written anew.
const COMPACT_FACTOR: usize = 4;
/// Below this many lines it never is.
const COMPACT_MIN_LINES: usize = 4_096;

/// What is remembered of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodRecord {
    /// metadata.uid
    pub uid: Arc<str>,
    /// The node that it runs on.
    pub node: Box<str>,
    /// Its address.
    pub ip: Ipv4Addr,
    /// When the node took it on.
    pub started_at: Timestamp,
    /// All containers have ended for good.
    pub finished: bool,
    /// Init containers, then the others.
    pub containers: Vec<ContainerRecord>,
}

/// What is remembered of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRecord {
    /// `restartCount`
    pub instance: u32,
    /// When its instance started, where it was running.
    pub running_since: Option<Timestamp>,
    /// Code, start and end of its last instance that ended.
    pub ended: Option<(i32, Timestamp, Timestamp)>,
}

#[derive(Serialize, Deserialize)]
enum Line {
    #[serde(rename = "pod")]
    Pod(PodRecord),
    #[serde(rename = "gone")]
    Gone(Arc<str>),
}

/// The file.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Lines in the file since it was written anew.
    lines: usize,
    live: BTreeMap<Arc<str>, PodRecord>,
    pending: Vec<u8>,
}

impl Journal {
    /// Opens the file below `data_dir`, making both where they are missing.
    ///
    /// # Errors
    /// The system's, or [`io::ErrorKind::InvalidData`] for a file that is not ours or of a newer version.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(data_dir)?;
        let path = data_dir.join(FILE);
        let live = match fs::read(&path) {
            Ok(contents) => replay(&contents)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let file = write_anew(&path, &live)?;
        Ok(Self {
            path,
            file,
            lines: live.len(),
            live,
            pending: Vec::new(),
        })
    }

    /// What is remembered of a pod.
    #[must_use]
    pub fn get(&self, uid: &str) -> Option<&PodRecord> {
        self.live.get(uid)
    }

    /// Every remembered pod.
    pub fn uids(&self) -> impl Iterator<Item = &Arc<str>> {
        self.live.keys()
    }

    /// Remembers a pod, from the next [`Journal::flush`] on.
    pub fn put(&mut self, record: PodRecord) {
        self.push(&Line::Pod(record.clone()));
        self.live.insert(Arc::clone(&record.uid), record);
    }

    /// Forgets a pod, from the next [`Journal::flush`] on.
    pub fn remove(&mut self, uid: &str) {
        if let Some(record) = self.live.remove(uid) {
            self.push(&Line::Gone(record.uid));
        }
    }

    fn push(&mut self, line: &Line) {
        append(&mut self.pending, line);
        self.lines += 1;
    }

    /// Writes what is pending. It outlives the process from here on; the machine's own crash it may not.
    ///
    /// # Errors
    /// The system's; what is pending stays so.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.lines > COMPACT_MIN_LINES.max(self.live.len() * COMPACT_FACTOR) {
            self.file = write_anew(&self.path, &self.live)?;
            self.lines = self.live.len();
        } else {
            self.file.write_all(&self.pending)?;
        }
        self.pending.clear();
        Ok(())
    }
}

fn replay(contents: &[u8]) -> io::Result<BTreeMap<Arc<str>, PodRecord>> {
    let mut lines = contents.split_inclusive(|&byte| byte == b'\n');
    let header = lines.next().unwrap_or_default();
    if !header.is_empty() && header.trim_ascii_end() != HEADER.as_bytes() {
        let message = "the file is not a node's record of its pods, or of a newer version";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut live = BTreeMap::new();
    for line in lines {
        match serde_json::from_slice(line) {
            Ok(Line::Pod(record)) => {
                live.insert(Arc::clone(&record.uid), record);
            }
            Ok(Line::Gone(uid)) => {
                live.remove(&uid);
            }
            // A line that was cut short may be followed by whole ones: the process went on after a full disk.
            Err(error) => tracing::warn!(%error, "pass over a broken line in the record of pods"),
        }
    }
    Ok(live)
}

fn write_anew(path: &Path, live: &BTreeMap<Arc<str>, PodRecord>) -> io::Result<File> {
    let mut contents = format!("{HEADER}\n").into_bytes();
    for record in live.values() {
        append(&mut contents, &Line::Pod(record.clone()));
    }
    let aside = path.with_extension("tmp");
    let mut file = File::create(&aside)?;
    file.write_all(&contents)?;
    file.sync_data()?;
    fs::rename(&aside, path)?;
    OpenOptions::new().append(true).open(path)
}

fn append(buffer: &mut Vec<u8>, line: &Line) {
    if let Err(error) = serde_json::to_writer(&mut *buffer, line) {
        unreachable!("a record has only texts and numbers: {error}");
    }
    buffer.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    fn record(uid: &str, last: u8) -> PodRecord {
        PodRecord {
            uid: uid.into(),
            node: "node-1".into(),
            ip: Ipv4Addr::new(127, 64, 0, last),
            started_at: Timestamp::UNIX_EPOCH,
            finished: false,
            containers: vec![ContainerRecord {
                instance: u32::from(last),
                ..ContainerRecord::default()
            }],
        }
    }

    #[test]
    fn the_last_line_of_a_pod_counts() {
        let scratch = Scratch::new();
        let mut journal = Journal::open(scratch.path()).expect("open");
        for record in [record("a", 1), record("b", 2), record("a", 3), record("c", 4)] {
            journal.put(record);
        }
        journal.remove("b");
        journal.flush().expect("flush");
        drop(journal);
        let journal = Journal::open(scratch.path()).expect("open again");
        assert_eq!(journal.uids().map(|uid| &**uid).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(journal.get("a"), Some(&record("a", 3)));
    }

    #[test]
    fn a_torn_line_costs_that_line_alone() {
        let scratch = Scratch::new();
        let mut journal = Journal::open(scratch.path()).expect("open");
        journal.put(record("a", 1));
        journal.put(record("b", 2));
        journal.flush().expect("flush");
        let path = scratch.path().join(FILE);
        let contents = fs::read(&path).expect("read");
        fs::write(&path, &contents[..contents.len() - 10]).expect("cut");
        assert_eq!(
            Journal::open(scratch.path()).expect("open again").uids().count(),
            1
        );
    }

    #[test]
    fn a_strange_file_is_refused_and_left_alone() {
        let scratch = Scratch::new();
        let path = scratch.path().join(FILE);
        fs::write(&path, "{\"format\":\"coracle-node-pods\",\"version\":2}\n").expect("write");
        let refused = Journal::open(scratch.path()).err().map(|error| error.kind());
        assert_eq!(refused, Some(io::ErrorKind::InvalidData));
        assert!(fs::read(&path).expect("read").ends_with(b"2}\n"));
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let scratch = Scratch::new();
        let mut journal = Journal::open(scratch.path()).expect("open");
        for round in 0..COMPACT_MIN_LINES * 3 {
            journal.put(record("a", (round % 200) as u8));
            journal.flush().expect("flush");
        }
        let length = fs::metadata(scratch.path().join(FILE)).expect("metadata").len();
        assert!(length < 1 << 20, "{length}");
        drop(journal);
        assert_eq!(
            Journal::open(scratch.path()).expect("open again").uids().count(),
            1
        );
    }
}
