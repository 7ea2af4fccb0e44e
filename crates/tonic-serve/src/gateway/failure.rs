//! Failures between the gateway and an upstream, and their statuses.
//!
//! Specification: "Errors" of `PROTOCOL-HTTP2.md`.

use std::error::Error;
use std::fmt;

use grpc_wire::status::code_of_reset;
use tonic::{Code, ConnectError, Status};

/// A failure between the gateway and an upstream. Its text names no address.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no connection.
    Connect {
        /// The last error in the chain.
        reason: String,
    },
    /// The upstream does not answer in HTTP/2.
    NotHttp2,
    /// The connection ended.
    Lost {
        /// The last error in the chain.
        reason: String,
        /// Whether the upstream had answered before.
        has_answered: bool,
    },
    /// The upstream reset the call.
    Reset { reason: h2::Reason },
}

impl Failure {
    /// Whether other calls will fail, too.
    pub(super) fn is_unreachable(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::NotHttp2 => true,
            Self::Lost { has_answered, .. } => !has_answered,
            Self::Reset { .. } => false,
        }
    }

    pub(super) fn into_status(self) -> Status {
        let code = match &self {
            Self::Reset { reason } => Code::from_i32(code_of_reset((*reason).into())),
            Self::Connect { .. } | Self::NotHttp2 | Self::Lost { .. } => Code::Unavailable,
        };
        Status::new(code, self.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { reason } => write!(f, "the upstream cannot be reached: {reason}"),
            Self::NotHttp2 => f.write_str("the upstream does not speak HTTP/2, or it expects TLS"),
            Self::Lost { reason, has_answered: true } => {
                write!(f, "the upstream's connection was lost: {reason}")
            }
            Self::Lost { reason, has_answered: false } => {
                write!(
                    f,
                    "the upstream closed the connection without an answer ({reason}); if every call fails so, it does not \
                     speak HTTP/2, or it expects TLS"
                )
            }
            Self::Reset { reason } => write!(f, "the upstream reset the call ({reason:?})"),
        }
    }
}

/// Finds the failure behind `error`. `has_answered`: whether the upstream has answered on this connection.
pub(super) fn classify(error: &(dyn Error + 'static), has_answered: bool) -> Failure {
    let causes = || std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    let last = || causes().last().map(ToString::to_string).unwrap_or_default();
    if causes().any(|cause| cause.is::<ConnectError>()) {
        return Failure::Connect { reason: last() };
    }
    let error = causes().find_map(|cause| cause.downcast_ref::<h2::Error>());
    match error.and_then(|error| Some((error, error.reason()?))) {
        Some((error, reason)) if error.is_reset() => Failure::Reset { reason },
        // The first bytes of an HTTP/1.1 response and of a TLS alert both read as a frame that is too long.
        Some((error, h2::Reason::FRAME_SIZE_ERROR)) if error.is_library() => Failure::NotHttp2,
        _ => Failure::Lost { reason: last(), has_answered },
    }
}
