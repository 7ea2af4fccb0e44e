//! Timers for both targets behind one `Sleep` and one `Instant`.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

use std::time::Duration;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use self::native::{Instant, Sleep, public};
#[cfg(target_arch = "wasm32")]
pub(crate) use self::web::{Instant, Sleep, public};

/// Waits for `duration`: by `tokio`'s timer on native targets, by `setTimeout` in the browser.
///
/// A browser slows the timers of pages that nobody looks at, so there it may take longer.
pub async fn sleep(duration: Duration) {
    Sleep::new(duration).await;
}
