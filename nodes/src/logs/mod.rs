//! Container logs: a file per container instance below the data directory, in the format that container runtimes
//! write, so that it can be read with ordinary tools.
//!
//! Promises: a line that was written is read by whoever asks next; a container keeps at most [`MAX_BYTES`] in two
//! files, and the log of one earlier instance; logs survive the process. At most [`MAX_OPEN`] files are held open.
//! Reading, selecting and following is [`reader`]'s.

pub mod reader;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What one container instance keeps, in two files.
pub const MAX_BYTES: u64 = 10 << 20;
/// The longest line; the rest of it is cut off.
pub const MAX_LINE_BYTES: usize = 16 << 10;
/// Log files that are open for writing at a time; the one opened longest ago is closed for the next.
pub const MAX_OPEN: usize = 512;

/// The logs of a process's containers.
pub struct Logs {
    root: PathBuf,
    max_bytes: u64,
    open: Mutex<VecDeque<Weak<Log>>>,
}

impl Logs {
    /// Logs below `root`, a folder per pod UID.
    #[must_use]
    pub fn new(root: &Path) -> Arc<Self> {
        Self::with_limit(root, MAX_BYTES)
    }

    fn with_limit(root: &Path, max_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            root: root.to_owned(),
            max_bytes,
            open: Mutex::new(VecDeque::new()),
        })
    }

    /// The log of one container instance; nothing is made on disk before the first line.
    #[must_use]
    pub fn log(self: &Arc<Self>, uid: &Arc<str>, container: &str, instance: u32) -> Arc<Log> {
        Arc::new(Log {
            logs: Arc::clone(self),
            uid: Arc::clone(uid),
            container: container.into(),
            instance,
            state: Mutex::new(State::default()),
            changed: Notify::new(),
            ended: AtomicBool::new(false),
        })
    }

    fn directory(&self, uid: &str, container: &str) -> PathBuf {
        self.root.join(uid).join("logs").join(container)
    }

    /// Notes that `log` opened its file, and closes the one that was opened longest ago where there are too many.
    fn opened(&self, log: &Arc<Log>) {
        let oldest = {
            let mut open = self.open.lock();
            open.push_back(Arc::downgrade(log));
            if open.len() > MAX_OPEN {
                open.pop_front()
            } else {
                None
            }
        };
        if let Some(oldest) = oldest.and_then(|oldest| oldest.upgrade())
            && !Arc::ptr_eq(&oldest, log)
        {
            oldest.state.lock().file = None;
        }
    }
}

/// The log of one container instance.
pub struct Log {
    logs: Arc<Logs>,
    uid: Arc<str>,
    container: Box<str>,
    instance: u32,
    state: Mutex<State>,
    changed: Notify,
    ended: AtomicBool,
}

#[derive(Default)]
struct State {
    file: Option<File>,
    /// Bytes in the newer file.
    size_bytes: u64,
    /// How often the newer file became the older one, in this process.
    rotations: u64,
    /// A write failed, which was said once.
    failed: bool,
}

impl Log {
    /// Appends a line, or several where `text` holds several. A disk that is full loses lines, not the container.
    pub fn write(self: &Arc<Self>, now: Timestamp, text: &str) {
        let mut entry = Vec::with_capacity(text.len() + 48);
        for line in text.lines() {
            let end = (0..=line.len().min(MAX_LINE_BYTES))
                .rev()
                .find(|&at| line.is_char_boundary(at));
            // Writing to a Vec cannot fail.
            let _ = writeln!(entry, "{now:.9} stdout F {}", &line[..end.unwrap_or_default()]);
        }
        let outcome = self.append(&entry);
        self.changed.notify_waiters();
        if let Err(error) = outcome
            && !std::mem::replace(&mut self.state.lock().failed, true)
        {
            tracing::warn!(%error, uid = &*self.uid, container = &*self.container, "write container log");
        }
    }

    /// The container has ended: those who follow the log are done.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.state.lock().file = None;
        self.changed.notify_waiters();
    }

    fn append(self: &Arc<Self>, entry: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        let mut newly_open = false;
        if state.file.is_none() {
            let file = self.open()?;
            state.size_bytes = file.metadata()?.len();
            state.file = Some(file);
            newly_open = true;
        }
        if state.size_bytes > 0 && state.size_bytes + entry.len() as u64 > self.logs.max_bytes / 2 {
            fs::rename(self.path(), self.older_path())?;
            state.file = Some(self.open()?);
            state.size_bytes = 0;
            state.rotations += 1;
        }
        if let Some(file) = &mut state.file {
            file.write_all(entry)?;
            state.size_bytes += entry.len() as u64;
        }
        drop(state);
        if newly_open {
            self.logs.opened(self);
        }
        Ok(())
    }

    fn open(&self) -> io::Result<File> {
        let path = self.path();
        let open = || OpenOptions::new().append(true).create(true).open(&path);
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(self.logs.directory(&self.uid, &self.container))?;
                open()
            }
            outcome => {
                self.forget_earlier();
                outcome
            }
        }
    }

    /// Removes the log of the instance before the previous one.
    fn forget_earlier(&self) {
        let Some(instance) = self.instance.checked_sub(2) else {
            return;
        };
        let directory = self.logs.directory(&self.uid, &self.container);
        for path in [file_path(&directory, instance), older_path(&directory, instance)] {
            let _ = fs::remove_file(path);
        }
    }

    fn path(&self) -> PathBuf {
        file_path(&self.logs.directory(&self.uid, &self.container), self.instance)
    }

    fn older_path(&self) -> PathBuf {
        older_path(&self.logs.directory(&self.uid, &self.container), self.instance)
    }
}

fn file_path(directory: &Path, instance: u32) -> PathBuf {
    directory.join(format!("{instance}.log"))
}

fn older_path(directory: &Path, instance: u32) -> PathBuf {
    directory.join(format!("{instance}.log.1"))
}
