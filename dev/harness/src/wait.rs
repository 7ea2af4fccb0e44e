//! Waiting for a condition, by polling it.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use tokio::time::{Instant, sleep};

use crate::PATIENCE;

/// Pause between two polls.
const INTERVAL: Duration = Duration::from_millis(20);

/// Polls `condition` until it returns a value, for [`PATIENCE`]. An error is the reason why it does not hold yet; the
/// last reason is part of the error at the end.
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match condition().await {
            Ok(value) => return Ok(value),
            Err(reason) if Instant::now() > deadline => {
                return Err(
                    anyhow!("after {PATIENCE:?}: {reason:#}").context(format!("waited in vain for {what}"))
                );
            }
            Err(_) => sleep(INTERVAL).await,
        }
    }
}

/// Polls `condition` until it is true, for [`PATIENCE`].
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    eventually(what, async || if condition() { Ok(()) } else { bail!("it does not hold") }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_reason_is_part_of_the_error() {
        let mut polls = 0;
        let rain = eventually::<()>("rain", async || {
            polls += 1;
            bail!("poll {polls}")
        });
        let error = format!("{:#}", rain.await.unwrap_err());
        assert!(error.starts_with("waited in vain for rain: after 30s: poll "), "{error}");
        assert!(polls > 100, "it gave up after {polls} polls");
    }

    #[tokio::test]
    async fn a_condition_is_polled_until_it_holds() {
        let mut polls = 0;
        let third = async || {
            polls += 1;
            if polls == 3 { Ok(polls) } else { bail!("not yet") }
        };
        assert_eq!(eventually("the third poll", third).await.unwrap(), 3);
    }
}
