//! A file system in memory whose power can be cut, whose disk can fill up and whose syncs can fail.
//!
//! It is as unkind as the documentation allows: of what was not synced, any prefix of a file's bytes may
//! survive, with holes in the last of it; names that were not synced may be lost; a failed sync drops the
//! bytes for good while later syncs claim success. Deterministic for a seed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{AppendFile, FileSystem, LockGuard};

const SECTOR: usize = 512;

/// What happens at the operation that [`SimulatedFiles::fail_at`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power goes during the operation; every later one fails until [`SimulatedFiles::power_cut`].
    PowerLoss,
    /// If the operation is a sync, it fails and the bytes it should have made durable never will be.
    SyncFails,
}

/// Files in memory. Clones share one disk.
#[derive(Clone, Default)]
pub struct SimulatedFiles {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Default)]
struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    unsynced_names: Vec<NameChange>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    dead: bool,
    capacity: Option<u64>,
    lock: Option<Arc<()>>,
    skip_syncs: bool,
}

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    sync_failed: bool,
}

enum NameChange {
    Link(PathBuf, usize),
    Unlink(PathBuf),
}

impl NameChange {
    fn path(&self) -> &Path {
        match self {
            NameChange::Link(path, _) | NameChange::Unlink(path) => path,
        }
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            NameChange::Link(path, file) => names.insert(path, file),
            NameChange::Unlink(path) => names.remove(&path),
        };
    }
}

impl SimulatedFiles {
    /// Operations that change something, since the beginning. Each is a place where the power can go.
    pub fn operations(&self) -> u64 {
        self.disk.lock().operations
    }

    /// Plans a fault for the operation with this number.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.disk.lock().fault = Some((operation, fault));
    }

    /// Limits the disk's size; `None` gives the space back.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.disk.lock().capacity = bytes;
    }

    /// Bytes in files now.
    pub fn used_bytes(&self) -> u64 {
        self.disk.lock().used()
    }

    /// A planted bug for tests of tests: syncs of files return without doing anything.
    pub fn skip_syncs(&self, skip: bool) {
        self.disk.lock().skip_syncs = skip;
    }

    /// The power is cut and comes back: what was not synced is lost in part, as the seed decides. Locks are
    /// released. Files that were open before must not be used any more.
    pub fn power_cut(&self, seed: u64) {
        let mut random = Random(seed);
        let mut disk = self.disk.lock();
        let disk = &mut *disk;
        let survive = random.below(disk.unsynced_names.len() + 1);
        for change in disk.unsynced_names.drain(..).take(survive) {
            change.apply(&mut disk.durable_names);
        }
        disk.names = disk.durable_names.clone();
        for file in &mut disk.files {
            file.lose_unsynced(&mut random);
        }
        disk.fault = None;
        disk.dead = false;
        disk.lock = None;
    }

    /// Changes the bytes of a file on disk, as decay or a stray program would.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.disk.lock();
        if let Some(place) = disk.names.get(path).copied() {
            let file = &mut disk.files[place];
            change(&mut file.bytes);
            file.durable = file.bytes.clone();
        }
    }
}

impl Disk {
    fn used(&self) -> u64 {
        self.names
            .values()
            .map(|place| self.files[*place].bytes.len() as u64)
            .sum()
    }

    /// Counts an operation. `Err` when the power is off, `Ok(Some(fault))` when something happens at it.
    fn operation(&mut self) -> io::Result<Option<Fault>> {
        self.alive()?;
        self.operations += 1;
        let planned = self
            .fault
            .filter(|(at, _)| *at == self.operations)
            .map(|(_, fault)| fault);
        self.dead = planned == Some(Fault::PowerLoss);
        Ok(planned)
    }

    /// An operation that happens as a whole or, when the power goes, not at all.
    fn whole_operation(&mut self) -> io::Result<()> {
        self.operation()?;
        self.alive()
    }

    fn alive(&self) -> io::Result<()> {
        if self.dead {
            Err(io::Error::other("the power is off"))
        } else {
            Ok(())
        }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change_name(&mut self, change: NameChange) {
        match &change {
            NameChange::Link(path, file) => self.names.insert(path.clone(), *file),
            NameChange::Unlink(path) => self.names.remove(path),
        };
        self.unsynced_names.push(change);
    }

    fn append(&mut self, place: usize, bytes: &[u8]) -> io::Result<()> {
        let fault = self.operation()?;
        let free = self
            .capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()));
        let room = usize::try_from(free).unwrap_or(usize::MAX);
        let file = &mut self.files[place];
        if fault == Some(Fault::PowerLoss) {
            file.bytes.extend_from_slice(&bytes[..bytes.len() / 2]);
            return self.alive();
        }
        file.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if room < bytes.len() {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn sync(&mut self, place: usize) -> io::Result<()> {
        let fault = self.operation()?;
        self.alive()?;
        let skip = self.skip_syncs;
        let file = &mut self.files[place];
        if fault == Some(Fault::SyncFails) {
            file.sync_failed = true;
            return Err(io::Error::other("the disk did not take the bytes"));
        }
        if !file.sync_failed && !skip {
            file.durable = file.bytes.clone();
        }
        Ok(())
    }

    fn truncate(&mut self, place: usize, len: u64) -> io::Result<()> {
        self.whole_operation()?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let file = &mut self.files[place];
        file.bytes.truncate(len);
        file.durable = file.bytes.clone();
        Ok(())
    }
}

impl File {
    fn lose_unsynced(&mut self, random: &mut Random) {
        if self.bytes.starts_with(&self.durable) {
            let start = self.durable.len();
            let kept = start + random.below(self.bytes.len() - start + 1);
            self.bytes.truncate(kept);
            // Sectors of the last write arrive in any order: some that did arrive stand after holes.
            for sector in self.bytes[start..].chunks_mut(SECTOR) {
                if random.below(4) == 0 {
                    sector.fill(0);
                }
            }
        } else if random.below(2) == 0 {
            self.bytes = self.durable.clone();
        }
        self.durable = self.bytes.clone();
        self.sync_failed = false;
    }
}

impl FileSystem for SimulatedFiles {
    fn create_dirs(&self, _dir: &Path) -> io::Result<()> {
        self.disk.lock().alive()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.disk.lock();
        disk.alive()?;
        let inside = disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let mut disk = self.disk.lock();
        disk.whole_operation()?;
        disk.files.push(File::default());
        let place = disk.files.len() - 1;
        disk.change_name(NameChange::Link(path.to_owned(), place));
        Ok(Box::new(OpenFile {
            disk: self.disk.clone(),
            place,
        }))
    }

    fn reader(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        let disk = self.disk.lock();
        disk.alive()?;
        let place = disk.find(path)?;
        Ok(Box::new(io::Cursor::new(disk.files[place].bytes.clone())))
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let place = disk.find(path)?;
        disk.truncate(place, len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.whole_operation()?;
        let place = disk.find(from)?;
        // Both names change in one step of the file system's own journal; the new one comes first here, so
        // that no prefix of the changes loses the file.
        disk.change_name(NameChange::Link(to.to_owned(), place));
        disk.change_name(NameChange::Unlink(from.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.whole_operation()?;
        disk.find(path)?;
        disk.change_name(NameChange::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.whole_operation()?;
        let disk = &mut *disk;
        let changes = std::mem::take(&mut disk.unsynced_names);
        for change in changes {
            if change.path().parent() == Some(dir) {
                change.apply(&mut disk.durable_names);
            } else {
                disk.unsynced_names.push(change);
            }
        }
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<LockGuard>> {
        let mut disk = self.disk.lock();
        disk.alive()?;
        if disk.lock.as_ref().is_some_and(|held| Arc::strong_count(held) > 1) {
            return Ok(None);
        }
        let held = Arc::new(());
        disk.lock = Some(held.clone());
        Ok(Some(Box::new(held)))
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        let disk = self.disk.lock();
        disk.alive()?;
        Ok(disk
            .capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(disk.used())))
    }
}

struct OpenFile {
    disk: Arc<Mutex<Disk>>,
    place: usize,
}

impl AppendFile for OpenFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.lock().append(self.place, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.lock().sync(self.place)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.disk.lock().truncate(self.place, len)
    }
}

/// SplitMix64: small, seeded, good enough to choose what a power cut spares.
pub(crate) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        crate::base::mix(self.0)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}
