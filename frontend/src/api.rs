//! The page's calls, one method per RPC. The only file that names the generated clients.
//!
//! Methods take and return plain contract messages and [`tonic::Status`]; dropping a future or a
//! stream cancels its call.

use std::time::Duration;

use leptos::prelude::*;
use proto::{
    chat::v1::{self as pb, chat_service_client::ChatServiceClient},
    helloworld::{HelloReply, HelloRequest, greeter_client::GreeterClient},
};
use tonic::{Request, Status, Streaming};
use tonic_web_channel::observe::CallEvent;
use tonic_web_channel::rt::{MaybeSend, MaybeSync};
use tonic_web_channel::{Channel, RequestExt as _, Subscription, SubscriptionHandle, SubscriptionOptions};

use crate::calls::KEPT_FRAME_BYTES;

/// How long a call may take that was given no deadline of its own. Long enough for a slow network,
/// short enough that a person is told.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(20);

/// The page's calls, on one channel. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    channel: Channel,
}

/// What a person may ask of `SayHelloStreamReply` beside the name; see `helloworld.proto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// How many greetings; until cancelled when none is given.
    pub count: Option<u32>,
    /// Milliseconds between two; the server's choice when none is given.
    pub interval_ms: Option<u32>,
}

impl Api {
    /// Calls to the server at an origin such as `http://127.0.0.1:50051`, each reported to the
    /// observer.
    pub fn new(
        origin: &str,
        observer: impl Fn(&CallEvent) + MaybeSend + MaybeSync + 'static,
    ) -> Result<Api, tonic_web_channel::BuildError> {
        let channel = Channel::builder(origin)
            .methods(proto::METHODS)
            .deadline(DEFAULT_DEADLINE)
            .capture(KEPT_FRAME_BYTES)
            .observer(observer)
            .build()?;
        Ok(Api { channel })
    }

    /// `helloworld.Greeter/SayHello`.
    pub async fn say_hello(&self, name: String, deadline: Option<Duration>) -> Result<HelloReply, Status> {
        let mut request = Request::new(HelloRequest { name });
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        Ok(self.greeter().say_hello(request).await?.into_inner())
    }

    /// `helloworld.Greeter/SayHelloStreamReply`. Without a deadline it runs until it is dropped.
    pub async fn say_hello_stream_reply(
        &self,
        name: String,
        options: StreamOptions,
        deadline: Option<Duration>,
    ) -> Result<Streaming<HelloReply>, Status> {
        let mut request = Request::new(HelloRequest { name });
        if let Some(count) = options.count {
            request.metadata_mut().insert(proto::limits::greeter::COUNT_KEY, count.into());
        }
        if let Some(interval_ms) = options.interval_ms {
            request.metadata_mut().insert(proto::limits::greeter::INTERVAL_KEY, interval_ms.into());
        }
        match deadline {
            Some(deadline) => request.set_timeout(deadline),
            None => {
                request.no_deadline();
            }
        }
        Ok(self.greeter().say_hello_stream_reply(request).await?.into_inner())
    }

    /// `chat.v1.ChatService/Join`; the browser keeps the session's cookie.
    pub async fn join(&self, request: pb::JoinRequest) -> Result<pb::JoinResponse, Status> {
        Ok(self.chat().join(request).await?.into_inner())
    }

    /// `chat.v1.ChatService/GetSession`.
    pub async fn get_session(&self) -> Result<pb::GetSessionResponse, Status> {
        Ok(self.chat().get_session(pb::GetSessionRequest {}).await?.into_inner())
    }

    /// `chat.v1.ChatService/SignOut`.
    pub async fn sign_out(&self) -> Result<pb::SignOutResponse, Status> {
        Ok(self.chat().sign_out(pb::SignOutRequest {}).await?.into_inner())
    }

    /// `chat.v1.ChatService/CreateRoom`.
    pub async fn create_room(
        &self,
        request: pb::CreateRoomRequest,
    ) -> Result<pb::CreateRoomResponse, Status> {
        Ok(self.chat().create_room(request).await?.into_inner())
    }

    /// `chat.v1.ChatService/ListRooms`.
    pub async fn list_rooms(&self) -> Result<pb::ListRoomsResponse, Status> {
        Ok(self.chat().list_rooms(pb::ListRoomsRequest {}).await?.into_inner())
    }

    /// `chat.v1.ChatService/SendMessage`.
    pub async fn send_message(
        &self,
        request: pb::SendMessageRequest,
    ) -> Result<pb::SendMessageResponse, Status> {
        let mut request = Request::new(request);
        // The outbox repeats it, and shows when.
        request.no_retry();
        Ok(self.chat().send_message(request).await?.into_inner())
    }

    /// `chat.v1.ChatService/ListEvents`.
    pub async fn list_events(
        &self,
        request: pb::ListEventsRequest,
    ) -> Result<pb::ListEventsResponse, Status> {
        Ok(self.chat().list_events(request).await?.into_inner())
    }

    /// `chat.v1.ChatService/MarkRead`.
    pub async fn mark_read(&self, request: pb::MarkReadRequest) -> Result<pb::MarkReadResponse, Status> {
        Ok(self.chat().mark_read(request).await?.into_inner())
    }

    /// `chat.v1.ChatService/Subscribe` as a stream that comes back by itself. `make_request` is asked
    /// at every connecting, so that it sends the cursors of that moment.
    pub fn subscribe(
        &self,
        mut make_request: impl FnMut() -> pb::SubscribeRequest + MaybeSend + 'static,
    ) -> (Subscription<pb::SubscribeResponse>, SubscriptionHandle) {
        Subscription::new(SubscriptionOptions::new(), self.chat(), move |mut client| {
            let mut request = Request::new(make_request());
            // The subscription reconnects after its own delays.
            request.no_deadline().no_retry();
            async move { client.subscribe(request).await }
        })
    }

    fn greeter(&self) -> GreeterClient<Channel> {
        GreeterClient::new(self.channel.clone())
    }

    fn chat(&self) -> ChatServiceClient<Channel> {
        ChatServiceClient::new(self.channel.clone())
    }
}

/// Where a native client finds the server: at the page's own origin, except when a development
/// server stands in between, which speaks no native gRPC.
pub fn native_origin() -> String {
    if cfg!(debug_assertions) {
        "http://127.0.0.1:50051".to_owned()
    } else {
        window().location().origin().unwrap_or_default()
    }
}

/// The page's calls.
pub fn use_api() -> Api {
    expect_context::<Api>()
}
