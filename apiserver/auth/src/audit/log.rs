//! The file that audit events go to, one JSON object a line, turned over when it is full.
//!
//! Requests never wait for the disk: lines go through a bounded queue to one thread. When the queue is full, lines are
//! lost, counted, and the loss is logged.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use coracle_service::Spawn;

/// Lines that wait for the disk; further ones are lost.
const MAX_QUEUED: usize = 10_000;

/// Where the log goes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file; older ones stand beside it with `.1`, `.2` and so on at the end of the name.
    pub path: PathBuf,
    /// A file that would become larger is turned over first.
    pub max_bytes: u64,
    /// Older files that are kept.
    pub max_backups: u32,
}

/// Why the log cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{verb} audit log {}", path.display())]
pub struct Error {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// See the module.
pub struct Log {
    lines: SyncSender<String>,
    lost: AtomicU64,
}

impl Log {
    /// Opens the file and starts the thread that writes it; the thread ends when the log is dropped.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(settings: Settings, spawn: &Spawn) -> Result<Self, Error> {
        let path = settings.path.clone();
        let fail = |verb, source| Error { verb, path, source };
        let writer = match Writer::open(settings) {
            Ok(writer) => writer,
            Err(source) => return Err(fail("open", source)),
        };
        let (lines, queue) = sync_channel(MAX_QUEUED);
        if let Err(source) = spawn.thread("audit-log", move || writer.run(&queue)) {
            return Err(fail("start the thread of", source));
        }
        let lost = AtomicU64::new(0);
        Ok(Self { lines, lost })
    }

    /// Writes a line some time soon.
    pub fn write(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::error!(lost, "audit events lost: the disk is slower than the requests");
            }
        }
    }
}

struct Writer {
    settings: Settings,
    file: File,
    size_bytes: u64,
}

impl Writer {
    fn open(settings: Settings) -> io::Result<Self> {
        if let Some(parent) = settings.path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&settings.path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self {
            settings,
            file,
            size_bytes,
        })
    }

    fn run(mut self, queue: &Receiver<String>) {
        while let Ok(line) = queue.recv() {
            if let Err(error) = self.append(line) {
                tracing::error!(%error, path = %self.settings.path.display(), "write audit log");
            }
        }
    }

    fn append(&mut self, mut line: String) -> io::Result<()> {
        line.push('\n');
        let size_bytes = line.len() as u64;
        if self.size_bytes > 0 && self.size_bytes + size_bytes > self.settings.max_bytes {
            self.turn_over()?;
        }
        self.file.write_all(line.as_bytes())?;
        self.size_bytes += size_bytes;
        Ok(())
    }

    fn turn_over(&mut self) -> io::Result<()> {
        let backup = |number: u32| {
            let mut name = self.settings.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.settings.max_backups).rev() {
            if backup(number).exists() {
                fs::rename(backup(number), backup(number + 1))?;
            }
        }
        if self.settings.max_backups > 0 {
            fs::rename(&self.settings.path, backup(1))?;
        } else {
            fs::remove_file(&self.settings.path)?;
        }
        *self = Self::open(self.settings.clone())?;
        Ok(())
    }
}

#[cfg(test)]
pub(super) fn append_all(settings: Settings, lines: &[&str]) {
    let mut writer = Writer::open(settings).unwrap();
    for line in lines {
        writer.append((*line).to_owned()).unwrap();
    }
}
