//! What is on disk when an operation is answered, told from what the server synced.

use super::{Disk, name};
use crate::{
    export::{CreateMode, WriteStability},
    handles::FileId,
};

#[track_caller]
fn check_synced(disk: &Disk, what: &str, expected: &[FileId]) {
    let synced = disk.exports().stability().take_synced();
    assert_eq!(synced, expected, "{what}");
}

#[test]
fn every_change_of_names_is_synced_before_the_answer() {
    let disk = Disk::new();
    let (root, export) = (disk.root(), disk.export());
    disk.exports().stability().take_synced();
    let directory = disk.make_directory(root, "directory");
    check_synced(&disk, "make directory", &[directory, root]);
    let file = disk.make(directory, "file");
    check_synced(&disk, "create", &[file, directory]);
    export
        .create(directory, &name("file"), CreateMode::Unchecked, 0o644)
        .unwrap();
    check_synced(&disk, "create again", &[file, directory]);
    export
        .rename(directory, &name("file"), root, &name("moved"))
        .unwrap();
    check_synced(&disk, "rename", &[root, directory]);
    export.rename(root, &name("moved"), root, &name("file")).unwrap();
    check_synced(&disk, "rename within", &[root]);
    export.set_attributes(file, Some(0o600), Some(3)).unwrap();
    check_synced(&disk, "set attributes", &[file]);
    export.remove(root, &name("file"), false).unwrap();
    check_synced(&disk, "remove", &[root]);
    export.remove(root, &name("directory"), true).unwrap();
    check_synced(&disk, "remove directory", &[root]);
}

#[test]
fn writes_are_synced_as_asked_and_by_commit() {
    let disk = Disk::new();
    let export = disk.export();
    let file = disk.make(disk.root(), "file");
    disk.exports().stability().take_synced();
    let write = |stability| export.write(file, 0, b"data", stability).unwrap().verifier;
    let verifier = write(WriteStability::Unstable);
    check_synced(&disk, "unstable", &[]);
    assert_eq!(export.commit(file).unwrap().verifier, verifier);
    check_synced(&disk, "commit", &[file]);
    export.commit(file).unwrap();
    check_synced(&disk, "commit again, with nothing held", &[file]);
    write(WriteStability::DataSync);
    check_synced(&disk, "data", &[file]);
    write(WriteStability::FileSync);
    check_synced(&disk, "file", &[file]);
    export.commit(disk.root()).unwrap();
    check_synced(&disk, "commit of a directory", &[disk.root()]);
}

#[test]
fn each_start_has_its_own_verifier() {
    let mut disk = Disk::new();
    let file = disk.make(disk.root(), "file");
    let mut seen = Vec::new();
    for _ in 0..5 {
        let written = disk
            .export()
            .write(file, 0, b"data", WriteStability::Unstable)
            .unwrap()
            .verifier;
        assert!(!seen.contains(&written));
        seen.push(written);
        disk.restart();
        assert_ne!(
            disk.export().commit(file).unwrap().verifier,
            written,
            "the client must write again"
        );
    }
}
