//! Delays between attempts. Computes them only; the timers are elsewhere.

use std::time::Duration;

/// Exponential backoff with full jitter: the n-th delay is uniform between zero and `base * 2^n`, at most `max`.
///
/// Full jitter spreads clients that lost the same server at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Upper bound of the first delay.
    pub base: Duration,
    /// Upper bound of all delays.
    pub max: Duration,
}

impl Default for Backoff {
    /// From half a second to thirty.
    fn default() -> Self {
        Self { base: Duration::from_millis(500), max: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// A sequence of delays with a random seed.
    pub fn delays(self) -> Delays {
        self.delays_with_seed(fastrand::u64(..))
    }

    /// A sequence of delays that depends on `seed` alone.
    pub fn delays_with_seed(self, seed: u64) -> Delays {
        Delays { backoff: self, attempt: 0, rng: fastrand::Rng::with_seed(seed) }
    }

    /// Upper bound of the delay after `attempt` failures, counted from 0.
    fn ceiling(&self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.max)
    }
}

/// The delays of a [`Backoff`], without end.
#[derive(Clone, Debug)]
pub struct Delays {
    backoff: Backoff,
    attempt: u32,
    rng: fastrand::Rng,
}

impl Delays {
    /// Starts again from the first delay.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    /// Number of delays since the start or the last reset.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let ceiling = self.backoff.ceiling(self.attempt);
        self.attempt = self.attempt.saturating_add(1);
        let ceiling_ms =
            ceiling.as_secs().saturating_mul(1_000).saturating_add(ceiling.subsec_millis().into());
        // 49 days at most: a random 64-bit number in a range takes 128-bit arithmetic, which is long code on wasm.
        let ceiling_ms = u32::try_from(ceiling_ms).unwrap_or(u32::MAX);
        Some(Duration::from_millis(self.rng.u32(0..=ceiling_ms).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(2) };

    #[test]
    fn delays_stay_below_a_capped_ceiling() {
        for seed in 0..200 {
            for (attempt, delay) in BACKOFF.delays_with_seed(seed).take(40).enumerate() {
                let doubled = 100_u128.saturating_mul(1 << attempt.min(60));
                assert!(delay.as_millis() <= doubled.min(2_000), "attempt {attempt} waits {delay:?}");
            }
        }
    }

    #[test]
    fn jitter_uses_the_whole_range() {
        let first: Vec<u128> =
            (0..500).map(|seed| BACKOFF.delays_with_seed(seed).next().unwrap().as_millis()).collect();
        assert!(first.iter().any(|ms| *ms < 20) && first.iter().any(|ms| *ms > 80), "{first:?}");
    }

    #[test]
    fn reset_starts_from_the_first_delay() {
        let mut delays = BACKOFF.delays_with_seed(7);
        delays.by_ref().take(10).for_each(drop);
        assert_eq!(delays.attempt(), 10);
        delays.reset();
        assert!(delays.next().unwrap() <= BACKOFF.base);
    }
}
