//! Where a test's chance comes from: a seed that is printed, and that `CORACLE_SEED` sets to run the same again.

use coracle_service::Random;

/// A generator of the test's own, from `CORACLE_SEED` or a fresh seed; says which.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "this is how a person asks for the same run again"
)]
pub fn seeded(test: &str) -> Random {
    let asked = std::env::var("CORACLE_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = asked.unwrap_or_else(|| Random::system().next_u64());
    eprintln!("{test}: CORACLE_SEED={seed}");
    Random::seeded(seed)
}

/// All of `all`, in an order of chance.
#[must_use]
pub fn shuffled<T: Clone>(random: &Random, all: &[T]) -> Vec<T> {
    let mut left = all.to_vec();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let index = usize::try_from(random.below(left.len() as u64)).unwrap_or_default();
        order.push(left.swap_remove(index));
    }
    order
}
