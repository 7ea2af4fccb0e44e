//! The adapter: makes the call of a case with the generated client over the channel, and reports the result.
//!
//! One function for each kind of response, for every case.

use std::future::Future;

use anyhow::{Result, bail};
use tonic::metadata::MetadataMap;
use tonic::{Response, Status, Streaming};
use tonic_web_channel::retry::RetryPolicy;
use tonic_web_channel::{Channel, CompressionEncoding};

use crate::case::Case;
use crate::metadata::{from_metadata, from_status};
use crate::pb;
use crate::pb::client_compat_response::Result as Outcome;
use crate::pb::conformance_service_client::ConformanceServiceClient;
use crate::pb::{
    BidiStreamResponse, ClientCompatRequest, ClientCompatResponse, ClientErrorResult, ClientResponseResult,
    ClientStreamResponse, ConformancePayload, IdempotentUnaryResponse, Protocol, ServerStreamResponse,
    UnaryResponse, UnimplementedResponse,
};

/// The protocols of this build of the channel: in a browser gRPC-Web by `fetch`, and gRPC by a socket.
const PROTOCOLS: &[Protocol] =
    if cfg!(target_arch = "wasm32") { &[Protocol::GrpcWeb, Protocol::Grpc] } else { &[Protocol::Grpc] };

/// Makes the call that `request` describes.
pub(crate) async fn run(request: ClientCompatRequest) -> ClientCompatResponse {
    let test_name = request.test_name.clone();
    let result = match call(request).await {
        Ok(result) => Outcome::Response(result),
        Err(error) => Outcome::Error(ClientErrorResult { message: format!("{error:#}") }),
    };
    ClientCompatResponse { test_name, result: Some(result) }
}

/// An error means that the case cannot be run. The call's own errors are in the result.
async fn call(request: ClientCompatRequest) -> Result<ClientResponseResult> {
    let case = Case::new(request)?;
    let mut client = client(&case, case.protocol(PROTOCOLS)?)?;
    Ok(match case.method() {
        "Unary" => single(&case, client.unary(case.one().await?)).await,
        "IdempotentUnary" => single(&case, client.idempotent_unary(case.one().await?)).await,
        "Unimplemented" => single(&case, client.unimplemented(case.one().await?)).await,
        "ClientStream" => single(&case, client.client_stream(case.many()?)).await,
        "ServerStream" => several(&case, client.server_stream(case.one().await?)).await,
        "BidiStream" => several(&case, client.bidi_stream(case.many()?)).await,
        other => bail!("there is no method {other}"),
    })
}

#[cfg_attr(not(target_arch = "wasm32"), expect(unused_variables, reason = "it is always gRPC"))]
fn client(case: &Case, protocol: Protocol) -> Result<ConformanceServiceClient<Channel>> {
    // The suite expects exactly one request for each case.
    let mut channel = Channel::builder(case.server()).methods(pb::METHODS).retry(RetryPolicy::never());
    #[cfg(all(target_arch = "wasm32", feature = "tonic-web-wasm-client"))]
    {
        channel = channel.transport(tonic_web_channel::WasmClient::new(case.server().parse()?));
    }
    #[cfg(target_arch = "wasm32")]
    if protocol == Protocol::Grpc {
        channel = channel.transport(tonic_web_channel::Socket::new(crate::page::socket_of(case)?));
    }
    if case.gzip()? {
        channel = channel.send_compressed(CompressionEncoding::Gzip);
    }
    if let Some(limit) = case.receive_limit() {
        channel = channel.max_message_size(limit);
    }
    Ok(ConformanceServiceClient::new(channel.build()?))
}

/// A response message. One without a payload counts, too.
trait Payload {
    fn payload(self) -> ConformancePayload;
}

macro_rules! payload {
    ($($message:ty)*) => {
        $(impl Payload for $message {
            fn payload(self) -> ConformancePayload {
                self.payload.unwrap_or_default()
            }
        })*
    };
}

payload!(UnaryResponse IdempotentUnaryResponse ClientStreamResponse ServerStreamResponse BidiStreamResponse);

impl Payload for UnimplementedResponse {
    fn payload(self) -> ConformancePayload {
        ConformancePayload::default()
    }
}

/// A call with one response message.
///
/// The generated client puts headers and trailers into one map, so each is reported as both.
async fn single<A: Payload>(
    case: &Case,
    call: impl Future<Output = Result<Response<A>, Status>>,
) -> ClientResponseResult {
    match case.watched(call).await {
        Ok(response) => {
            let (metadata, message, _) = response.into_parts();
            let payloads = vec![message.payload()];
            ClientResponseResult { payloads, ..with_metadata(&metadata, &metadata) }
        }
        Err(status) => failed(&status),
    }
}

/// A call with a response stream.
async fn several<A: Payload>(
    case: &Case,
    call: impl Future<Output = Result<Response<Streaming<A>>, Status>>,
) -> ClientResponseResult {
    let all = async {
        let (headers, mut stream) = match call.await {
            Ok(response) => (response.metadata().clone(), response.into_inner()),
            Err(status) => return failed(&status),
        };
        let mut payloads = Vec::new();
        let end = loop {
            match stream.message().await {
                // tonic still returns messages of the chunk after which the call was cancelled.
                Ok(Some(_)) if case.is_cancelled() => continue,
                Ok(Some(message)) => payloads.push(message.payload()),
                Ok(None) => break stream.trailers().await,
                Err(status) => break Err(status),
            }
            case.received(payloads.len());
        };
        let (trailers, error) = match end {
            // A trailers-only response has its trailers in the headers.
            Ok(None) if headers.contains_key("grpc-status") => (headers.clone(), None),
            Ok(trailers) => (trailers.unwrap_or_default(), None),
            Err(status) => (status.metadata().clone(), Some(from_status(&status))),
        };
        ClientResponseResult { payloads, error, ..with_metadata(&headers, &trailers) }
    };
    case.watched(all).await
}

/// A call that failed before its first message: headers and trailers cannot be distinguished.
fn failed(status: &Status) -> ClientResponseResult {
    let metadata = status.metadata();
    ClientResponseResult { error: Some(from_status(status)), ..with_metadata(metadata, metadata) }
}

fn with_metadata(headers: &MetadataMap, trailers: &MetadataMap) -> ClientResponseResult {
    ClientResponseResult {
        response_headers: from_metadata(headers),
        response_trailers: from_metadata(trailers),
        ..ClientResponseResult::default()
    }
}
