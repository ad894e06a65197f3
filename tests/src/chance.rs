//! Chance that can be repeated: the same seed gives the same moments.

use std::time::{SystemTime, UNIX_EPOCH};

/// A source of numbers (SplitMix64, public domain).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From the variable `RUNBOOK_SEED`, otherwise from the clock; and the seed.
    #[must_use]
    pub fn of_environment() -> (Self, u64) {
        let clock = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| d.as_micros() as u64)
        };
        let seed = number("RUNBOOK_SEED").unwrap_or_else(clock);
        (Self::new(seed), seed)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The remainder's bias is far below what a test could notice.
        z.checked_rem(end).unwrap_or(0)
    }
}

/// A number from the environment.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is `{text}`, should be a number")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_in_bounds() {
        let (mut a, mut b) = (Chance::new(7), Chance::new(7));
        let numbers: Vec<u64> = (0..1000).map(|_| a.below(10)).collect();
        assert!(numbers.iter().all(|n| *n < 10 && b.below(10) == *n));
        assert!((0..10).all(|n| numbers.contains(&n)));
        assert_eq!(a.below(0), 0);
    }
}
