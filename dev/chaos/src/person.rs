//! A guest with a session, whose calls have a time limit.

use std::time::Duration;

use proto::chat::v1 as pb;
use proto::chat::v1::list_events_request::Range;
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response, Status, Streaming};

use crate::wire::Client;

/// Time limit of a well-behaved client's call. Every fault is shorter, and either breaks or frees waiting calls.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A guest with a session.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    client: Client,
    authorization: MetadataValue<Ascii>,
    /// [`pb::User::id`].
    pub(crate) user_id: String,
}

impl Person {
    /// Joins with a token.
    pub(crate) async fn join(mut client: Client, name: &str) -> Result<Self, Status> {
        let request = pb::JoinRequest { name: name.to_owned(), return_token: true, ..Default::default() };
        let joined = within(client.join(request)).await?;
        let authorization =
            format!("Bearer {}", joined.token).parse().map_err(|_| Status::internal("no token"))?;
        Ok(Self { client, authorization, user_id: joined.user.unwrap_or_default().id })
    }

    /// The same session over other connections.
    pub(crate) fn over(&self, client: Client) -> Self {
        Self { client, ..self.clone() }
    }

    /// The value of the header `authorization`.
    pub(crate) fn authorization(&self) -> &str {
        self.authorization.to_str().unwrap_or_default()
    }

    pub(crate) async fn send(
        &mut self,
        room_id: &str,
        operation_id: Vec<u8>,
        text: &str,
    ) -> Result<pb::SendMessageResponse, Status> {
        let request =
            pb::SendMessageRequest { room_id: room_id.to_owned(), operation_id, text: text.to_owned() };
        let request = self.request(request);
        within(self.client.send_message(request)).await
    }

    /// Makes a room and returns its id.
    pub(crate) async fn create_room(&mut self, name: &str) -> Result<String, Status> {
        let mut operation_id = vec![b'-'; 16];
        operation_id.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        let request = self.request(pb::CreateRoomRequest { name: name.to_owned(), operation_id });
        let state = within(self.client.create_room(request)).await?.room.unwrap_or_default();
        Ok(state.room.unwrap_or_default().id)
    }

    pub(crate) async fn rooms(&mut self) -> Result<Vec<pb::RoomState>, Status> {
        let request = self.request(pb::ListRoomsRequest {});
        Ok(within(self.client.list_rooms(request)).await?.rooms)
    }

    /// The events of a room after `seq`.
    pub(crate) async fn events_after(
        &mut self,
        room_id: &str,
        seq: u64,
    ) -> Result<pb::ListEventsResponse, Status> {
        let range = Some(Range::AfterSeq(seq));
        let request = self.request(pb::ListEventsRequest { room_id: room_id.to_owned(), range, limit: 500 });
        within(self.client.list_events(request)).await
    }

    /// Moves the read marker, and returns its position.
    pub(crate) async fn mark_read(&mut self, room_id: &str, seq: u64) -> Result<u64, Status> {
        let request = self.request(pb::MarkReadRequest { room_id: room_id.to_owned(), seq });
        Ok(within(self.client.mark_read(request)).await?.read_seq)
    }

    pub(crate) async fn session(&mut self) -> Result<pb::GetSessionResponse, Status> {
        let request = self.request(pb::GetSessionRequest {});
        within(self.client.get_session(request)).await
    }

    pub(crate) async fn subscribe(
        &mut self,
        cursors: Vec<pb::Cursor>,
    ) -> Result<Streaming<pb::SubscribeResponse>, Status> {
        let request = self.request(pb::SubscribeRequest { cursors, replay_limit: 0 });
        within(self.client.subscribe(request)).await
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }
}

/// The response to `call`, or DEADLINE_EXCEEDED.
async fn within<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Status> {
    match timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => Err(Status::deadline_exceeded(format!("no answer within {CALL_TIMEOUT:?}"))),
    }
}
