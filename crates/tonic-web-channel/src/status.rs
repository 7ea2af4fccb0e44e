//! What a status code says about trying again, and statuses read off headers.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use tonic::{Code, Status};

pub(crate) const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";
pub(crate) const GRPC_STATUS_DETAILS: &str = "grpc-status-details-bin";

/// Base64 as binary metadata has it: padding may be left out.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether the same call may succeed later without anybody changing it.
///
/// After gRPC's description of the status codes. `UNKNOWN` and `INTERNAL` count as transient,
/// because proxies and browsers report lost connections as these; repeat only calls that are safe to
/// repeat.
pub fn is_transient(code: Code) -> bool {
    match code {
        Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

/// The status in `headers`, which are a response's trailers or the headers of a response without a
/// body. `None` when they have none.
///
/// Details are left out: this is for showing, and malformed ones must not disturb it.
pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Status> {
    let mut plain = HeaderMap::new();
    for name in [GRPC_STATUS, GRPC_MESSAGE] {
        if let Some(value) = headers.get(name) {
            plain.insert(name, value.clone());
        }
    }
    Status::from_header_map(&plain)
}

/// Takes a `grpc-status-details-bin` that is no base64 out of `headers`; `tonic` panics on it.
///
/// Gives whether there was one.
pub(crate) fn drop_malformed_details(headers: &mut HeaderMap) -> bool {
    let Some(value) = headers.get(GRPC_STATUS_DETAILS) else { return false };
    let malformed = BASE64.decode(value.as_bytes()).is_err();
    if malformed {
        headers.remove(GRPC_STATUS_DETAILS);
    }
    malformed
}

/// Takes a status out of `headers` that a body was found to follow, whose trailers have the real one.
pub(crate) fn strip(headers: &mut HeaderMap) {
    for name in [GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_dropped_only_when_tonic_would_panic_on_them() {
        for (details, malformed) in [
            ("CAU", false),
            ("CAU=", false),
            ("", false),
            ("C", true),
            ("CA U", true),
            ("CAU, CAU", true),
            ("CAV", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_STATUS, "5".parse().unwrap());
            headers.insert(GRPC_STATUS_DETAILS, details.parse().unwrap());

            assert_eq!(drop_malformed_details(&mut headers), malformed, "{details:?}");
            assert_eq!(Status::from_header_map(&headers).unwrap().code(), Code::NotFound);
        }
    }
}
