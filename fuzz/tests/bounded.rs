//! Every target on the stable toolchain: its seeds as they are, then a bounded number of inputs made of them, the same
//! ones every time. `CORACLE_LONG=1` makes a million in all for each; `CORACLE_SEED` draws others.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use coracle_fuzz::{TARGETS, Target, mutate::mutate};
use coracle_service::Random;

const LONG: usize = 1_000_000;

fn folder(target: &Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name)
}

/// The seeds of a target, in the order of their names.
fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let folder = std::fs::read_dir(folder(target)).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[allow(clippy::disallowed_methods, reason = "this is how a person asks for more")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs one target, and shows the input at which it fails.
fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = seeds(target);
    assert!(!seeds.is_empty(), "no seeds");
    let seed = setting("CORACLE_SEED").map_or(1, |text| text.parse().unwrap());
    let count = setting("CORACLE_LONG").map_or(target.short, |_| LONG);
    let random = Random::seeded(seed);
    let made = (0..count).map(|_| mutate(&random, &seeds));
    for input in seeds.iter().cloned().chain(made) {
        let shown = Shown(&input);
        (target.run)(&input);
        std::mem::forget(shown);
    }
    eprintln!("{name}: {} seeds and {count} inputs of them", seeds.len());
}

/// Shows its input when it is dropped, which happens only in a panic.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        eprintln!("it failed at {:?}", String::from_utf8_lossy(self.0));
        eprintln!("which is b\"{}\"", self.0.escape_ascii());
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn every_target_is_run() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets!(json yaml protobuf patches selectors paths expressions schemas requests calls);
