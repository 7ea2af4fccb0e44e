//! Errors of building a channel.

use http::Uri;

/// The reason why a channel cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The text is not a URI.
    #[error("`{uri}` is not a URI")]
    Malformed {
        /// The text.
        uri: String,
        /// The syntax error.
        source: http::uri::InvalidUri,
    },
    /// The URI has no scheme that the channel speaks, or no authority.
    #[error("`{uri}` needs a scheme, http or https, and an authority, as in http://127.0.0.1:50051")]
    NotAbsolute {
        /// The URI.
        uri: String,
    },
    /// The scheme is `https`, and natively the channel speaks TLS only with its feature `tls`.
    #[error(
        "`{uri}` needs TLS: switch on the feature `tls` of the crate `tonic-web-channel`, or give the builder a transport that \
         speaks it, `Native::new(uri, endpoint.tls_config(..)?.connect_lazy())`"
    )]
    TlsNeeded {
        /// The URI.
        uri: Uri,
    },
    /// TLS cannot be set up: for example, the system has no root certificates.
    #[cfg(all(feature = "tls", not(target_arch = "wasm32")))]
    #[error("TLS for `{uri}` cannot be set up")]
    Tls {
        /// The URI.
        uri: Uri,
        /// The cause.
        source: tonic::transport::Error,
    },
}
