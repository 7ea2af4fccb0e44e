//! The listening port: it accepts connections, speaks TLS and HTTP on them, and drains them at shutdown.
//!
//! Passes requests to the application's service, and knows neither its calls nor its page.

mod connection;
mod refusals;
mod request_body;
mod serve;
mod socket;

pub use self::serve::serve;
pub use self::socket::listen;
