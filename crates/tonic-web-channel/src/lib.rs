//! A gRPC channel for the browser, and with the same interface for native programs.
//!
//! [`Channel`] stands between a client that `tonic` generated and the network. In the browser it
//! speaks gRPC-Web over `fetch`; elsewhere it is `tonic`'s own HTTP/2 channel. Around both it puts
//! what a page needs and they lack: a deadline that also ends the call on this side, errors with a
//! code that can be acted on, and an observer that sees every call. [`Subscription`] keeps a server
//! stream alive over failures, and [`InProcess`] lets tests of all that stands on a channel run without
//! a network. In the browser, `timing` and `devtools` are observers that show calls where its own tools
//! look.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! let channel = tonic_web_channel::Channel::builder("http://127.0.0.1:50051")
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
//!
//! # `Send`
//!
//! On native targets everything here is `Send`. In the browser, values of JavaScript cannot leave
//! their thread. A [`Channel`] and the bodies of responses are `Send` there all the same, because
//! generated clients and user interfaces ask for it, and panic when they are used on another thread
//! than the one that made them. The futures of calls and a [`Subscription`] are not `Send` there, so spawn them
//! with `spawn_local`; what is given to the channel (observers, interceptors, sources of tokens) need not be.

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod attempt;
mod backoff;
mod body;
mod builder;
mod cancel;
mod channel;
mod compression;
mod credentials;
mod deadline;
#[cfg(target_arch = "wasm32")]
pub mod devtools;
mod error;
mod guard;
mod gzip;
mod in_process;
mod interceptor;
#[cfg(target_arch = "wasm32")]
mod js;
mod limits;
mod maybe_send;
mod method;
mod observe;
mod request_body;
mod retry;
mod status;
mod subscription;
mod timer;
#[cfg(target_arch = "wasm32")]
pub mod timing;
mod transport;
mod validate;
#[cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, unused_imports, reason = "native programs speak gRPC-Web in tests only")
)]
mod web;

pub use grpc_wire::reader::BodyEnd;

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
pub use self::in_process::{Fault, InProcess};
pub use self::interceptor::{Interceptor, Outgoing};
pub use self::maybe_send::{BoxFuture, MaybeSend, MaybeSync};
pub use self::method::{Idempotency, Method, MethodKind};
pub use self::observe::{CallEvent, CallEventKind};
pub use self::retry::{RetryPolicy, no_retry, retry_after};
pub use self::status::{code_name, is_transient};
pub use self::subscription::{
    NextAttempt, State, Subscription, SubscriptionHandle, SubscriptionOptions, Update,
};
pub use self::timer::sleep;
#[cfg(not(target_arch = "wasm32"))]
pub use self::transport::Native;
pub use self::transport::Transport;
#[cfg(all(target_arch = "wasm32", feature = "tonic-web-wasm-client"))]
pub use self::transport::WasmClient;
#[cfg(target_arch = "wasm32")]
pub use self::transport::{Cookies, Fetch};

#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
