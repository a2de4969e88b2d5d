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
mod trace;

use coracle_tests::rounds;
use run::{Options, Outcome, simulate};
use trace::Coverage;

/// The seed that is asked for.
#[allow(clippy::disallowed_methods, reason = "this is how a person asks for one seed")]
fn wanted_seed() -> Option<u64> {
    std::env::var("CORACLE_SEED").ok().map(|seed| {
        seed.parse()
            .unwrap_or_else(|_| panic!("CORACLE_SEED={seed} is not a number"))
    })
}

#[test]
fn a_cluster_stays_safe_under_faults_and_is_whole_after_them() {
    let seeds = wanted_seed().map_or_else(|| (1..=rounds(3, 100) as u64).collect(), |seed| vec![seed]);
    let mut coverage = Coverage::default();
    for &seed in &seeds {
        let outcome = run(Options::faulty(seed, 60));
        eprintln!("CORACLE_SEED={seed}: {outcome}");
        coverage = coverage.and(outcome.coverage);
    }
    let Coverage {
        restarts,
        takeovers,
        lost_nodes,
        ..
    } = coverage;
    let happened = restarts.min(takeovers).min(lost_nodes) > 0;
    assert!(
        happened || seeds.len() == 1,
        "these seeds leave too much untested: {coverage:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    // This one told the chance in a watch channel's wake-ups, which controllers waited on, five times in eight.
    let seed = wanted_seed().unwrap_or(1);
    let (first, second) = (run(Options::faulty(seed, 30)), run(Options::faulty(seed, 30)));
    let differing = first
        .trace
        .iter()
        .zip(&second.trace)
        .find(|(one, other)| one != other);
    assert_eq!(
        differing, None,
        "CORACLE_SEED={seed}: {first} and {second} differ"
    );
    assert_eq!(
        first.digest, second.digest,
        "CORACLE_SEED={seed}: one trace goes on where the other ends"
    );
}

#[test]
fn a_store_that_does_not_sync_is_caught() {
    let why = (1..=3).find_map(|seed| {
        simulate(Options {
            skip_sync: true,
            ..Options::faulty(seed, 60)
        })
        .err()
    });
    eprintln!("caught: {why:?}");
    assert!(
        why.is_some(),
        "acknowledged writes were lost and no check noticed"
    );
}

fn run(options: Options) -> Outcome {
    simulate(options).unwrap_or_else(|why| panic!("CORACLE_SEED={}: {why}", options.seed))
}
