//! One call of the reflection service. Knows no files.

use bytes::Bytes;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Body as HttpBody, StdError};
use tonic::metadata::MetadataMap;
use tonic::{Code, Extensions, Status};

use super::messages::{Request, Response};
use super::{MAX_DESCRIPTOR_BYTES, ReflectionError, ReflectionVersion};
use crate::codec::BytesCodec;

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

pub(super) struct Client<'m, S> {
    pub(super) service: S,
    pub(super) metadata: &'m MetadataMap,
    pub(super) version: ReflectionVersion,
}

impl<S> Client<'_, S>
where
    S: GrpcService<Body> + Clone,
    S::ResponseBody: HttpBody + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError>,
{
    /// Sends one request and takes its response. The method has streams both ways; on the wire, one message is a stream, too.
    pub(super) async fn call(&self, request: &Request) -> Result<Response, ReflectionError> {
        let path = match self.version {
            ReflectionVersion::V1 => PathAndQuery::from_static(V1),
            ReflectionVersion::V1Alpha => PathAndQuery::from_static(V1_ALPHA),
        };
        let message = request.encode().into();
        let message = match self.response(path, message).await {
            // Some servers end the call where others send an error in their response.
            Err(status) if status.code() == Code::NotFound && *request != Request::Services => {
                return Ok(Response::Error(status.message().to_owned()));
            }
            message => message.map_err(ReflectionError::Call)?,
        };
        message.as_ref().and_then(Response::decode).ok_or_else(|| request.invalid_response())
    }

    async fn response(&self, path: PathAndQuery, message: Bytes) -> Result<Option<Bytes>, Status> {
        let mut grpc = Grpc::new(self.service.clone()).max_decoding_message_size(MAX_DESCRIPTOR_BYTES);
        grpc.ready().await.map_err(|error| Status::unavailable(error.into().to_string()))?;
        let request = tonic::Request::from_parts(self.metadata.clone(), Extensions::new(), message);
        let mut responses = grpc.server_streaming(request, path, BytesCodec).await?.into_inner();
        let first = responses.message().await?;
        // The status is read, so that the call does not count as cancelled.
        if first.is_some() {
            responses.message().await?;
        }
        Ok(first)
    }
}
