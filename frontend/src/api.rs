//! The page's calls, one method for each RPC. The only file that names methods and generated clients.
//!
//! Methods take and return messages of the contracts. Dropping a future or a stream cancels its call.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::Stream;
use grpc_inspect::{codec::BytesCodec, frame::MAX_PAYLOAD_BYTES};
use http::uri::PathAndQuery;
use leptos::prelude::*;
use prost::Message as _;
use proto::{
    UnaryRequest,
    chat::v1::{self as pb, chat_service_client::ChatServiceClient},
    helloworld::{HelloReply, HelloRequest, greeter_client::GreeterClient},
};
use tonic::{Request, Response, Status, Streaming, client::Grpc};
use tonic_web_channel::observe::CallEvent;
use tonic_web_channel::retry::Backoff;
use tonic_web_channel::rt::{MaybeSend, MaybeSync};
use tonic_web_channel::{
    Builder, Channel, RequestExt as _, Subscription, SubscriptionHandle, SubscriptionOptions,
    send_traceparent,
};

use crate::base::traces_calls;

/// Deadline of calls without another: enough for a slow network, and not too long for a person to wait.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(20);

/// Time from the start of the stream to its first frame.
const FIRST_FRAME_TIMEOUT: Duration = Duration::from_secs(5);

/// Delays between attempts to connect. Short, so that the page is back within seconds of the server or the network.
pub(crate) const RECONNECT_BACKOFF: Backoff =
    Backoff { base: Duration::from_millis(500), max: Duration::from_secs(4) };

/// The page's calls, on one channel. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api {
    channel: Channel,
    /// For calls whose messages have secrets: it captures no bytes of them for the calls panel.
    secret: Channel,
}

/// Options of `SayHelloStreamReply`; see `helloworld.proto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamOptions {
    /// Number of greetings; without it they continue until cancelled.
    pub(crate) count: Option<u32>,
    /// Milliseconds between two greetings; without it the server's default.
    pub(crate) interval_ms: Option<u32>,
}

impl Api {
    /// Calls to the server at an address such as `http://127.0.0.1:50051/chat/`, which are reported to `observer`.
    pub(crate) fn new(
        address: &str,
        observer: impl Fn(&CallEvent) + MaybeSend + MaybeSync + 'static,
    ) -> Result<Api, tonic_web_channel::BuildError> {
        let observer = Arc::new(observer);
        let channel = |captured_bytes| {
            let observer = observer.clone();
            builder(address)
                .methods(proto::METHODS)
                .deadline(DEFAULT_DEADLINE)
                .capture(captured_bytes)
                .observer(move |event: &CallEvent| observer(event))
                .build()
        };
        Ok(Api { channel: channel(MAX_PAYLOAD_BYTES)?, secret: channel(0)? })
    }

    /// `chat.v1.ChatService/Join`. The browser keeps the session's cookie.
    pub(crate) async fn join(&self, request: pb::JoinRequest) -> Result<pb::JoinResponse, Status> {
        unary(&self.secret, Request::new(request)).await
    }

    /// `chat.v1.ChatService/GetSession`.
    pub(crate) async fn get_session(&self, timeout: Duration) -> Result<pb::GetSessionResponse, Status> {
        let mut request = Request::new(pb::GetSessionRequest {});
        // The callers repeat it, and say so.
        request.no_retry();
        set_timeout(&mut request, timeout);
        unary(&self.channel, request).await
    }

    /// `chat.v1.ChatService/Recover`. The browser keeps the session's cookie.
    pub(crate) async fn recover(&self, request: pb::RecoverRequest) -> Result<pb::RecoverResponse, Status> {
        unary(&self.secret, Request::new(request)).await
    }

    /// `chat.v1.ChatService/NewRecoveryCode`.
    pub(crate) async fn new_recovery_code(&self) -> Result<pb::NewRecoveryCodeResponse, Status> {
        unary(&self.secret, Request::new(pb::NewRecoveryCodeRequest {})).await
    }

    /// `chat.v1.ChatService/ListSessions`.
    pub(crate) async fn list_sessions(&self) -> Result<pb::ListSessionsResponse, Status> {
        unary(&self.channel, Request::new(pb::ListSessionsRequest {})).await
    }

    /// `chat.v1.ChatService/EndSession`.
    pub(crate) async fn end_session(&self, session_id: String) -> Result<pb::EndSessionResponse, Status> {
        unary(&self.channel, Request::new(pb::EndSessionRequest { session_id })).await
    }

    /// `chat.v1.ChatService/SignOut` of the session with this token, whatever cookie the browser has.
    pub(crate) async fn sign_out_by_token(&self, token: &str) -> Result<(), Status> {
        let mut request = Request::new(pb::SignOutRequest {});
        let value = ["Bearer ", token].concat().parse().map_err(|_| Status::internal("invalid token"))?;
        request.metadata_mut().insert("authorization", value);
        unary(&self.secret, request).await.map(drop)
    }

    /// `chat.v1.ChatService/SignOut`.
    pub(crate) async fn sign_out(&self) -> Result<pb::SignOutResponse, Status> {
        unary(&self.channel, Request::new(pb::SignOutRequest {})).await
    }

    /// `chat.v1.ChatService/CreateRoom`.
    pub(crate) async fn create_room(
        &self,
        request: pb::CreateRoomRequest,
    ) -> Result<pb::CreateRoomResponse, Status> {
        unary(&self.channel, Request::new(request)).await
    }

    /// `chat.v1.ChatService/SendMessage`.
    pub(crate) async fn send_message(
        &self,
        request: pb::SendMessageRequest,
        timeout: Duration,
    ) -> Result<pb::SendMessageResponse, Status> {
        let mut request = Request::new(request);
        // The outbox retries, and shows when.
        request.no_retry();
        set_timeout(&mut request, timeout);
        unary(&self.channel, request).await
    }

    /// `chat.v1.ChatService/ListEvents`.
    pub(crate) async fn list_events(
        &self,
        request: pb::ListEventsRequest,
    ) -> Result<pb::ListEventsResponse, Status> {
        unary(&self.channel, Request::new(request)).await
    }

    /// `chat.v1.ChatService/MarkRead`.
    pub(crate) async fn mark_read(
        &self,
        request: pb::MarkReadRequest,
    ) -> Result<pb::MarkReadResponse, Status> {
        unary(&self.channel, Request::new(request)).await
    }

    /// `chat.v1.ChatService/Subscribe`, reconnected when it breaks. `make_request` makes the request of each call, with the cursors of that
    /// moment.
    pub(crate) fn subscribe(
        &self,
        mut make_request: impl FnMut() -> pb::SubscribeRequest + MaybeSend + 'static,
    ) -> (Subscription<pb::SubscribeResponse>, SubscriptionHandle) {
        let options = SubscriptionOptions::new()
            .backoff(RECONNECT_BACKOFF)
            .first_message_timeout(FIRST_FRAME_TIMEOUT)
            .try_offline(true);
        Subscription::new(options, ChatServiceClient::new(self.channel.clone()), move |mut client| {
            let mut request = Request::new(make_request());
            // The subscription reconnects after its own delays.
            request.no_deadline().no_retry();
            async move { client.subscribe(request).await }
        })
    }
}

/// Sets the time for a call, of at most a day: as [`Request::set_timeout`], which formats numbers of 128 bits for longer ones.
fn set_timeout<T>(request: &mut Request<T>, timeout: Duration) {
    let milliseconds = timeout.as_secs() * 1_000 + u64::from(timeout.subsec_millis());
    // Digits and a letter are a valid value.
    if let Ok(value) = [&milliseconds.to_string(), "m"].concat().parse() {
        request.metadata_mut().insert("grpc-timeout", value);
    }
}

/// Makes a unary call of the chat. Messages are encoded and decoded here, as bytes for tonic, because its generated clients have all the
/// code of a call once for each method.
async fn unary<R: UnaryRequest>(channel: &Channel, request: Request<R>) -> Result<R::Response, Status> {
    let request = request.map(|message| Bytes::from(message.encode_to_vec()));
    let response = unary_bytes(Grpc::new(channel.clone()), request, R::PATH).await?;
    R::Response::decode(response).map_err(|error| Status::internal(error.to_string()))
}

async fn unary_bytes(
    mut client: Grpc<Channel>,
    request: Request<Bytes>,
    path: &'static str,
) -> Result<Bytes, Status> {
    client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let response = client.unary(request, PathAndQuery::from_static(path), BytesCodec).await?;
    Ok(response.into_inner())
}

/// The Greeter's calls, all four kinds: by `fetch`, and by a WebSocket where `fetch` cannot carry a call.
#[derive(Clone)]
pub(crate) struct GreeterApi {
    channel: Channel,
}

impl GreeterApi {
    /// Calls to the server at `address`, which are reported to `observer`. The WebSocket is opened at `socket`, a URI with
    /// a path of its own, so that a proxy can have rules for it.
    pub(crate) fn new(
        address: &str,
        socket: &str,
        observer: impl Fn(&CallEvent) + MaybeSend + MaybeSync + 'static,
    ) -> Result<GreeterApi, tonic_web_channel::BuildError> {
        let builder = builder(address)
            .methods(proto::METHODS)
            .deadline(DEFAULT_DEADLINE)
            .capture(MAX_PAYLOAD_BYTES)
            .observer(observer);
        Ok(GreeterApi { channel: with_socket(builder, address, socket).build()? })
    }

    /// `helloworld.Greeter/SayHello`.
    pub(crate) async fn say_hello(
        &self,
        name: String,
        deadline: Option<Duration>,
    ) -> Result<Response<HelloReply>, Status> {
        let mut request = Request::new(HelloRequest { name });
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        self.client().say_hello(request).await
    }

    /// `helloworld.Greeter/SayHelloStreamReply`. Without a deadline it runs until the stream is dropped.
    pub(crate) async fn say_hello_stream_reply(
        &self,
        name: String,
        options: StreamOptions,
        deadline: Option<Duration>,
    ) -> Result<Response<Streaming<HelloReply>>, Status> {
        let mut request = Request::new(HelloRequest { name });
        if let Some(count) = options.count {
            request.metadata_mut().insert(proto::limits::greeter::COUNT_KEY, count.into());
        }
        if let Some(interval_ms) = options.interval_ms {
            request.metadata_mut().insert(proto::limits::greeter::INTERVAL_KEY, interval_ms.into());
        }
        limit(&mut request, deadline);
        self.client().say_hello_stream_reply(request).await
    }

    /// `helloworld.Greeter/SayHelloClientStream`. Without a deadline it runs until `names` end.
    pub(crate) async fn say_hello_client_stream(
        &self,
        names: impl Stream<Item = HelloRequest> + Send + 'static,
        deadline: Option<Duration>,
    ) -> Result<Response<HelloReply>, Status> {
        let mut request = Request::new(names);
        limit(&mut request, deadline);
        self.client().say_hello_client_stream(request).await
    }

    /// `helloworld.Greeter/SayHelloBidiStream`. Without a deadline it runs until one side ends it.
    pub(crate) async fn say_hello_bidi_stream(
        &self,
        names: impl Stream<Item = HelloRequest> + Send + 'static,
        deadline: Option<Duration>,
    ) -> Result<Response<Streaming<HelloReply>>, Status> {
        let mut request = Request::new(names);
        limit(&mut request, deadline);
        self.client().say_hello_bidi_stream(request).await
    }

    fn client(&self) -> GreeterClient<Channel> {
        GreeterClient::new(self.channel.clone())
    }
}

/// A channel to the server at `address`, whose calls begin traces when the server asks for it.
fn builder(address: &str) -> Builder {
    let builder = Channel::builder(address);
    if traces_calls() { builder.interceptor(send_traceparent) } else { builder }
}

/// Sets a call's deadline; without one the channel's default does not apply either.
fn limit<T>(request: &mut Request<T>, deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => request.set_timeout(deadline),
        None => {
            request.no_deadline();
        }
    }
}

/// Adds the socket at the address `socket`, for the calls that `fetch` cannot carry.
#[cfg(target_arch = "wasm32")]
fn with_socket(builder: Builder, address: &str, socket: &str) -> Builder {
    use tonic_web_channel::{Auto, Fetch, Socket};

    match (address.parse(), socket.parse()) {
        (Ok(address), Ok(socket)) => builder.transport(Auto::new(Fetch::new(address), Socket::new(socket))),
        // The builder says why.
        _ => builder,
    }
}

/// Native programs only check that this compiles.
#[cfg(not(target_arch = "wasm32"))]
fn with_socket(builder: Builder, _address: &str, _socket: &str) -> Builder {
    builder
}

/// The server's origin for native clients: the page's own, except for the development server in between, which does not speak native
/// gRPC.
pub(crate) fn native_origin() -> String {
    if cfg!(debug_assertions) {
        "http://127.0.0.1:50051".to_owned()
    } else {
        window().location().origin().unwrap_or_default()
    }
}

/// The address of the WebSocket of `server`, which is an origin or has a path. A page of trunk's development server, whose proxy drops
/// the subprotocol, opens it at the server itself.
pub(crate) fn socket_address(server: &str) -> String {
    let is_proxied = cfg!(debug_assertions) && server.trim_end_matches('/').ends_with(":8080");
    let server = if is_proxied { native_origin() } else { server.trim_end_matches('/').to_owned() };
    [&server, "/socket"].concat()
}

/// The page's calls.
pub(crate) fn use_api() -> Api {
    expect_context::<Api>()
}

/// The Greeter's calls.
pub(crate) fn use_greeter() -> GreeterApi {
    expect_context::<GreeterApi>()
}
