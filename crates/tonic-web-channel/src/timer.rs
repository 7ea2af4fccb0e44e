//! Timers for both targets behind one `Sleep` and one `Instant`.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

use std::time::Duration;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use self::native::{Grace, Instant, Sleep, public};
#[cfg(target_arch = "wasm32")]
pub(crate) use self::web::{Grace, Instant, Sleep, public};

/// How long is waited for what is nearly always there at once. In the browser it may be twice as long: there all
/// such waits share one timeout.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// Waits for `duration`: by `tokio`'s timer on native targets, by `setTimeout` in the browser.
///
/// A browser slows the timers of pages that nobody looks at, so there it may take longer.
pub async fn sleep(duration: Duration) {
    Sleep::new(duration).await;
}
