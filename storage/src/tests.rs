//! Tests of the service as a whole: the file layer against a model and against an administrator's hand, and the
//! served process with restarts.

mod concurrency;
mod durability;
mod files;
mod handles;
mod model;
mod process;

use std::{path::Path, sync::Arc};

use tempfile::TempDir;

use crate::{
    Error, Exports, Limits,
    export::{CreateMode, Export, WriteStability},
    handles::FileId,
    name::{ExportPath, Name},
};

/// A data directory with one export, `data`, that can be closed and opened again.
struct Disk {
    directory: TempDir,
    limits: Limits,
    exports: Option<Exports>,
}

impl Disk {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut disk = Self {
            directory,
            limits,
            exports: None,
        };
        disk.restart();
        disk.root();
        disk
    }

    /// Ends the server, if one runs, and starts another on the same files.
    fn restart(&mut self) {
        self.exports = None;
        self.exports = Some(Exports::open(self.directory.path(), self.limits, |key| key.fill(1)).unwrap());
    }

    fn exports(&self) -> &Exports {
        self.exports.as_ref().unwrap()
    }

    fn export(&self) -> Arc<Export> {
        self.exports()
            .mount(&ExportPath::parse("/data").unwrap(), true)
            .unwrap()
            .0
    }

    fn root(&self) -> FileId {
        self.export().id()
    }

    /// The export as an administrator sees it.
    fn path(&self) -> std::path::PathBuf {
        Path::join(self.directory.path(), "exports/data")
    }

    fn make(&self, directory: FileId, file: &str) -> FileId {
        self.export()
            .create(directory, &name(file), CreateMode::Guarded, 0o644)
            .unwrap()
            .id
    }

    fn make_directory(&self, parent: FileId, directory: &str) -> FileId {
        self.export()
            .make_directory(parent, &name(directory), 0o755)
            .unwrap()
            .id
    }

    fn write(&self, file: FileId, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.export()
            .write(file, offset, data, WriteStability::Unstable)
            .map(|_| ())
    }

    fn read(&self, file: FileId) -> Result<Vec<u8>, Error> {
        Ok(self.export().read(file, 0, usize::MAX)?.data)
    }

    fn names(&self, directory: FileId) -> Vec<String> {
        let mut names: Vec<_> = self
            .export()
            .list(directory, 0, 0)
            .unwrap()
            .entries
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        names.sort();
        names
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The reason of a failure, which must be one.
#[track_caller]
fn reason<T>(outcome: Result<T, Error>) -> &'static str {
    match outcome {
        Ok(_) => panic!("a failure was expected"),
        Err(error) => error.reason(),
    }
}
