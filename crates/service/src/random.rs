//! Injected randomness: the system's, or a seeded sequence that makes a simulation repeatable.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use ring::rand::{SecureRandom, SystemRandom};

/// A source of random numbers; cheap to clone.
#[derive(Clone)]
pub struct Random {
    source: Arc<Source>,
}

enum Source {
    System(SystemRandom),
    Seeded(Mutex<u64>),
}

impl Random {
    /// The system's generator, fit for keys.
    #[must_use]
    pub fn system() -> Self {
        Self {
            source: Arc::new(Source::System(SystemRandom::new())),
        }
    }

    /// A repeatable sequence (SplitMix64), not fit for keys that must stay secret.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            source: Arc::new(Source::Seeded(Mutex::new(seed))),
        }
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &*self.source {
            Source::System(system) => {
                let filled = system.fill(bytes);
                assert!(filled.is_ok(), "the operating system has no randomness to give");
            }
            Source::Seeded(state) => {
                let mut state = state.lock();
                for chunk in bytes.chunks_mut(8) {
                    chunk.copy_from_slice(&split_mix(&mut state).to_le_bytes()[..chunk.len()]);
                }
            }
        }
    }

    /// Eight random bytes as a number.
    #[must_use]
    pub fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number in `0..bound`; zero when `bound` is zero.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        // Multiply-shift keeps the bias below 2^-64 * bound, which no caller can notice.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A random (version 4) UUID in its usual text form, RFC 9562.
    #[must_use]
    pub fn uuid(&self) -> String {
        let mut b = [0_u8; 16];
        self.fill(&mut b);
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        let n = u128::from_be_bytes(b);
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            (n >> 96) as u32,
            (n >> 80) as u16,
            (n >> 64) as u16,
            (n >> 48) as u16,
            n as u64 & 0xffff_ffff_ffff
        )
    }

    /// A duration between half of `base` and all of it, so that many clients do not act in step.
    #[must_use]
    pub fn jitter(&self, base: Duration) -> Duration {
        let nanos = u64::try_from(base.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos / 2 + self.below(nanos / 2 + 1))
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_sequences_repeat_and_differ_by_seed() {
        let draw = |seed| {
            let random = Random::seeded(seed);
            (0..4).map(|_| random.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn uuids_are_version_4() {
        let uuid = Random::seeded(1).uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }

    #[test]
    fn jitter_stays_in_the_upper_half() {
        let random = Random::system();
        for _ in 0..100 {
            let wait = random.jitter(Duration::from_millis(100));
            assert!(wait >= Duration::from_millis(50) && wait <= Duration::from_millis(100));
        }
    }
}
