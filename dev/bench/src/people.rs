//! Guests of the chat, and their requests.

use anyhow::Result;
use futures_util::future::try_join_all;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use proto::chat::v1::{JoinRequest, SendMessageRequest};
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

/// The room that every server has.
pub(crate) const ROOM: &str = "general";

/// A guest with a session.
#[derive(Clone)]
pub(crate) struct Guest {
    authorization: MetadataValue<Ascii>,
}

impl Guest {
    /// `message` as this guest's request.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }

    /// A new chat message of this guest.
    pub(crate) fn message(&self, text: &str) -> Request<SendMessageRequest> {
        self.request(SendMessageRequest {
            room_id: ROOM.to_owned(),
            operation_id: Uuid::now_v7().as_bytes().to_vec(),
            text: text.to_owned(),
        })
    }

    /// The value of the HTTP header `authorization`.
    pub(crate) fn authorization(&self) -> &str {
        self.authorization.to_str().unwrap_or_default()
    }
}

/// `count` separate connections.
pub(crate) async fn connect(uri: &str, count: usize) -> Result<Vec<Channel>> {
    let endpoint = Endpoint::from_shared(uri.to_owned())?.tcp_nodelay(true);
    Ok(try_join_all((0..count).map(|_| endpoint.connect())).await?)
}

/// `count` new guests.
pub(crate) async fn join(channel: &Channel, count: usize) -> Result<Vec<Guest>> {
    let joins = (0..count).map(|_| {
        let mut client = ChatServiceClient::new(channel.clone());
        async move {
            // Names are unique while their session lives, and rounds share a database.
            let name = Uuid::now_v7().simple().to_string();
            let reply = client
                .join(JoinRequest { name, return_token: true, ..Default::default() })
                .await?
                .into_inner();
            Ok(Guest { authorization: format!("Bearer {}", reply.token).parse()? })
        }
    });
    try_join_all(joins).await
}
