#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! - Options of a channel: [`Builder`]. Options of one call: [`no_deadline`], [`idle_timeout`],
//!   [`cancel_with`], [`no_retry`], and `tonic::Request::set_timeout`.
//! - What failed, and with which code: [`Error`].
//! - What is repeated: [`RetryPolicy`], by what is known of the methods: [`Method`].
//! - What is done to every call: [`Interceptor`], [`TokenSource`], and layers around the [`Channel`].
//! - What happens to calls: [`CallEvent`].
//! - Streams that come back: [`Subscription`].
//! - Calls carried by something else, in tests for example: [`Transport`].

#[cfg(all(target_arch = "wasm32", not(target_os = "unknown")))]
compile_error!(
    "tonic-web-channel supports native targets with tokio, and wasm32-unknown-unknown in a browser; not WASI or Emscripten"
);

mod attempt;
mod backoff;
mod body;
mod builder;
mod cancel;
mod channel;
mod compression;
mod credentials;
mod deadline;
mod error;
mod guard;
mod gzip;
mod in_process;
mod interceptor;
#[cfg(target_arch = "wasm32")]
mod js;
mod limits;
mod maybe_send;
mod messages;
mod method;
mod observe;
mod request_body;
mod retry;
mod status;
mod subscription;
mod timer;
mod transport;
#[cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, unused_imports, reason = "native programs speak gRPC-Web in tests only")
)]
mod web;

pub use self::backoff::{Backoff, Delays};
pub use self::body::ResponseBody;
pub use self::builder::{BuildError, Builder};
pub use self::cancel::cancel_with;
pub use self::channel::Channel;
pub use self::compression::Compression;
pub use self::credentials::TokenSource;
pub use self::deadline::no_deadline;
pub use self::error::{Error, MessageCount};
pub use self::guard::idle_timeout;
pub use self::gzip::gunzip;
pub use self::in_process::{Fault, InProcess};
pub use self::interceptor::{Interceptor, Outgoing};
pub use self::maybe_send::{BoxFuture, MaybeSend, MaybeSync};
pub use self::method::{Idempotency, Kind, Method};
pub use self::observe::{CallEvent, CallEventKind};
pub use self::retry::{RetryPolicy, no_retry, retry_after};
pub use self::status::{code_name, is_transient};
pub use self::subscription::{
    NextAttempt, State, Subscription, SubscriptionHandle, SubscriptionOptions, Update,
};
pub use self::timer::sleep;
#[cfg(target_arch = "wasm32")]
pub use self::transport::Fetch;
#[cfg(not(target_arch = "wasm32"))]
pub use self::transport::Native;
#[cfg(all(target_arch = "wasm32", feature = "tonic-web-wasm-client"))]
pub use self::transport::WasmClient;
pub use self::transport::{Cookies, Transport};

/// What the fuzzer calls. No part of the interface.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    /// Reads `data` as one response of gRPC-Web, and panics when it shows a fault.
    pub fn web_response(data: &[u8]) {
        crate::web::fuzzing::check(data);
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
