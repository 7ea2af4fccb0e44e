//! The listening port: it accepts connections, speaks TLS and HTTP on them, and drains them at shutdown.
//!
//! Passes requests to the application's service, and knows neither its calls nor its page.

mod connection;
mod proxy;
mod refusals;
mod request_body;
mod serve;
mod socket;
mod tls;

pub use self::proxy::{Network, NetworkError, TrustedProxies};
pub use self::serve::serve;
pub use self::socket::listen;
pub use self::tls::{AuthorityError, ClientCertificates, Tls, TlsError};
