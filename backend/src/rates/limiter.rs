//! A rate limiter with a bounded number of keys.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, RateLimiter};

use super::rate::Rate;

/// Keys that a limiter tracks individually: about a megabyte. Above that, until idle keys are removed, all further keys
/// share [`SHARED_KEYS`] buckets, each with the rate of one key.
pub const MAX_KEYS: usize = 16_384;

/// Buckets for keys beyond [`MAX_KEYS`]. The assignment is random per process, so that an attacker cannot choose with
/// whom they share a bucket.
pub const SHARED_KEYS: u64 = 1_024;

/// Limits each key individually.
#[derive(Debug)]
pub(super) struct KeyedLimiter<K: Copy + Eq + Hash> {
    /// `None`: no limit.
    limiter: Option<DefaultKeyedRateLimiter<Bucket<K>>>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Bucket<K> {
    Own(K),
    Shared(u64),
}

impl<K: Copy + Eq + Hash> KeyedLimiter<K> {
    pub(super) fn new(rate: Rate) -> Self {
        Self { limiter: rate.quota().map(RateLimiter::keyed), hasher: RandomState::new() }
    }

    /// Counts one action for `key`. When none is due, returns the delay until the next one and counts nothing.
    pub(super) fn check(&self, key: K) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let bucket = match limiter.len() {
            len if len < MAX_KEYS => Bucket::Own(key),
            _ => Bucket::Shared(self.hasher.hash_one(key) % SHARED_KEYS),
        };
        limiter.check_key(&bucket).map_err(|until| wait(&until))
    }

    /// Removes keys whose burst is available in full again: they behave like new ones.
    pub(super) fn retain_recent(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.limiter.as_ref().map_or(0, |limiter| limiter.len())
    }
}

/// One limit for all.
#[derive(Debug)]
pub(super) struct DirectLimiter(Option<DefaultDirectRateLimiter>);

impl DirectLimiter {
    pub(super) fn new(rate: Rate) -> Self {
        Self(rate.quota().map(RateLimiter::direct))
    }

    /// Counts one action. When none is due, returns the delay until the next one and counts nothing.
    pub(super) fn check(&self) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check().map_err(|until| wait(&until))
    }
}

/// Rounds up to whole milliseconds, the unit of the pushback, so that a client that waits that long is not too early.
fn wait(until: &NotUntil<<DefaultClock as governor::clock::Clock>::Instant>) -> Duration {
    let wait = until.wait_time_from(DefaultClock::default().now());
    Duration::from_millis(u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_burst_and_refusals_carry_the_delay() {
        let limiter = KeyedLimiter::new(Rate::new(3, 1, Duration::from_secs(3_600)));
        for key in ["a", "b"] {
            for _ in 0..3 {
                limiter.check(key).unwrap();
            }
            let wait = limiter.check(key).unwrap_err();
            assert!(wait > Duration::from_secs(3_500) && wait <= Duration::from_secs(3_600), "{wait:?}");
        }
    }

    #[test]
    fn without_a_limit_nothing_is_refused_or_stored() {
        let limiter = KeyedLimiter::new(Rate::OFF);
        for _ in 0..100_000 {
            limiter.check(1).unwrap();
        }
        assert_eq!(limiter.len(), 0);
        DirectLimiter::new(Rate::OFF).check().unwrap();
    }

    #[test]
    fn memory_is_bounded_for_any_number_of_keys() {
        let limiter = KeyedLimiter::new(Rate::new(1, 1, Duration::from_secs(3_600)));
        let keys = MAX_KEYS as u64 + 100_000;
        let allowed = (0..keys).filter(|key| limiter.check(*key).is_ok()).count();
        assert!(limiter.len() <= MAX_KEYS + SHARED_KEYS as usize, "{}", limiter.len());
        assert!(allowed <= MAX_KEYS + SHARED_KEYS as usize, "{allowed} of {keys}");
    }

    #[test]
    fn only_keys_with_a_full_burst_are_removed() {
        let limiter = KeyedLimiter::new(Rate::new(1, 1_000_000, Duration::from_secs(1)));
        for key in 0..100 {
            limiter.check(key).unwrap();
        }
        while limiter.len() > 0 {
            limiter.retain_recent();
        }
        let limiter = KeyedLimiter::new(Rate::new(1, 1, Duration::from_secs(3_600)));
        limiter.check(1).unwrap();
        limiter.retain_recent();
        assert!(limiter.check(1).is_err());
    }
}
