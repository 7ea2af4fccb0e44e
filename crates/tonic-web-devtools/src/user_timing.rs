//! Calls on the browser's timeline: an observer that records a User Timing measure for every call.
//!
//! Specifications: User Timing Level 3, and Chromium's "Performance panel extensibility API" for the track.

#[cfg(target_arch = "wasm32")]
mod browser;

use tonic_web_channel::observe::CallEvent;

/// An observer for [`Builder::observer`](tonic_web_channel::Builder::observer) that records every call with
/// `performance.measure`. It does nothing natively.
///
/// The name of the measure is the call's path. Its `detail` has these properties:
///
/// - `path`;
/// - `call`: a number that is unique in this program;
/// - `code`: the name of the status code, such as `DEADLINE_EXCEEDED`;
/// - `headers`: the time of the response's headers in milliseconds by `performance.now()`, or null;
/// - `devtools`: shows the call on the track "gRPC" of Chromium's Performance panel.
///
/// The page's performance buffer has no limit of its own, so it keeps only the newest measure of each path. A
/// `PerformanceObserver` and a recording see all of them.
///
/// ```no_run
/// # fn build() -> Result<tonic_web_channel::Channel, tonic_web_channel::BuildError> {
/// let channel = tonic_web_channel::Channel::builder("https://example.com")
///     .observer(tonic_web_devtools::user_timing::observer())
///     .build()?;
/// # Ok(channel)
/// # }
/// ```
#[cfg(target_arch = "wasm32")]
pub fn observer() -> impl Fn(&CallEvent) + 'static {
    browser::observer()
}

/// An observer that does nothing, because there is no browser. In the browser it records every call with
/// `performance.measure`.
#[cfg(not(target_arch = "wasm32"))]
pub fn observer() -> impl Fn(&CallEvent) + Send + Sync + 'static {
    |_| {}
}
