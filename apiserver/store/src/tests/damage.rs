//! Damage: files cut short and bits flipped, in each kind of file. The store opens with everything, or
//! refuses with an error that names the file; it never opens with less than was acknowledged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::model::Model;
use crate::base::sled_base::SledEngine;
use crate::errors::OpenError;
use crate::fs::simulated::Random;
use crate::recover::{Recovered, Surroundings, recover};
use crate::state::StoreConfig;
use crate::testing::{Machine, TempDir, put, rounds, still_hooks, txn};
use crate::{RealFiles, RecordCodec, read};

fn open(dir: &Path) -> Result<Recovered, OpenError> {
    let mut config = StoreConfig::new(dir);
    config.segment_bytes = 4_000;
    recover(Surroundings {
        config,
        files: Arc::new(RealFiles),
        engine: Arc::new(SledEngine),
        codec: RecordCodec::unsealed(),
        hooks: still_hooks(),
    })
}

/// A store on the real disk: a checkpoint, more after it in journal and sled, the last only in the journal.
fn filled(dir: &Path) -> Model {
    let mut model = Model::default();
    let mut store = open(dir).unwrap();
    let mut commit = |store: &mut Recovered, n: usize| {
        let txn = txn(vec![put(&format!("/k/{}", n % 40), &format!("v{n}"))]);
        model.commit(&txn).unwrap();
        store.writer.commit_group(vec![txn])[0].as_ref().unwrap();
    };
    (0..100).for_each(|n| commit(&mut store, n));
    store.applier.checkpoint_now().unwrap();
    (100..150).for_each(|n| commit(&mut store, n));
    while store.applier.step().unwrap() {}
    store.applier.flush().unwrap();
    (150..200).for_each(|n| commit(&mut store, n));
    store.writer.mark_durable();
    model
}

fn check(store: &Recovered, model: &Model) {
    let latest = store.state.index.read().latest();
    assert_eq!(latest, model.revision(), "everything acknowledged is there");
    let found = read::range(
        &store.state.index,
        store.state.as_ref(),
        "/",
        None,
        usize::MAX,
        latest,
    )
    .unwrap();
    let found: std::collections::BTreeMap<_, _> = found
        .into_iter()
        .map(|s| (s.key.to_string(), (s.revision, s.json.to_vec())))
        .collect();
    assert_eq!(found, model.state(latest));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// A filled store, and copies of it to damage.
struct Original {
    dir: TempDir,
    model: Model,
}

impl Original {
    fn new() -> Original {
        let dir = TempDir::new("damage");
        let model = filled(dir.path());
        Original { dir, model }
    }

    /// Damages a copy and opens it.
    fn damaged(&self, damage: impl FnOnce(&Path)) -> (TempDir, Result<Recovered, OpenError>) {
        let dir = TempDir::new("damaged");
        copy(self.dir.path(), dir.path());
        damage(dir.path());
        let opened = open(dir.path());
        (dir, opened)
    }
}

fn flip(path: &Path, bit: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    let test = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        // sled panics on its own threads, or under a catch of ours; what ends this test is said by its location.
        let here = panic
            .location()
            .is_some_and(|place| place.file().contains("tests"));
        if here && std::thread::current().id() == test {
            eprintln!("{panic}");
        }
    }));
    let result = work();
    std::panic::set_hook(hook);
    result
}

#[test]
fn a_copy_without_damage_opens_with_everything() {
    let original = Original::new();
    let (_dir, opened) = original.damaged(|_| {});
    let store = opened.unwrap();
    check(&store, &original.model);
    assert!(
        store.state.status().repairs.is_empty(),
        "{:?}",
        store.state.status().repairs
    );
}

#[test]
fn a_bit_flipped_in_the_journal_is_refused_by_name_or_harmless() {
    let original = Original::new();
    let segments = files_in(&original.dir.path().join("journal"));
    assert!(segments.len() > 1, "closed segments and an open one");
    let mut random = Random(1);
    let (mut refused, mut opened_whole) = (0, 0);
    for _ in 0..rounds(60, 1_000) {
        let segment = &segments[random.below(segments.len())];
        let bit = random.below(fs::metadata(segment).unwrap().len() as usize * 8);
        let (_dir, opened) =
            original.damaged(|dir| flip(&dir.join("journal").join(segment.file_name().unwrap()), bit));
        match opened {
            Ok(store) => {
                check(&store, &original.model);
                opened_whole += 1;
            }
            Err(error @ OpenError::JournalDamaged { .. }) => {
                assert!(error.to_string().contains(".journal"), "{error}");
                refused += 1;
            }
            Err(error) => panic!("another error: {error}"),
        }
    }
    assert!(
        refused > 0 && opened_whole > 0,
        "{refused} refused, {opened_whole} opened: both should happen"
    );
}

#[test]
fn a_journal_cut_short_loses_only_what_the_cut_took() {
    let original = Original::new();
    let journal = files_in(&original.dir.path().join("journal")).pop().unwrap();
    let length = fs::metadata(&journal).unwrap().len();
    let mut random = Random(2);
    for _ in 0..rounds(40, 500) {
        let cut = random.below(length as usize) as u64;
        let (_dir, opened) = original.damaged(|dir| {
            let path = dir.join("journal").join(journal.file_name().unwrap());
            fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(cut)
                .unwrap();
        });
        let store = opened.unwrap();
        let latest = store.state.index.read().latest();
        assert!((150..=200).contains(&latest), "sled holds 150 of them: {latest}");
        let found = read::range(
            &store.state.index,
            store.state.as_ref(),
            "/",
            None,
            usize::MAX,
            latest,
        )
        .unwrap();
        assert_eq!(found.len(), original.model.state(latest).len());
    }
}

#[test]
fn damage_to_sled_is_repaired_from_checkpoint_and_journal() {
    let original = Original::new();
    let mut random = Random(3);
    let mut rebuilt = 0;
    quietly(|| {
        for round in 0..rounds(40, 1_000) {
            let (dir, opened) = original.damaged(|dir| {
                let files = files_in(&dir.join("sled"));
                let victim = &files[random.below(files.len())];
                let bytes = fs::metadata(victim).unwrap().len() as usize;
                match round % 4 {
                    0 => drop(
                        fs::OpenOptions::new()
                            .write(true)
                            .open(victim)
                            .unwrap()
                            .set_len(bytes as u64 / 2),
                    ),
                    1 => fs::remove_file(victim).unwrap(),
                    _ => flip(victim, random.below(bytes * 8)),
                }
            });
            let store = opened.unwrap();
            check(&store, &original.model);
            rebuilt += usize::from(!store.state.status().repairs.is_empty());
            drop(store);
            check(&open(dir.path()).unwrap(), &original.model);
        }
    });
    assert!(rebuilt > 0, "no damage was noticed at all");
}

#[test]
fn sled_and_checkpoint_both_damaged_is_an_error_that_names_the_checkpoint() {
    let original = Original::new();
    let (_dir, opened) = quietly(|| {
        original.damaged(|dir| {
            let checkpoint = files_in(&dir.join("checkpoints")).pop().unwrap();
            flip(&checkpoint, 8 * 200);
            fs::remove_dir_all(dir.join("sled")).unwrap();
        })
    });
    let error = opened.err().unwrap();
    assert!(matches!(error, OpenError::CannotRebuild { .. }), "{error}");
    assert!(error.to_string().contains("checkpoint-"), "{error}");
}

#[test]
fn a_damaged_checkpoint_harms_nobody_while_sled_is_whole() {
    let original = Original::new();
    let (_dir, opened) = original.damaged(|dir| {
        let checkpoint = files_in(&dir.join("checkpoints")).pop().unwrap();
        flip(&checkpoint, 8 * 200);
    });
    check(&opened.unwrap(), &original.model);
}

#[test]
fn a_base_that_lost_a_record_quietly_is_found_out_by_its_books() {
    let machine = Machine::default();
    let mut store = machine.open(|_| {}).unwrap();
    let mut model = Model::default();
    for n in 0..30 {
        let txn = txn(vec![put(&format!("/k/{n}"), "v")]);
        model.commit(&txn).unwrap();
        store.writer.commit_group(vec![txn])[0].as_ref().unwrap();
    }
    while store.applier.step().unwrap() {}
    drop(store);
    machine.base.lose_a_record();
    let store = machine.open(|_| {}).unwrap();
    check(&store, &model);
    assert_eq!(store.state.status().repairs.len(), 1);
    drop(store);
    machine.base.damage();
    check(&machine.open(|_| {}).unwrap(), &model);
}

#[test]
fn a_directory_of_another_cluster_or_version_is_refused() {
    let original = Original::new();
    let meta = |text: &'static str, with: &'static str| {
        let (_dir, opened) = original.damaged(|dir| {
            let path = dir.join("meta");
            let changed = fs::read_to_string(&path).unwrap().replace(text, with);
            fs::write(path, changed).unwrap();
        });
        opened.err().unwrap()
    };
    assert!(matches!(
        meta("format 1", "format 2"),
        OpenError::NewerFormat {
            found: 2,
            known: 1,
            ..
        }
    ));
    let id = original.damaged(|_| {}).1.unwrap().state.status().cluster_id;
    let stranger = meta(
        Box::leak(id.into_boxed_str()),
        "00000000-0000-4000-8000-000000000000",
    );
    assert!(matches!(stranger, OpenError::OtherCluster { .. }), "{stranger}");
}
