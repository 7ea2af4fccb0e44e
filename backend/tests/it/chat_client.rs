//! A user of the chat over gRPC, for tests.

use std::time::Duration;

use futures_util::StreamExt as _;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use proto::chat::v1::subscribe_response::Frame;
use proto::chat::v1::{self as pb, list_events_request};
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::support::PATIENCE;

/// Adds the session to every request.
#[derive(Clone, Debug)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub(crate) type Client = ChatServiceClient<InterceptedService<Channel, Bearer>>;

/// A user who has joined.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) user: pb::User,
    pub(crate) token: String,
    sent: u64,
}

impl Person {
    /// Joins with a token.
    pub(crate) async fn join(channel: Channel, name: &str) -> Self {
        let request = pb::JoinRequest { name: name.to_owned(), return_token: true, ..Default::default() };
        let joined = ChatServiceClient::new(channel.clone()).join(request).await.unwrap().into_inner();
        Self::with_token(channel, joined.user.unwrap(), joined.token)
    }

    /// The same session over another connection.
    pub(crate) fn over(&self, channel: Channel) -> Self {
        let sent = self.sent;
        Self { sent, ..Self::with_token(channel, self.user.clone(), self.token.clone()) }
    }

    /// A session that was made elsewhere.
    pub(crate) fn with_token(channel: Channel, user: pb::User, token: String) -> Self {
        let bearer = Bearer(format!("Bearer {token}").parse().unwrap());
        Self { client: ChatServiceClient::with_interceptor(channel, bearer), user, token, sent: 0 }
    }

    /// Sends a message as a new action.
    pub(crate) async fn send(&mut self, room: &str, text: &str) -> pb::SendMessageResponse {
        self.sent += 1;
        let operation_id = operation_id(&self.user.id, self.sent);
        self.try_send(room, operation_id, text).await.unwrap()
    }

    /// Sends a message as the action that `operation_id` names.
    pub(crate) async fn try_send(
        &mut self,
        room: &str,
        operation_id: Vec<u8>,
        text: &str,
    ) -> Result<pb::SendMessageResponse, Status> {
        let request =
            pb::SendMessageRequest { room_id: room.to_owned(), operation_id, text: text.to_owned() };
        Ok(self.client.send_message(request).await?.into_inner())
    }

    /// Creates a room.
    pub(crate) async fn create_room(&mut self, name: &str) -> Result<pb::RoomState, Status> {
        let operation_id = operation_id(name, 0);
        let request = pb::CreateRoomRequest { name: name.to_owned(), operation_id };
        Ok(self.client.create_room(request).await?.into_inner().room.unwrap())
    }

    /// All rooms as this user sees them.
    pub(crate) async fn rooms(&mut self) -> Vec<pb::RoomState> {
        self.client.list_rooms(pb::ListRoomsRequest {}).await.unwrap().into_inner().rooms
    }

    /// A page of a room's log.
    pub(crate) async fn page(
        &mut self,
        room: &str,
        range: Option<list_events_request::Range>,
        limit: u32,
    ) -> Result<pb::ListEventsResponse, Status> {
        let request = pb::ListEventsRequest { room_id: room.to_owned(), range, limit };
        Ok(self.client.list_events(request).await?.into_inner())
    }

    /// The whole log of a room.
    pub(crate) async fn log(&mut self, room: &str) -> Vec<pb::Event> {
        let mut events: Vec<pb::Event> = Vec::new();
        loop {
            let after = list_events_request::Range::AfterSeq(events.len() as u64);
            let page = self.page(room, Some(after), 500).await.unwrap();
            events.extend(page.events);
            if !page.has_later {
                return events;
            }
        }
    }

    /// Opens the live stream.
    pub(crate) async fn subscribe(
        &mut self,
        cursors: Vec<pb::Cursor>,
        replay_limit: u32,
    ) -> Result<Frames, Status> {
        let request = pb::SubscribeRequest { cursors, replay_limit };
        Ok(Frames { stream: self.client.subscribe(request).await?.into_inner() })
    }

    /// Opens the live stream and reads up to CaughtUp.
    pub(crate) async fn follow(&mut self, cursors: Vec<pb::Cursor>) -> (Vec<Frame>, Frames) {
        let mut frames = self.subscribe(cursors, 0).await.unwrap();
        (frames.until_caught_up().await, frames)
    }
}

/// A live stream.
#[derive(Debug)]
pub(crate) struct Frames {
    stream: Streaming<pb::SubscribeResponse>,
}

impl Frames {
    /// The next frame; `None` at the end.
    pub(crate) async fn try_next(&mut self) -> Option<Result<Frame, Status>> {
        let next = timeout(PATIENCE, self.stream.next()).await.expect("no frame came in time")?;
        Some(next.map(|response| response.frame.unwrap()))
    }

    /// The next frame; panics at the end.
    pub(crate) async fn next(&mut self) -> Frame {
        self.try_next().await.expect("the stream ended").unwrap()
    }

    /// All frames before CaughtUp.
    pub(crate) async fn until_caught_up(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            match self.next().await {
                Frame::CaughtUp(_) => return frames,
                frame => frames.push(frame),
            }
        }
    }

    /// The next events; skips heartbeats and markers.
    pub(crate) async fn events(&mut self) -> Vec<pb::Event> {
        loop {
            match self.next().await {
                Frame::Events(events) => return events.events,
                Frame::Heartbeat(_) | Frame::ReadMarker(_) => {}
                frame => panic!("events were expected and this came: {frame:?}"),
            }
        }
    }

    /// Reads `count` events.
    pub(crate) async fn events_until(&mut self, count: usize) -> Vec<pb::Event> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.extend(self.events().await);
        }
        events
    }
}

/// A 16-byte id for the `number`th action of `who`.
pub(crate) fn operation_id(who: &str, number: u64) -> Vec<u8> {
    let mut id = vec![0; 8];
    for (index, byte) in who.bytes().enumerate() {
        id[index % 8] ^= byte.rotate_left(index as u32 / 8);
    }
    id.extend(number.to_be_bytes());
    id
}

/// The text of a message; empty for any other event.
pub(crate) fn text_of(event: &pb::Event) -> &str {
    match &event.body {
        Some(pb::event::Body::MessagePosted(posted)) => &posted.text,
        _ => "",
    }
}

/// The sequence numbers of events.
pub(crate) fn seqs(events: &[pb::Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

/// The RoomStates among frames.
pub(crate) fn states(frames: &[Frame]) -> Vec<pb::RoomState> {
    let state = |frame: &Frame| match frame {
        Frame::RoomState(state) => Some(state.clone()),
        _ => None,
    };
    frames.iter().filter_map(state).collect()
}

/// The events among frames.
pub(crate) fn events_in(frames: &[Frame]) -> Vec<pb::Event> {
    let events = |frame: &Frame| match frame {
        Frame::Events(events) => events.events.clone(),
        _ => Vec::new(),
    };
    frames.iter().flat_map(events).collect()
}

/// A cursor at `seq` in the log of `state`.
pub(crate) fn cursor(state: &pb::RoomState, seq: u64) -> pb::Cursor {
    let room_id = state.room.as_ref().unwrap().id.clone();
    let fingerprint = if seq == state.head_seq { state.head_fingerprint } else { 0 };
    pb::Cursor { room_id, epoch: state.epoch, seq, fingerprint }
}

/// Code, field and sentence of a refusal.
pub(crate) fn refusal(status: &Status) -> String {
    let violations =
        status.get_details_bad_request().map(|details| details.field_violations).unwrap_or_default();
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    for violation in &violations {
        assert_eq!(violation.description, status.message());
    }
    format!("{:?} [{}] {}", status.code(), fields.join(","), status.message())
}

/// Polls until `condition` holds; there is no signal to wait for.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let poll = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, poll).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}
