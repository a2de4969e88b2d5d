//! Handles: what they survive, and when they turn stale.

use std::fs;

use super::{Disk, name, reason};
use crate::handles::{FileId, Handle};

#[test]
fn they_survive_restarts() {
    let mut disk = Disk::new();
    let below = disk.make_directory(disk.root(), "below");
    let file = disk.make(below, "file");
    disk.write(file, 0, b"text").unwrap();
    let sealed = disk.exports().sealer().seal(Handle {
        export: disk.root(),
        file,
    });
    disk.restart();
    let (export, found) = disk.exports().resolve(&sealed).unwrap();
    assert_eq!(export.read(found, 0, 10).unwrap().data, b"text");
    assert_eq!(
        disk.exports().sealer().seal(Handle {
            export: export.id(),
            file: found
        }),
        sealed
    );
}

#[test]
fn they_survive_renames_of_the_file_and_its_ancestors() {
    let disk = Disk::new();
    let (root, export) = (disk.root(), disk.export());
    let a = disk.make_directory(root, "a");
    let b = disk.make_directory(a, "b");
    let file = disk.make(b, "file");
    disk.write(file, 0, b"text").unwrap();
    export.rename(b, &name("file"), a, &name("moved")).unwrap();
    export.rename(a, &name("moved"), b, &name("back")).unwrap();
    export.rename(root, &name("a"), root, &name("renamed")).unwrap();
    assert_eq!(disk.read(file).unwrap(), b"text");
    assert_eq!(export.lookup(b, &name("back")).unwrap().id, file);
}

#[test]
fn they_survive_an_administrators_move() {
    let disk = Disk::new();
    let file = disk.make(disk.root(), "file");
    disk.write(file, 0, b"text").unwrap();
    fs::create_dir(disk.path().join("elsewhere")).unwrap();
    fs::rename(disk.path().join("file"), disk.path().join("elsewhere/other")).unwrap();
    assert_eq!(disk.read(file).unwrap(), b"text");
}

#[test]
fn they_turn_stale_with_their_file() {
    let mut disk = Disk::new();
    let (root, export) = (disk.root(), disk.export());
    let directory = disk.make_directory(root, "directory");
    let file = disk.make(root, "file");
    let replaced = disk.make(root, "replaced");
    let by_hand = disk.make(root, "by-hand");
    export
        .rename(root, &name("file"), root, &name("replaced"))
        .unwrap();
    export.remove(root, &name("directory"), true).unwrap();
    fs::remove_file(disk.path().join("by-hand")).unwrap();
    for _ in 0..2 {
        assert_eq!(reason(disk.read(replaced)), "Stale");
        assert_eq!(reason(disk.read(by_hand)), "Stale");
        assert_eq!(reason(disk.export().list(directory, 0, 0)), "Stale");
        assert!(disk.read(file).is_ok());
        disk.restart();
    }
}

#[test]
fn a_stale_one_costs_one_scan() {
    let disk = Disk::new();
    let file = disk.make(disk.root(), "file");
    fs::remove_file(disk.path().join("file")).unwrap();
    assert_eq!(reason(disk.read(file)), "Stale");
    let scans = disk.export().scans();
    for _ in 0..10 {
        assert_eq!(reason(disk.read(file)), "Stale");
    }
    assert_eq!(disk.export().scans(), scans);
}

#[test]
fn an_inode_number_used_again_is_stale() {
    let disk = Disk::new();
    let (root, export) = (disk.root(), disk.export());
    let mut seen = Vec::<FileId>::new();
    // Disks commonly hand out the lowest free number, so that these files share one.
    for _ in 0..50 {
        let file = disk.make(root, "file");
        assert!(!seen.contains(&file), "an identity came back");
        export.remove(root, &name("file"), false).unwrap();
        seen.push(file);
    }
    disk.make(root, "file");
    for old in seen {
        assert_eq!(reason(disk.read(old)), "Stale");
    }
}

#[test]
fn those_of_a_deleted_export_are_stale() {
    let mut disk = Disk::new();
    let file = disk.make(disk.root(), "file");
    let sealed = disk.exports().sealer().seal(Handle {
        export: disk.root(),
        file,
    });
    let path = crate::name::ExportPath::parse("/data").unwrap();
    let old = disk.export();
    disk.exports().delete(&path).unwrap();
    assert_eq!(reason(old.read(file, 0, 1)), "Stale");
    assert_eq!(reason(disk.exports().mount(&path, false)), "NotFound");
    // Another of the same name is another export, also to who still has it open.
    disk.exports().mount(&path, true).unwrap();
    for _ in 0..2 {
        assert_eq!(reason(disk.exports().resolve(&sealed)), "Stale");
        assert_eq!(reason(old.read(file, 0, 1)), "Stale");
        disk.restart();
    }
    disk.exports().sweep().unwrap();
    assert_eq!(
        fs::read_dir(disk.directory.path().join("removed"))
            .unwrap()
            .count(),
        0
    );
}
