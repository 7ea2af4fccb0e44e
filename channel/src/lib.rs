//! A gRPC channel for the browser, and with the same interface for native programs.
//!
//! [`Channel`] stands between a client that `tonic` generated and the network. In the browser it
//! speaks gRPC-Web over `fetch`; elsewhere it is `tonic`'s own HTTP/2 channel. Around both it puts
//! what a page needs and they lack: a deadline that also ends the call on this side, errors with a
//! code that can be acted on, and an observer that sees every call. [`Subscription`] keeps a server
//! stream alive over failures.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! let channel = channel::Channel::builder("http://127.0.0.1:50051")
//!     .deadline(Duration::from_secs(20))
//!     .build()?;
//! // Any generated client takes it: `GreeterClient::new(channel.clone())`.
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
//! ```
//!
//! It knows no service of anybody's.
//!
//! # `Send`
//!
//! On native targets everything here is `Send`. In the browser, values of JavaScript cannot leave
//! their thread: the futures are not `Send` there, so spawn them with `spawn_local`. Response bodies
//! are `Send` on every target, because generated clients ask for it; on wasm they panic when they are
//! polled on another thread than the one that made the call.

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
mod interceptor;
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
pub use self::error::Error;
pub use self::guard::idle_timeout;
pub use self::gzip::gunzip;
pub use self::interceptor::{Interceptor, Outgoing};
pub use self::maybe_send::{BoxFuture, MaybeSend, MaybeSync};
pub use self::method::{Idempotency, Kind, Method};
pub use self::observe::{CallEvent, CallEventKind};
pub use self::retry::{RetryPolicy, no_retry};
pub use self::status::is_transient;
pub use self::subscription::{State, Subscription, SubscriptionHandle, SubscriptionOptions, Update};
pub use self::timer::sleep;
pub use self::transport::Transport;
#[cfg(all(target_arch = "wasm32", feature = "tonic-web-wasm-client"))]
pub use self::transport::WasmClient;
#[cfg(target_arch = "wasm32")]
pub use self::transport::{Credentials, Fetch};

/// What the fuzzer calls. No part of the interface.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    /// Reads `data` as one response of gRPC-Web, and panics when it shows a fault.
    pub fn web_response(data: &[u8]) {
        crate::web::fuzzing::check(data);
    }
}
