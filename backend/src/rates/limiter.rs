//! One rate for each of many: a limiter with a bounded number of keys.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, RateLimiter};

use super::rate::Rate;

/// How many keys a limiter remembers by themselves: about a megabyte. With that many, until some are
/// forgotten, all keys share [`SHARED_KEYS`] places, each of which has the rate of one key.
pub const MAX_KEYS: usize = 16_384;

/// The places that are shared when there are too many keys. Which key goes where is different in each process,
/// so that nobody can choose whom they share with.
pub const SHARED_KEYS: u64 = 1_024;

/// Limits each key by itself.
#[derive(Debug)]
pub(super) struct KeyedLimiter<K: Copy + Eq + Hash> {
    /// Nothing without a limit.
    limiter: Option<DefaultKeyedRateLimiter<Place<K>>>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place<K> {
    Own(K),
    Shared(u64),
}

impl<K: Copy + Eq + Hash> KeyedLimiter<K> {
    pub(super) fn new(rate: Rate) -> Self {
        Self { limiter: rate.quota().map(RateLimiter::keyed), hasher: RandomState::new() }
    }

    /// Counts one for `key`, or says when the next one is due and counts nothing.
    pub(super) fn check(&self, key: K) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let place = match limiter.len() {
            len if len < MAX_KEYS => Place::Own(key),
            _ => Place::Shared(self.hasher.hash_one(key) % SHARED_KEYS),
        };
        limiter.check_key(&place).map_err(|until| wait(&until))
    }

    /// Forgets the keys whose burst is whole again: they are as if they had never been there.
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

/// Limits all together.
#[derive(Debug)]
pub(super) struct DirectLimiter(Option<DefaultDirectRateLimiter>);

impl DirectLimiter {
    pub(super) fn new(rate: Rate) -> Self {
        Self(rate.quota().map(RateLimiter::direct))
    }

    /// Counts one, or says when the next one is due and counts nothing.
    pub(super) fn check(&self) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check().map_err(|until| wait(&until))
    }
}

/// Rounded up to whole milliseconds, in which the client is told: who waits so long is not too early.
fn wait(until: &NotUntil<<DefaultClock as governor::clock::Clock>::Instant>) -> Duration {
    let wait = until.wait_time_from(DefaultClock::default().now());
    Duration::from_millis(u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_a_burst_of_its_own_and_is_told_when_the_next_one_is_due() {
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
    fn without_a_limit_nothing_is_refused_or_remembered() {
        let limiter = KeyedLimiter::new(Rate::OFF);
        for _ in 0..100_000 {
            limiter.check(1).unwrap();
        }
        assert_eq!(limiter.len(), 0);
        DirectLimiter::new(Rate::OFF).check().unwrap();
    }

    #[test]
    fn memory_is_bounded_whatever_the_keys_and_the_rate_still_holds() {
        let limiter = KeyedLimiter::new(Rate::new(1, 1, Duration::from_secs(3_600)));
        let keys = MAX_KEYS as u64 + 100_000;
        let allowed = (0..keys).filter(|key| limiter.check(*key).is_ok()).count();
        assert!(limiter.len() <= MAX_KEYS + SHARED_KEYS as usize, "{}", limiter.len());
        assert!(allowed <= MAX_KEYS + SHARED_KEYS as usize, "{allowed} of {keys}");
    }

    #[test]
    fn a_key_whose_burst_is_whole_again_is_forgotten_and_one_that_owes_is_not() {
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
