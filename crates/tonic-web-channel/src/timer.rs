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

/// Timeout for events that normally arrive at once, such as the end of a body after its trailers. In the browser up to
/// twice as long, because all such waits share one timer there.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// The longest time that a timer is set for, so that adding it to the clock cannot overflow: a leap year.
pub(crate) const MAX_DELAY: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Waits for `duration`: by `tokio`'s timer on native targets, by `setTimeout` in the browser.
///
/// Browsers throttle the timers of hidden pages, so the wait may take up to a minute longer there.
pub async fn sleep(duration: Duration) {
    Sleep::new(duration).await;
}
