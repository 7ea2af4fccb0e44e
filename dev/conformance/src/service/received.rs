//! The received part of a request, which the suite wants back.

use prost::Name;
use prost_types::Any;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use crate::metadata::from_metadata;
use crate::pb::Error;
use crate::pb::conformance_payload::RequestInfo;

/// Headers, timeout, and the messages received so far.
#[derive(Clone, Debug)]
pub(super) struct Received(RequestInfo);

impl Received {
    /// Before the first message.
    pub(super) fn none<T>(request: &Request<T>) -> Self {
        let metadata = request.metadata();
        Self(RequestInfo {
            request_headers: from_metadata(metadata),
            timeout_ms: timeout_ms(metadata),
            ..RequestInfo::default()
        })
    }

    /// With the one message of a unary request.
    pub(super) fn one<Q: Name>(request: &Request<Q>) -> Result<Self, Status> {
        let mut received = Self::none(request);
        received.add(request.get_ref())?;
        Ok(received)
    }

    pub(super) fn add<Q: Name>(&mut self, message: &Q) -> Result<(), Status> {
        self.0.requests.push(any(message)?);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.requests.is_empty()
    }

    /// Takes everything out, so that later messages are reported alone.
    pub(super) fn take(&mut self) -> RequestInfo {
        std::mem::take(&mut self.0)
    }

    pub(super) fn into_info(self) -> RequestInfo {
        self.0
    }

    /// `error` with the received part as one more detail.
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
    let value = metadata.get("grpc-timeout")?;
    i64::try_from(grpc_wire::timeout::parse(value.as_bytes()).ok()?.as_millis()).ok()
}
