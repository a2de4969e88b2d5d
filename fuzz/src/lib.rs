//! What is fuzzed: functions that take any bytes and panic only where the product is wrong.
//!
//! Each is a target for `cargo fuzz` (`fuzz_targets/`, on a nightly toolchain) and a test on the stable one: seeds from
//! `corpus/NAME/`, changed at random by [`mutate`], the same every time for the same seed. What a crash taught
//! belongs into the corpus.

pub mod doors;
pub mod mutate;
pub mod targets;

pub use targets::{TARGETS, Target};

/// Runs the target of this name, as the harness of `cargo fuzz` does.
///
/// # Panics
/// Where there is no such target, or the product is wrong.
pub fn run(name: &str, data: &[u8]) {
    match TARGETS.iter().find(|target| target.name == name) {
        Some(target) => (target.run)(data),
        None => panic!("there is no target {name}"),
    }
}
