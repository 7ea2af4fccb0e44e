//! The status of a call that is refused for now.

use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Trailing metadata with the delay before a retry, in milliseconds (gRPC A6).
const RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

/// RESOURCE_EXHAUSTED with `message` and the delay before a retry: `google.rpc.RetryInfo` in the details, and
/// `grpc-retry-pushback-ms` in the trailers.
#[must_use]
pub fn retry_later(message: impl Into<String>, after: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(after));
    let mut status = Status::with_error_details(Code::ResourceExhausted, message, details);
    let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    status.metadata_mut().insert(RETRY_PUSHBACK, MetadataValue::from(millis));
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_in_the_details_and_in_the_trailers() {
        let status = retry_later("Too many.", Duration::from_millis(1_500));
        assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "Too many."));
        assert_eq!(status.metadata().get(RETRY_PUSHBACK).unwrap(), "1500");
        let info = status.get_details_retry_info().unwrap();
        assert_eq!(info.retry_delay, Some(Duration::from_millis(1_500)));
    }
}
