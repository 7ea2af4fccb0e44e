#![doc = include_str!("../README.md")]
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

#[cfg(all(target_arch = "wasm32", not(target_os = "unknown")))]
compile_error!(
    "tonic-web-channel supports native targets with tokio, and wasm32-unknown-unknown in a browser; not WASI or Emscripten"
);

mod backoff;
mod body;
mod build_error;
mod builder;
mod cancel;
mod channel;
mod compression;
mod context;
mod deadline;
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
mod trace;
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
pub use self::error::{Error, MessageCount};
pub use self::in_process::{Fault, InProcess};
pub use self::layer::credentials::TokenSource;
pub use self::layer::interceptor::Outgoing;
pub use self::method::{Idempotency, Method, MethodKind};
pub use self::request_ext::RequestExt;
pub use self::subscription::{
    NextAttempt, State, Subscription, SubscriptionHandle, SubscriptionOptions, Update,
};
pub use self::trace::send_traceparent;
#[cfg(target_arch = "wasm32")]
pub use self::transport::Fetch;
#[cfg(not(target_arch = "wasm32"))]
pub use self::transport::Native;
#[cfg(all(target_arch = "wasm32", feature = "tonic-web-wasm-client"))]
pub use self::transport::WasmClient;
#[cfg(feature = "socket")]
pub use self::transport::{Auto, Route, Socket, Windows};
pub use self::transport::{Cookies, Transport};

pub mod rt {
    //! Timers, and bounds that are `Send` where the target has threads.

    pub use crate::maybe_send::{BoxFuture, MaybeSend, MaybeSync};
    pub use crate::timer::sleep;
}

#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
