//! A chat user without a browser: a native client of the same server, for traffic in bulk.

use std::str::FromStr as _;

use proto::chat::v1::{
    CreateRoomRequest, JoinRequest, ListEventsRequest, SendMessageRequest, SignOutRequest,
    chat_service_client::ChatServiceClient, event::Body,
};
use tonic::{
    Request,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};
use uuid::Uuid;

use crate::Result;

/// Number of concurrent sends in [`Guest::send_all`].
const BATCH: usize = 64;

/// A signed-in native client. Clones share its session.
#[derive(Clone, Debug)]
pub struct Guest {
    client: ChatServiceClient<Channel>,
    authorization: MetadataValue<tonic::metadata::Ascii>,
}

impl Guest {
    /// Joins under `name`.
    pub async fn join(url: &str, name: &str) -> Result<Guest> {
        let mut client = ChatServiceClient::new(Endpoint::from_str(url)?.connect().await?);
        let request = JoinRequest { name: name.to_owned(), return_token: true, ..Default::default() };
        let token = client.join(request).await?.into_inner().token;
        Ok(Guest { client, authorization: format!("Bearer {token}").parse()? })
    }

    /// Sends a message and returns its sequence number when it is stored.
    pub async fn send(&self, room_id: &str, text: &str) -> Result<u64> {
        let message = SendMessageRequest {
            room_id: room_id.to_owned(),
            operation_id: Uuid::now_v7().into_bytes().into(),
            text: text.to_owned(),
        };
        let request = self.authorized(message);
        Ok(self.client.clone().send_message(request).await?.into_inner().seq)
    }

    /// Sends many messages in batches. The order within a batch is not defined.
    pub async fn send_all(&self, room_id: &str, texts: &[String]) -> Result {
        for batch in texts.chunks(BATCH) {
            futures_util::future::try_join_all(batch.iter().map(|text| self.send(room_id, text))).await?;
        }
        Ok(())
    }

    /// Makes a room and returns its id.
    pub async fn create_room(&self, name: &str) -> Result<String> {
        let room =
            CreateRoomRequest { name: name.to_owned(), operation_id: Uuid::now_v7().into_bytes().into() };
        let answer = self.client.clone().create_room(self.authorized(room)).await?.into_inner();
        Ok(answer.room.and_then(|state| state.room).map(|room| room.id).unwrap_or_default())
    }

    /// The newest messages of a room on the server, oldest first: sequence number, author, text.
    pub async fn history(&self, room_id: &str) -> Result<Vec<(u64, String, String)>> {
        let page = ListEventsRequest { room_id: room_id.to_owned(), limit: 500, range: None };
        let events = self.client.clone().list_events(self.authorized(page)).await?.into_inner().events;
        let messages = events.into_iter().filter_map(|event| match event.body {
            Some(Body::MessagePosted(message)) => {
                Some((event.seq, event.author.map(|author| author.name).unwrap_or_default(), message.text))
            }
            _ => None,
        });
        Ok(messages.collect())
    }

    /// Ends the session.
    pub async fn sign_out(&self) -> Result {
        self.client.clone().sign_out(self.authorized(SignOutRequest {})).await?;
        Ok(())
    }

    fn authorized<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }
}
