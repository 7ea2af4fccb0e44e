//! What the service saw of a request.

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

/// `grpc-timeout` in milliseconds: at most eight digits and a unit.
fn timeout_ms(metadata: &MetadataMap) -> Option<i64> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let unit = text.chars().next_back()?;
    let value: i64 = text.strip_suffix(unit)?.parse().ok()?;
    Some(match unit {
        'H' => value * 3_600_000,
        'M' => value * 60_000,
        'S' => value * 1_000,
        'm' => value,
        'u' => value / 1_000,
        'n' => value / 1_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_told_in_milliseconds_whatever_its_unit() {
        let cases = [("2S", Some(2_000)), ("1999m", Some(1_999)), ("2000000u", Some(2_000)), ("5x", None)];
        for (text, expected) in cases {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            assert_eq!(timeout_ms(&metadata), expected, "{text}");
        }
        assert_eq!(timeout_ms(&MetadataMap::new()), None);
    }
}
