//! Operations one by one: what each refuses, and what an administrator may have put in their way.

use std::{fs, os::unix::fs::symlink};

use proptest::prelude::*;

use super::{Disk, name, reason};
use crate::{
    Error, Limits, MAX_IO_BYTES,
    export::{CreateMode, WriteStability},
    name::{ExportPath, MAX_DEPTH, Name},
    tree::Usage,
};

#[test]
fn create_keeps_to_its_mode() {
    let mut disk = Disk::new();
    let root = disk.root();
    let create = |disk: &Disk, mode| {
        disk.export()
            .create(root, &name("file"), mode, 0o600)
            .map(|stat| stat.id)
    };
    let exclusive = CreateMode::Exclusive([1, 2, 3, 4, 5, 6, 7, 8]);
    let made = create(&disk, exclusive).unwrap();
    disk.restart();
    assert_eq!(create(&disk, exclusive).unwrap(), made, "the same request again");
    assert_eq!(reason(create(&disk, CreateMode::Exclusive([9; 8]))), "Exists");
    assert_eq!(reason(create(&disk, CreateMode::Guarded)), "Exists");
    assert_eq!(create(&disk, CreateMode::Unchecked).unwrap(), made);
    disk.make_directory(root, "directory");
    let over = |mode| disk.export().create(root, &name("directory"), mode, 0o600);
    assert_eq!(reason(over(CreateMode::Unchecked)), "IsDirectory");
    assert_eq!(reason(over(exclusive)), "Exists");
}

#[test]
fn permissions_are_stored_and_squashed() {
    let disk = Disk::new();
    let (root, export) = (disk.root(), disk.export());
    let made = export
        .create(root, &name("file"), CreateMode::Guarded, 0o640)
        .unwrap();
    assert_eq!(made.mode, 0o640);
    assert_eq!(
        export.set_attributes(made.id, Some(0o044), None).unwrap().mode,
        0o644,
        "the owner is the service"
    );
    assert_eq!(
        export.set_attributes(root, Some(0o055), None).unwrap().mode,
        0o755
    );
    for mode in [0o4755, 0o2755, 0o1777, 0o100_644] {
        assert_eq!(
            reason(export.set_attributes(made.id, Some(mode), None)),
            "InvalidArgument"
        );
        assert_eq!(
            reason(export.create(root, &name("other"), CreateMode::Guarded, mode)),
            "InvalidArgument"
        );
    }
}

#[test]
fn reads_end_with_the_file() {
    let disk = Disk::new();
    let export = disk.export();
    let file = disk.make(disk.root(), "file");
    disk.write(file, 3, b"abc").unwrap();
    for (offset, count, data, eof) in [
        (0, 6, &b"\0\0\0abc"[..], true),
        (0, 5, b"\0\0\0ab", false),
        (4, 100, b"bc", true),
        (6, 1, b"", true),
        (u64::MAX, 1, b"", true),
        (0, 0, b"", false),
    ] {
        let read = export.read(file, offset, count).unwrap();
        assert_eq!(
            (read.data.as_slice(), read.eof),
            (data, eof),
            "{count} at {offset}"
        );
    }
    assert_eq!(reason(export.read(disk.root(), 0, 1)), "IsDirectory");
}

#[test]
fn writes_keep_to_the_limits() {
    let limits = Limits {
        file_bytes: 100,
        bytes_per_export: 150,
        ..Limits::default()
    };
    let disk = Disk::with(limits);
    let export = disk.export();
    let [a, b] = ["a", "b"].map(|file| disk.make(disk.root(), file));
    disk.write(a, 90, &[1; 10]).unwrap();
    assert_eq!(reason(disk.write(a, 91, &[1; 10])), "FileTooLarge");
    assert_eq!(reason(disk.write(a, u64::MAX, &[1; 10])), "InvalidArgument");
    assert_eq!(
        reason(disk.write(a, 0, &vec![0; MAX_IO_BYTES + 1])),
        "InvalidArgument"
    );
    assert_eq!(reason(export.set_attributes(a, None, Some(101))), "FileTooLarge");
    disk.write(b, 0, &[1; 50]).unwrap();
    assert_eq!(reason(disk.write(b, 50, &[1])), "QuotaExceeded");
    assert_eq!(reason(export.set_attributes(b, None, Some(51))), "QuotaExceeded");
    disk.write(b, 0, &[2; 50]).unwrap();
    export.set_attributes(a, None, Some(99)).unwrap();
    disk.write(b, 50, &[1]).unwrap();
    export.remove(disk.root(), &name("a"), false).unwrap();
    assert_eq!(export.usage().unwrap(), Usage { bytes: 51, files: 1 });
    assert_eq!(disk.read(b).unwrap().len(), 51);
}

#[test]
fn files_and_exports_are_limited() {
    let disk = Disk::with(Limits {
        exports: 2,
        files_per_export: 2,
        ..Limits::default()
    });
    let (root, export) = (disk.root(), disk.export());
    disk.make(root, "a");
    let directory = disk.make_directory(root, "b");
    assert_eq!(
        reason(export.create(root, &name("c"), CreateMode::Guarded, 0o644)),
        "TooMany"
    );
    assert_eq!(
        reason(export.make_directory(directory, &name("c"), 0o755)),
        "TooMany"
    );
    export.remove(root, &name("a"), false).unwrap();
    disk.make(root, "c");
    let mount = |path| disk.exports().mount(&ExportPath::parse(path).unwrap(), true);
    mount("/second").unwrap();
    assert_eq!(reason(mount("/third")), "TooMany");
}

#[test]
fn directories_lie_no_deeper_than_is_served() {
    let disk = Disk::new();
    let (root, export) = (disk.root(), disk.export());
    let mut deepest = root;
    let made = (0..=MAX_DEPTH).take_while(|_| match export.make_directory(deepest, &name("d"), 0o755) {
        Ok(stat) => {
            deepest = stat.id;
            true
        }
        Err(error) => {
            assert_eq!(error.reason(), "InvalidArgument");
            false
        }
    });
    assert_eq!(made.count(), MAX_DEPTH - 1);
    disk.make(deepest, "file");
    let other = disk.make_directory(root, "other");
    disk.make_directory(other, "below");
    let parent = export.lookup(root, &name("d")).unwrap().id;
    assert_eq!(
        reason(export.rename(root, &name("d"), other, &name("d"))),
        "InvalidArgument"
    );
    assert_eq!(
        reason(export.rename(root, &name("d"), parent, &name("d2"))),
        "InvalidArgument"
    );
    assert_eq!(disk.names(deepest), ["file"]);
}

#[test]
fn renames_replace_only_their_kind() {
    let disk = Disk::new();
    let (root, export) = (disk.root(), disk.export());
    let (file, full, empty) = (
        disk.make(root, "file"),
        disk.make_directory(root, "full"),
        "empty",
    );
    disk.make_directory(root, empty);
    disk.make(full, "inside");
    let rename = |from: &str, to: &str| export.rename(root, &name(from), root, &name(to));
    assert_eq!(reason(rename("missing", "file")), "NotFound");
    assert_eq!(reason(rename("file", "full")), "IsDirectory");
    assert_eq!(reason(rename("full", "file")), "NotDirectory");
    assert_eq!(reason(rename("empty", "full")), "NotEmpty");
    assert_eq!(
        reason(export.rename(root, &name("full"), full, &name("self"))),
        "InvalidArgument"
    );
    assert_eq!(
        reason(export.rename(root, &name("full"), file, &name("below"))),
        "NotDirectory"
    );
    rename("file", "file").unwrap();
    rename("full", "empty").unwrap();
    assert_eq!(disk.names(root), ["empty", "file"]);
    assert_eq!(disk.names(full), ["inside"]);
}

#[test]
fn remove_asks_for_the_kind() {
    let disk = Disk::new();
    let (root, export) = (disk.root(), disk.export());
    disk.make(root, "file");
    let directory = disk.make_directory(root, "directory");
    disk.make(directory, "inside");
    assert_eq!(reason(export.remove(root, &name("missing"), false)), "NotFound");
    assert_eq!(reason(export.remove(root, &name("file"), true)), "NotDirectory");
    assert_eq!(
        reason(export.remove(root, &name("directory"), false)),
        "IsDirectory"
    );
    assert_eq!(reason(export.remove(root, &name("directory"), true)), "NotEmpty");
    export.remove(directory, &name("inside"), false).unwrap();
    export.remove(root, &name("directory"), true).unwrap();
    assert_eq!(disk.names(root), ["file"]);
}

#[test]
fn no_link_is_followed() {
    let disk = Disk::new();
    let (root, export) = (disk.root(), disk.export());
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path(), disk.path().join("directory")).unwrap();
    symlink(outside.path().join("secret"), disk.path().join("file")).unwrap();
    for link in ["directory", "file"] {
        assert_eq!(reason(export.lookup(root, &name(link))), "NotRegular");
        assert_eq!(
            reason(export.create(root, &name(link), CreateMode::Unchecked, 0o644)),
            "NotRegular"
        );
        assert_eq!(
            reason(export.rename(root, &name(link), root, &name("moved"))),
            "NotRegular"
        );
    }
    assert_eq!(
        disk.names(root),
        ["directory", "file"],
        "seen, but without a handle"
    );
    let mount = disk
        .exports()
        .mount(&ExportPath::parse("/data/directory").unwrap(), true);
    assert_eq!(reason(mount), "NotRegular");
    symlink(outside.path(), disk.directory.path().join("exports/linked")).unwrap();
    assert_eq!(
        reason(disk.exports().mount(&ExportPath::parse("/linked").unwrap(), true)),
        "NotDirectory"
    );
    assert_eq!(disk.exports().list().unwrap(), [name("data")]);
}

#[test]
fn a_directory_swapped_for_a_link_leads_nowhere() {
    let disk = Disk::new();
    let directory = disk.make_directory(disk.root(), "directory");
    let file = disk.make(directory, "file");
    let outside = tempfile::tempdir().unwrap();
    fs::rename(disk.path().join("directory"), outside.path().join("directory")).unwrap();
    symlink(outside.path().join("directory"), disk.path().join("directory")).unwrap();
    assert_eq!(reason(disk.read(file)), "Stale");
    assert_eq!(reason(disk.export().list(directory, 0, 0)), "Stale");
}

#[test]
fn names_are_checked() {
    for (bad, why) in [
        ("", "empty"),
        (".", "reference"),
        ("..", "reference"),
        ("a/b", "separator"),
        ("/", "separator"),
        ("a\0", "zero"),
        (".coracle-stage", "reserved"),
        (&"x".repeat(256), "255"),
    ] {
        let Err(Error::InvalidName { why: found, .. }) = Name::new(bad) else {
            panic!("{bad:?} was accepted")
        };
        assert!(found.contains(why), "{bad:?}: {found}");
    }
    for good in ["a", "...", ".hidden", "ünï", &"x".repeat(255), "a b\nc"] {
        assert_eq!(Name::new(good).unwrap().as_str(), good);
    }
}

#[test]
fn export_paths_name_an_export_and_what_is_below() {
    let parse = |path| {
        let ExportPath { export, below } = ExportPath::parse(path)?;
        Ok::<_, Error>(
            [vec![export], below]
                .concat()
                .iter()
                .map(Name::to_string)
                .collect::<Vec<_>>()
                .join(" "),
        )
    };
    for (path, parts) in [
        ("/data", "data"),
        ("/exports/data", "data"),
        ("/exports/data/sub/", "data sub"),
        ("/exports", "exports"),
        ("//srv//nfs", "srv nfs"),
    ] {
        assert_eq!(parse(path).unwrap(), parts, "{path}");
    }
    for (path, why) in [
        ("", "InvalidArgument"),
        ("/", "InvalidArgument"),
        ("data", "InvalidArgument"),
        ("/../etc", "InvalidName"),
        ("/exports/../..", "InvalidName"),
        ("/data/.coracle-stage", "InvalidName"),
        (&"/x".repeat(100), "InvalidArgument"),
        (&format!("/{}", "x".repeat(5000)), "InvalidArgument"),
    ] {
        assert_eq!(reason(parse(path)), why, "{path}");
    }
}

#[test]
fn what_a_crash_left_half_made_is_swept() {
    let mut disk = Disk::new();
    let directory = disk.make_directory(disk.root(), "directory");
    fs::write(disk.path().join(".coracle-stage"), "half").unwrap();
    fs::write(disk.path().join(".coracle-notes"), "an administrator's").unwrap();
    fs::create_dir(disk.path().join("directory/.coracle-stage")).unwrap();
    assert_eq!(disk.names(disk.root()), ["directory"]);
    disk.restart();
    assert_eq!(disk.names(directory), Vec::<String>::new());
    assert!(!disk.path().join(".coracle-stage").exists());
    assert!(
        disk.path().join(".coracle-notes").exists(),
        "hidden, not ours to remove"
    );
    assert!(!disk.path().join("directory/.coracle-stage").exists());
}

#[test]
fn an_administrators_files_are_served() {
    let disk = Disk::new();
    fs::create_dir_all(disk.directory.path().join("exports/made/below")).unwrap();
    fs::write(disk.directory.path().join("exports/made/below/file"), "by hand").unwrap();
    let (export, below) = disk
        .exports()
        .mount(&ExportPath::parse("/exports/made/below").unwrap(), false)
        .unwrap();
    let file = export.lookup(below, &name("file")).unwrap().id;
    assert_eq!(export.read(file, 0, 100).unwrap().data, b"by hand");
    assert_eq!(export.usage().unwrap(), Usage { bytes: 7, files: 2 });
    fs::write(disk.directory.path().join("exports/made/late"), "later").unwrap();
    let late = export.lookup(export.id(), &name("late")).unwrap().id;
    export.write(late, 0, b"L", WriteStability::FileSync).unwrap();
    assert_eq!(
        fs::read(disk.directory.path().join("exports/made/late")).unwrap(),
        b"Later"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is there for the whole of a listing is listed exactly once, whatever else comes and goes.
    #[test]
    fn listings_in_pages_miss_and_repeat_nothing(
        steady in 0_usize..12, page in 1_u32..5, restart in any::<bool>(), seed in 0_u64..1000,
    ) {
        let mut disk = Disk::new();
        let root = disk.root();
        let steady: Vec<String> = (0..steady).map(|index| format!("steady-{seed}-{index}")).collect();
        for file in &steady {
            disk.make(root, file);
        }
        let (mut seen, mut cookie, mut round) = (Vec::new(), 0, 0);
        loop {
            let listing = disk.export().list(root, cookie, page).unwrap();
            prop_assert!(listing.entries.len() <= page as usize);
            cookie = listing.entries.last().map_or(cookie, |entry| entry.cookie);
            seen.extend(listing.entries.into_iter().map(|entry| entry.name).filter(|name| name.starts_with('s')));
            if listing.eof {
                break;
            }
            round += 1;
            disk.make(root, &format!("comes-{seed}-{round}"));
            if round > 1 {
                disk.export().remove(root, &name(&format!("comes-{seed}-{}", round - 1)), false).unwrap();
            }
            if restart {
                disk.restart();
            }
        }
        seen.sort();
        let mut expected = steady;
        expected.sort();
        prop_assert_eq!(seen, expected);
    }
}
