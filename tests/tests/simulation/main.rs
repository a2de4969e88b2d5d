//! The whole cluster in one process: apiserver, scheduler, controller-manager and three nodes on a simulated network
//! and clock, with faults. One seed fixes everything: which faults, when messages arrive, every name and every wait.
//!
//! Checked at each revision: see [`checks`]. Checked at the end: the Deployment is whole, every acknowledged write is
//! in the history at the revision that was acknowledged, and the watch told exactly that history. A failure prints its
//! seed; `CORACLE_SEED` runs that one alone, `CORACLE_LONG` runs a hundred, `CORACLE_LOG` shows what processes say.

mod checks;
mod client;
mod cluster;
mod faults;
mod network;
mod run;

use coracle_tests::rounds;
use run::{Options, simulate};

/// The seed that is asked for.
#[allow(clippy::disallowed_methods, reason = "this is how a person asks for one seed")]
fn wanted_seed() -> Option<u64> {
    std::env::var("CORACLE_SEED")
        .ok()
        .map(|seed| seed.parse().expect("CORACLE_SEED is a number"))
}

#[test]
fn a_cluster_stays_safe_under_faults_and_is_whole_after_them() {
    let seeds: Vec<u64> =
        wanted_seed().map_or_else(|| (1..=rounds(3, 100) as u64).collect(), |seed| vec![seed]);
    for seed in seeds {
        let outcome =
            simulate(Options::faulty(seed)).unwrap_or_else(|why| panic!("CORACLE_SEED={seed}: {why}"));
        eprintln!("CORACLE_SEED={seed}: {outcome}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let seed = wanted_seed().unwrap_or(4);
    let run = || simulate(Options::faulty(seed)).unwrap_or_else(|why| panic!("CORACLE_SEED={seed}: {why}"));
    let (first, second) = (run(), run());
    let differing = first
        .trace
        .iter()
        .zip(&second.trace)
        .find(|(one, other)| one != other);
    assert_eq!(
        differing, None,
        "CORACLE_SEED={seed}: {first} and {second} differ"
    );
    assert_eq!(first.digest, second.digest, "CORACLE_SEED={seed}");
}

#[test]
fn a_store_that_does_not_sync_is_caught() {
    let caught = |seed| {
        simulate(Options {
            skip_sync: true,
            ..Options::faulty(seed)
        })
        .is_err()
    };
    assert!(
        (1..=3).any(caught),
        "acknowledged writes were lost and no check noticed"
    );
}
