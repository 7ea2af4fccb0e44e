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
//! - Options of a channel: [`Builder`]. Options of one call: [`RequestExt`], and `tonic::Request::set_timeout`.
//! - Errors and their codes: [`Error`].
//! - Repeated calls: [`retry`], by what is known of the methods: [`Method`].
//! - Changes to every call: [`Builder::interceptor`], [`TokenSource`], and layers around the [`Channel`].
//! - Events of calls: [`observe`].
//! - Streams that reconnect: [`Subscription`].
//! - Other ways to carry calls, in tests for example: [`Transport`].
//! - Timers and boxed futures for both targets: [`rt`].
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

mod backoff;
mod body;
mod build_error;
mod builder;
mod cancel;
mod channel;
mod compression;
mod context;
mod deadline;
#[cfg(target_arch = "wasm32")]
pub mod devtools;
mod error;
mod gzip;
mod idle_timer;
mod in_process;
#[cfg(target_arch = "wasm32")]
mod js;
mod layer;
mod limits;
mod maybe_send;
mod method;
pub mod observe;
mod request_ext;
pub mod retry;
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

/// The types in the signatures of this crate.
pub use {http, tonic};

pub use grpc_wire::reader::BodyEnd;
pub use tokio_util::sync::CancellationToken;

pub use self::body::ResponseBody;
pub use self::build_error::BuildError;
pub use self::builder::Builder;
pub use self::channel::Channel;
pub use self::compression::CompressionEncoding;
pub use self::context::CallContext;
pub use self::error::Error;
pub use self::in_process::{Fault, InProcess};
pub use self::layer::credentials::TokenSource;
pub use self::layer::interceptor::Outgoing;
pub use self::method::{Idempotency, Method, MethodKind};
pub use self::request_ext::RequestExt;
pub use self::subscription::{
    NextAttempt, State, Subscription, SubscriptionHandle, SubscriptionOptions, Update,
};
#[cfg(not(target_arch = "wasm32"))]
pub use self::transport::Native;
pub use self::transport::Transport;
#[cfg(all(target_arch = "wasm32", feature = "tonic-web-wasm-client"))]
pub use self::transport::WasmClient;
#[cfg(target_arch = "wasm32")]
pub use self::transport::{Cookies, Fetch};

pub mod rt {
    //! Timers, and bounds that are `Send` where the target has threads.

    pub use crate::maybe_send::{BoxFuture, MaybeSend, MaybeSync};
    pub use crate::timer::sleep;
}

#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
