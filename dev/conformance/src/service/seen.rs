//! What the service saw of a request.

use grpc_wire::timeout::{self, GRPC_TIMEOUT};
use prost::Name;
use prost_types::Any;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use crate::metadata::from_metadata;
use crate::pb::Error;
use crate::pb::conformance_payload::RequestInfo;

/// The headers, the timeout, and the messages that have come so far.
#[derive(Clone, Debug)]
pub(super) struct Seen(RequestInfo);

impl Seen {
    /// Before a message has come.
    pub(super) fn none<T>(request: &Request<T>) -> Self {
        let metadata = request.metadata();
        Self(RequestInfo {
            request_headers: from_metadata(metadata),
            timeout_ms: timeout_ms(metadata),
            ..RequestInfo::default()
        })
    }

    /// With the one message of the request.
    pub(super) fn one<Q: Name>(request: &Request<Q>) -> Result<Self, Status> {
        let mut seen = Self::none(request);
        seen.add(request.get_ref())?;
        Ok(seen)
    }

    pub(super) fn add<Q: Name>(&mut self, message: &Q) -> Result<(), Status> {
        self.0.requests.push(any(message)?);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.requests.is_empty()
    }

    /// Takes everything, so that what comes next is told alone.
    pub(super) fn take(&mut self) -> RequestInfo {
        std::mem::take(&mut self.0)
    }

    pub(super) fn into_info(self) -> RequestInfo {
        self.0
    }

    /// `error` with what was seen as one more detail.
    pub(super) fn in_error(self, mut error: Error) -> Result<Error, Status> {
        error.details.push(any(&self.0)?);
        Ok(error)
    }
}

fn any<M: Name>(message: &M) -> Result<Any, Status> {
    Any::from_msg(message).map_err(|error| Status::internal(error.to_string()))
}

/// `grpc-timeout` in milliseconds.
fn timeout_ms(metadata: &MetadataMap) -> Option<i64> {
    let value = metadata.get(GRPC_TIMEOUT.as_str())?;
    let timeout = timeout::parse(value.as_encoded_bytes()).ok()?;
    i64::try_from(timeout.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_of_every_unit_become_milliseconds() {
        let cases = [("2S", Some(2_000)), ("1999m", Some(1_999)), ("2000000u", Some(2_000)), ("5x", None)];
        for (text, expected) in cases {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            assert_eq!(timeout_ms(&metadata), expected, "{text}");
        }
        assert_eq!(timeout_ms(&MetadataMap::new()), None);
    }
}
