//! The HTTP side of a gRPC server that browsers can call: one port for native gRPC (HTTP/2), gRPC-Web (HTTP/1.1 and HTTP/2,
//! binary and text) and a page with its files, in cleartext or TLS.
//!
//! Knows HTTP and the gRPC protocols, and no service and no type of any application.
#![doc = include_str!("../README.md")]

mod app;
mod base_path;
mod body_timeout;
mod budget;
mod client_address;
#[cfg(feature = "gateway")]
mod gateway;
mod grpc;
mod host;
mod listen;
mod observer;
mod options;
mod page;
mod proxy;
mod readiness;
mod response;
mod retry_later;
mod termination;
mod tls;
mod tracer;
mod websocket;
mod when_woken;

pub use self::app::App;
pub use self::base_path::{BasePath, BasePathError};
pub use self::client_address::ClientAddress;
#[cfg(feature = "gateway")]
pub use self::gateway::{Gateway, TlsSetupError, Upstream, UpstreamError};
pub use self::grpc::{CorsOptions, DescriptorError, Methods, Origin, OriginError, TrailingMetadata};
pub use self::host::{AllowedHosts, HostName, HostNameError};
pub use self::listen::{listen, serve};
pub use self::observer::{EndedCall, KnownMethod, Limit, LimitOutcome, Observer, Protocol};
pub use self::options::ServeOptions;
pub use self::page::{Page, SourceError};
pub use self::proxy::{Network, NetworkError, TrustedProxies};
pub use self::readiness::{NotReady, Readiness};
pub use self::retry_later::retry_later;
pub use self::tls::{AuthorityError, ClientCertificates, Tls, TlsError};
pub use self::tracer::{CallHead, CallSpan, CallTracer};
