//! The codes of HTTP/2 errors, for every transport over HTTP/2.
//!
//! Specification: "Errors" of `PROTOCOL-HTTP2.md`.

use grpc_wire::status::code_of_reset;
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
        Some(reason) => Code::from_i32(code_of_reset(reason.into())),
        None => Code::Unknown,
    };
    Some(Status::new(code, format!("the server reset the call ({error})")))
}
