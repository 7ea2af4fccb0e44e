//! Waiting for what has to become true.

use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

use crate::Result;

/// How long anything may take before the scenario fails. Two browsers, a server and a compiler may share
/// two cores.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(30);

/// Asks `look` until it gives a value. `look` fails with why it is not so yet; the last reason is what
/// the scenario fails with.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(value) => return Ok(value),
            Err(reason) if Instant::now() > deadline => {
                return Err(
                    anyhow!("after {PATIENCE:?}: {reason:#}").context(format!("waited in vain for {what}"))
                );
            }
            Err(_) => tokio::time::sleep(INTERVAL).await,
        }
    }
}

/// `Ok` when it is so, otherwise what is there instead.
pub fn holds(is_so: bool, instead: impl FnOnce() -> String) -> Result {
    if is_so {
        return Ok(());
    }
    bail!("{}", instead())
}
