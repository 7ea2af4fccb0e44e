//! The codes of HTTP/2 errors, for every transport over HTTP/2.
//!
//! Specification: "Errors" of `PROTOCOL-HTTP2.md`.

use tonic::{Code, Status};

use crate::error::Error;

/// The status for an HTTP/2 error that ended one call. `None` when it ended the connection in another way.
pub(super) fn status_of(error: &h2::Error) -> Option<Status> {
    // A server that stops names the last call that it processes.
    if error.is_go_away() && error.is_remote() {
        return Some(Error::NotProcessed { reason: error.to_string() }.into());
    }
    if !error.is_reset() {
        return None;
    }
    let code = match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) if error.is_remote() => {
            return Some(Error::NotProcessed { reason: error.to_string() }.into());
        }
        Some(reason) => code_of_reset(reason),
        None => Code::Unknown,
    };
    Some(Status::new(code, format!("the server reset the call ({error})")))
}

fn code_of_reset(reason: h2::Reason) -> Code {
    match reason {
        h2::Reason::NO_ERROR
        | h2::Reason::PROTOCOL_ERROR
        | h2::Reason::INTERNAL_ERROR
        | h2::Reason::FLOW_CONTROL_ERROR
        | h2::Reason::SETTINGS_TIMEOUT
        | h2::Reason::FRAME_SIZE_ERROR
        | h2::Reason::COMPRESSION_ERROR
        | h2::Reason::CONNECT_ERROR => Code::Internal,
        h2::Reason::REFUSED_STREAM => Code::Unavailable,
        h2::Reason::CANCEL => Code::Cancelled,
        h2::Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        h2::Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Unknown,
    }
}
