//! The suite's service: responds as each request describes, and reports the request back.
//!
//! It implements the trait that tonic generates, by the rules in the suite's `service.proto`.

mod duplex;
mod received;

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_serve::TrailingMetadata;

use self::duplex::FullDuplex;
use self::received::Received;
use crate::metadata::{to_metadata, to_status};
use crate::pb::conformance_service_server::ConformanceService;
use crate::pb::unary_response_definition::Response as Answer;
use crate::pb::{
    BidiStreamRequest, BidiStreamResponse, ClientStreamRequest, ClientStreamResponse, ConformancePayload,
    Header, IdempotentUnaryRequest, IdempotentUnaryResponse, ServerStreamRequest, ServerStreamResponse,
    StreamResponseDefinition, UnaryRequest, UnaryResponse, UnaryResponseDefinition, UnimplementedRequest,
    UnimplementedResponse,
};

/// The service. It has no state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conformance;

#[tonic::async_trait]
impl ConformanceService for Conformance {
    type ServerStreamStream = BoxStream<'static, Result<ServerStreamResponse, Status>>;
    type BidiStreamStream = BoxStream<'static, Result<BidiStreamResponse, Status>>;

    async fn unary(&self, request: Request<UnaryRequest>) -> Result<Response<UnaryResponse>, Status> {
        let definition = request.get_ref().response_definition.clone();
        let response = single(Received::one(&request)?, definition).await?;
        Ok(response.map(|payload| UnaryResponse { payload: Some(payload) }))
    }

    async fn idempotent_unary(
        &self,
        request: Request<IdempotentUnaryRequest>,
    ) -> Result<Response<IdempotentUnaryResponse>, Status> {
        let definition = request.get_ref().response_definition.clone();
        let response = single(Received::one(&request)?, definition).await?;
        Ok(response.map(|payload| IdempotentUnaryResponse { payload: Some(payload) }))
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<ClientStreamRequest>>,
    ) -> Result<Response<ClientStreamResponse>, Status> {
        let mut received = Received::none(&request);
        let mut messages = request.into_inner();
        let mut definition = None;
        while let Some(message) = messages.message().await? {
            if received.is_empty() {
                definition = message.response_definition.clone();
            }
            received.add(&message)?;
        }
        let response = single(received, definition).await?;
        Ok(response.map(|payload| ClientStreamResponse { payload: Some(payload) }))
    }

    async fn server_stream(
        &self,
        request: Request<ServerStreamRequest>,
    ) -> Result<Response<Self::ServerStreamStream>, Status> {
        let definition = request.get_ref().response_definition.clone().unwrap_or_default();
        let received = Received::one(&request)?;
        let payloads = payloads(received, &definition)?;
        let answers = payloads.map(|payload| Ok(ServerStreamResponse { payload: Some(payload?) }));
        with_headers(answers.boxed(), &definition.response_headers)
    }

    async fn bidi_stream(
        &self,
        request: Request<Streaming<BidiStreamRequest>>,
    ) -> Result<Response<Self::BidiStreamStream>, Status> {
        let mut received = Received::none(&request);
        let mut messages = request.into_inner();
        let first = messages.message().await?.unwrap_or_default();
        let definition = first.response_definition.clone().unwrap_or_default();
        let payloads = if first.full_duplex {
            FullDuplex::new(messages, first, received, &definition).payloads()
        } else {
            // The response starts after the whole request: over HTTP/1.1 it may end the request.
            let mut next = Some(first);
            while let Some(message) = next {
                received.add(&message)?;
                next = messages.message().await?;
            }
            payloads(received, &definition)?
        };
        let answers = payloads.map(|payload| Ok(BidiStreamResponse { payload: Some(payload?) }));
        with_headers(answers.boxed(), &definition.response_headers)
    }

    async fn unimplemented(
        &self,
        _: Request<UnimplementedRequest>,
    ) -> Result<Response<UnimplementedResponse>, Status> {
        Err(Status::unimplemented("this method is not implemented"))
    }
}

/// The payloads of a response stream, and its status unless that is a bare OK.
type Payloads = BoxStream<'static, Result<ConformancePayload, Status>>;

/// The response of a method with one response message.
async fn single(
    received: Received,
    definition: Option<UnaryResponseDefinition>,
) -> Result<Response<ConformancePayload>, Status> {
    let definition = definition.unwrap_or_default();
    tokio::time::sleep(delay(definition.response_delay_ms)).await;
    let headers = metadata(&definition.response_headers)?;
    let trailers = metadata(&definition.response_trailers)?;
    let data = match definition.response {
        Some(Answer::Error(error)) => {
            let mut all = headers.into_headers();
            all.extend(trailers.into_headers());
            return Err(to_status(received.in_error(error)?, MetadataMap::from_headers(all)));
        }
        Some(Answer::ResponseData(data)) => data,
        None => Vec::new(),
    };
    let mut response = Response::new(ConformancePayload { data, request_info: Some(received.into_info()) });
    *response.metadata_mut() = headers;
    response.extensions_mut().insert(TrailingMetadata(trailers));
    Ok(response)
}

/// The payloads of `definition`, after the whole request. The first one reports the request.
fn payloads(received: Received, definition: &StreamResponseDefinition) -> Result<Payloads, Status> {
    let delay = delay(definition.response_delay_ms);
    let end = end(definition, || received.clone())?;
    let mut info = Some(received.into_info());
    let data = definition.response_data.iter().cloned();
    let payloads = data.map(|data| Ok(ConformancePayload { data, request_info: info.take() }));
    let payloads: Vec<_> = payloads.collect();
    let payloads = stream::iter(payloads).then(move |payload| async move {
        tokio::time::sleep(delay).await;
        payload
    });
    Ok(payloads.chain(stream::iter(end)).boxed())
}

/// The end of a stream: an error, trailers, or nothing.
///
/// A status of OK carries the trailers of a stream in tonic.
fn end(
    definition: &StreamResponseDefinition,
    received: impl FnOnce() -> Received,
) -> Result<Option<Result<ConformancePayload, Status>>, Status> {
    let trailers = metadata(&definition.response_trailers)?;
    let status = match definition.error.clone() {
        // Without a payload, the error reports the request.
        Some(error) if definition.response_data.is_empty() => {
            to_status(received().in_error(error)?, trailers)
        }
        Some(error) => to_status(error, trailers),
        None if trailers.is_empty() => return Ok(None),
        None => Status::with_metadata(Code::Ok, "", trailers),
    };
    Ok(Some(Err(status)))
}

fn with_headers<T>(body: T, headers: &[Header]) -> Result<Response<T>, Status> {
    let mut response = Response::new(body);
    *response.metadata_mut() = metadata(headers)?;
    Ok(response)
}

fn metadata(headers: &[Header]) -> Result<MetadataMap, Status> {
    to_metadata(headers).map_err(|error| Status::invalid_argument(format!("{error:#}")))
}

fn delay(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}
