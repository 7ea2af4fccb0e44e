//! The messages that all subscribers together have received, with the time of their sending in the text.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

/// The zero of the times in messages.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A time stands between two of these, as so many hexadecimal digits of microseconds.
const MARK: u8 = b'@';
const DIGITS: usize = 16;
/// With the time a text of 100 characters.
const TEXT: &str = " A line that somebody wrote, not too short and not too long for a chat. And so on.";

/// Resolution and maximum of latencies.
const BUCKET_US: u64 = 100;
const BUCKETS: usize = 100_000;

/// Time in which nothing comes when everything has come.
const QUIET: Duration = Duration::from_millis(500);
/// Time in which all deliveries have to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message with the time of now.
pub(super) fn message() -> String {
    format!("@{:016x}@{TEXT}", now_us())
}

fn now_us() -> u64 {
    u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Counts of all subscribers.
pub(super) struct Received {
    bytes: AtomicU64,
    deliveries: AtomicU64,
    latencies: Vec<AtomicU32>,
}

impl Default for Received {
    fn default() -> Self {
        let latencies = std::iter::repeat_with(AtomicU32::default).take(BUCKETS).collect();
        Self { bytes: AtomicU64::default(), deliveries: AtomicU64::default(), latencies }
    }
}

impl Received {
    /// Counts the messages of a subscriber in the bytes that came. `rest` is the message at their end that is not complete.
    pub(super) fn count(&self, bytes: &[u8], rest: &mut Vec<u8>) {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if rest.is_empty() {
            *rest = self.count_whole(bytes).to_vec();
        } else {
            rest.extend_from_slice(bytes);
            let before = std::mem::take(rest);
            *rest = self.count_whole(&before).to_vec();
        }
    }

    /// Returns the bytes from the last mark, if its time is not complete.
    fn count_whole<'a>(&self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some(mark) = bytes.iter().position(|byte| *byte == MARK) {
            let from = &bytes[mark + 1..];
            let Some(digits) = from.get(..DIGITS) else { return &bytes[mark..] };
            match std::str::from_utf8(digits).map(|digits| u64::from_str_radix(digits, 16)) {
                Ok(Ok(sent)) => {
                    self.count_delivery(now_us().saturating_sub(sent));
                    // With the mark behind the time.
                    bytes = from.get(DIGITS + 1..).unwrap_or_default();
                }
                _ => bytes = from,
            }
        }
        &[]
    }

    fn count_delivery(&self, latency_us: u64) {
        let bucket = usize::try_from(latency_us / BUCKET_US).unwrap_or(usize::MAX).min(BUCKETS - 1);
        self.latencies[bucket].fetch_add(1, Ordering::Relaxed);
        self.deliveries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts from zero again.
    pub(super) fn forget(&self) {
        self.deliveries.store(0, Ordering::Relaxed);
        self.latencies.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// A quantile of the latencies.
    pub(super) fn latency_ms(&self, quantile: f64) -> f64 {
        let wanted = self.deliveries.load(Ordering::Relaxed) as f64 * quantile;
        let mut counted = 0.0;
        let bucket = self.latencies.iter().position(|count| {
            counted += f64::from(count.load(Ordering::Relaxed));
            counted >= wanted
        });
        (bucket.unwrap_or(BUCKETS) as u64 * BUCKET_US) as f64 / 1_000.0
    }

    /// Waits until nothing comes any more.
    pub(super) async fn quiet(&self) {
        loop {
            let before = self.bytes.load(Ordering::Relaxed);
            sleep(QUIET).await;
            if self.bytes.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }

    /// Waits until exactly `count` messages have come.
    pub(super) async fn deliveries(&self, count: u64) -> Result<()> {
        let limit = Instant::now() + PATIENCE;
        while self.deliveries.load(Ordering::Relaxed) < count {
            ensure!(
                Instant::now() < limit,
                "{} of {count} messages came",
                self.deliveries.load(Ordering::Relaxed)
            );
            sleep(Duration::from_millis(5)).await;
        }
        let came = self.deliveries.load(Ordering::Relaxed);
        ensure!(came == count, "{came} messages came instead of {count}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_wherever_they_are_cut() {
        let text = format!("head {} middle@ {} {}", message(), message(), message());
        for size in 1..text.len() {
            let (received, mut rest) = (Received::default(), Vec::new());
            for part in text.as_bytes().chunks(size) {
                received.count(part, &mut rest);
            }
            assert_eq!(received.deliveries.load(Ordering::Relaxed), 3, "in parts of {size}");
        }
    }

    #[test]
    fn quantile_is_that_of_the_latencies() {
        let received = Received::default();
        for latency_ms in 1..=100 {
            received.count_delivery(latency_ms * 1_000);
        }
        assert!((received.latency_ms(0.5) - 50.0).abs() < 0.1);
        assert!((received.latency_ms(0.99) - 99.0).abs() < 0.1);
    }
}
