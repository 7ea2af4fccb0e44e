//! Errors of building a channel.

use http::Uri;

/// The reason for which a channel cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is empty. [`Channel::same_origin`](crate::Channel::same_origin) has none outside a browser.
    #[error(
        "the channel's address is empty: use `Channel::builder(uri)`; `Channel::same_origin` has an address in a browser only"
    )]
    NoAddress,
    /// The address has a user name or a password, which is not repeated here.
    #[error(
        "the address has a user name or a password before an `@`: leave them out, and send tokens by `Builder::credentials`"
    )]
    UserInfo,
    /// The port is not a number up to 65535.
    #[error("`{uri}` needs a port up to 65535, or none")]
    Port {
        /// The address.
        uri: String,
    },
    /// The address has a query, which calls cannot have.
    #[error("`{uri}` has a query behind its `?`, which calls cannot carry: leave it out")]
    Query {
        /// The address.
        uri: String,
    },
    /// The transport chooses by the kind of each method, and the channel has no method table.
    #[error(
        "the transport chooses by the kind of a method: give the builder the table of your contract by `methods`"
    )]
    NoMethods,
    /// The address is not a URI.
    #[error("`{uri}` is not a URI")]
    Malformed {
        /// The address.
        uri: String,
        /// The error in it.
        source: http::uri::InvalidUri,
    },
    /// The URI has another scheme than http and https, or no authority.
    #[error("`{uri}` needs a scheme, http or https, and an authority, as in http://127.0.0.1:50051")]
    NotAbsolute {
        /// The URI.
        uri: String,
    },
    /// The scheme is `https`, and this native program is built without a feature for TLS.
    #[error(
        "`{uri}` needs TLS: enable the feature `tls` of the crate `tonic-web-channel`, or give the builder a transport \
         with TLS, `Native::new(uri, endpoint.tls_config(..)?.connect_lazy())`"
    )]
    TlsNeeded {
        /// The URI.
        uri: Uri,
    },
    /// TLS cannot be set up: for example, the system has no root certificates.
    #[cfg(not(target_arch = "wasm32"))]
    #[error("TLS for `{uri}` cannot be set up")]
    Tls {
        /// The URI.
        uri: Uri,
        /// The reason.
        source: tonic::transport::Error,
    },
    /// A native channel needs a `tokio` runtime, which drives its connection.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(
        "the channel has to be built inside a tokio runtime: in an async function, or after `Runtime::enter`"
    )]
    NoRuntime,
}
