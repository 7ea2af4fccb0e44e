//! Calls in gRPC-Web browser extensions: an observer that speaks their `postMessage` protocol.
//!
//! The extensions listen in the page for messages of the type `__GRPCWEB_DEVTOOLS__`. A method with one response is
//! reported in one message when it ends. A stream is reported in one message for its request, one for each response, and
//! one for its end.

#[cfg(target_arch = "wasm32")]
mod browser;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tonic_web_channel::observe::CallEvent;
use wasm_bindgen::JsValue;

/// A message to be shown by an extension.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Message<'a> {
    /// `/package.Service/Method`.
    pub path: &'a str,
    /// The sender.
    pub direction: Direction,
    /// The first byte of the message's prefix. Bit 0 marks a compressed message.
    pub flags: u8,
    /// The length of the message in bytes.
    pub length: usize,
    /// The start of the message, up to the limit of [`Builder::capture`](tonic_web_channel::Builder::capture).
    pub content: &'a Bytes,
}

/// The sender of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The page.
    Request,
    /// The server.
    Response,
}

/// An observer for [`Builder::observer`](tonic_web_channel::Builder::observer) that reports calls to the extensions. Set
/// [`Builder::capture`](tonic_web_channel::Builder::capture) to the length up to which messages are shown. It does nothing
/// natively.
///
/// `describe` turns a message into the value that the extension shows, usually an object decoded from it; [`base64()`]
/// shows the bytes of any message. It is called only for calls that start while an extension is installed, and nothing is
/// posted for other calls.
///
/// ```no_run
/// # fn build() -> Result<tonic_web_channel::Channel, tonic_web_channel::BuildError> {
/// use tonic_web_devtools::extension;
///
/// let channel = tonic_web_channel::Channel::builder("https://example.com")
///     .capture(64 * 1024)
///     .observer(extension::observer(extension::base64))
///     .build()?;
/// # Ok(channel)
/// # }
/// ```
#[cfg(target_arch = "wasm32")]
pub fn observer(describe: impl Fn(Message<'_>) -> JsValue + 'static) -> impl Fn(&CallEvent) + 'static {
    browser::observer(describe)
}

/// An observer that does nothing, because there is no browser. In the browser it reports calls to the extensions.
#[cfg(not(target_arch = "wasm32"))]
pub fn observer(
    describe: impl Fn(Message<'_>) -> JsValue + 'static,
) -> impl Fn(&CallEvent) + Send + Sync + 'static {
    drop(describe);
    |_| {}
}

/// The bytes of a message in base64.
pub fn base64(message: Message<'_>) -> JsValue {
    STANDARD.encode(message.content).into()
}
