//! Many callers on one export: nothing deadlocks, no acknowledged name is lost, and the map agrees with the disk.

use std::{collections::BTreeSet, thread};

use coracle_service::Random;

use super::{Disk, name};
use crate::{
    Error,
    export::{CreateMode, WriteStability},
    handles::FileId,
};

const CALLERS: u64 = 4;
const STEPS: u64 = 60;

/// Each caller has files of its own, in directories that all of them move about.
fn work(disk: &Disk, directories: &[FileId], caller: u64) -> Result<BTreeSet<FileId>, Error> {
    let (random, export) = (Random::seeded(caller), disk.export());
    let mut files = Vec::<(FileId, usize, String)>::new();
    for step in 0..STEPS {
        let to = random.below(directories.len() as u64) as usize;
        let label = format!("{caller}-{step}");
        let chosen = random.below(files.len().max(1) as u64) as usize;
        match (random.below(6), files.get(chosen).cloned()) {
            (0, Some((file, from, old))) => {
                export.rename(directories[from], &name(&old), directories[to], &name(&label))?;
                files[chosen] = (file, to, label);
            }
            (1, Some((_, from, old))) => {
                export.remove(directories[from], &name(&old), false)?;
                files.swap_remove(chosen);
            }
            (2 | 3, Some((file, ..))) => {
                export.write(file, random.below(100), &[1; 50], WriteStability::Unstable)?;
                export.read(file, 0, 1000)?;
                export.commit(file)?;
            }
            (4, _) => {
                let listed = export.list(directories[to], 0, 0)?.entries;
                let expected = files.iter().filter(|(_, from, _)| *from == to);
                for (_, _, own) in expected {
                    assert!(
                        listed.iter().any(|entry| entry.name == *own),
                        "{own} is missing from its directory"
                    );
                }
                // The directory itself moves, under everybody's feet.
                let other = format!("moved-{caller}-{step}");
                let old = export.list(export.id(), 0, 0)?.entries;
                if let Some(entry) = old.iter().find(|entry| entry.stat.id == directories[to]) {
                    match export.rename(export.id(), &name(&entry.name), export.id(), &name(&other)) {
                        // Somebody else was faster.
                        Err(Error::NotFound(_)) => {}
                        outcome => outcome?,
                    }
                }
            }
            _ => {
                let made = export.create(directories[to], &name(&label), CreateMode::Guarded, 0o644)?;
                files.push((made.id, to, label));
            }
        }
    }
    Ok(files.into_iter().map(|(file, ..)| file).collect())
}

#[test]
fn callers_do_not_disturb_each_other() {
    let mut disk = Disk::new();
    let directories: Vec<_> = (0..3)
        .map(|index| disk.make_directory(disk.root(), &format!("d{index}")))
        .collect();
    let scans = disk.export().scans();
    let kept: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                scope.spawn({
                    let (disk, directories) = (&disk, &directories);
                    move || work(disk, directories, caller)
                })
            })
            .collect();
        callers
            .into_iter()
            .flat_map(|caller| caller.join().unwrap().unwrap())
            .collect()
    });
    assert_eq!(
        disk.export().scans(),
        scans,
        "the map was kept up, so nobody had to scan"
    );
    let usage = disk.export().usage().unwrap();
    disk.restart();
    assert_eq!(
        disk.export().usage().unwrap(),
        usage,
        "the counts agree with the disk"
    );
    assert_eq!(usage.files, (kept.len() + directories.len()) as u64);
    for file in kept {
        disk.read(file).unwrap();
    }
}
