//! The HTTP side of a gRPC server that browsers can call: one port for native gRPC (HTTP/2), gRPC-Web
//! (HTTP/1.1 and HTTP/2, binary and text) and a page with its assets, in cleartext or TLS.
//!
//! Knows HTTP and the gRPC protocols; names no service and no type of any application.
#![doc = include_str!("../README.md")]

mod app;
mod budget;
mod client;
mod connection;
mod contract;
mod cors;
mod cross_site;
mod deadline;
mod guard;
mod headers;
mod host;
mod listen;
mod messages;
mod methods;
mod options;
mod pace;
mod page;
mod protocol;
mod proxy;
mod serve;
mod text;
mod tls;
mod trailers;
mod unread;

pub use self::app::App;
pub use self::client::{ClientAddress, retry_later};
pub use self::cors::{CorsOptions, Origin, OriginError};
pub use self::host::{AllowedHosts, HostName, HostNameError};
pub use self::listen::listen;
pub use self::methods::{DescriptorError, Methods};
pub use self::options::ServeOptions;
pub use self::page::Page;
pub use self::proxy::{Network, NetworkError, TrustedProxies};
pub use self::serve::serve;
pub use self::tls::{AuthorityError, ClientCertificates, Tls, TlsError};
pub use self::trailers::TrailingMetadata;
