//! Messages of a room's log and their authors.

use std::sync::Arc;

use proto::chat::v1::{self as pb, event};
use uuid::Uuid;

/// An author of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The user's id.
    pub id: String,
    /// The user's name at the time of writing.
    pub name: String,
}

/// An entry of a room's log. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sequence number in the room.
    pub seq: u64,
    /// Time of storing by the server's clock, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The author.
    pub author: Arc<Author>,
    /// The operation id that the author's client chose.
    pub operation_id: Option<Uuid>,
    /// The content.
    pub body: Body,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A message's text.
    Text(Arc<str>),
    /// The room was created.
    Created,
    /// A kind that this version does not know. It takes a sequence number and is not shown.
    Unknown,
}

impl Message {
    /// The message of an event. Consecutive messages of one author share `previous`.
    pub(crate) fn new(event: pb::Event, previous: Option<&Arc<Author>>) -> Message {
        let author = event.author.unwrap_or_default();
        let author = match previous {
            Some(previous) if previous.id == author.id && previous.name == author.name => previous.clone(),
            _ => Arc::new(Author { id: author.id, name: author.name }),
        };
        let body = match event.body {
            Some(event::Body::MessagePosted(posted)) => Body::Text(posted.text.into()),
            Some(event::Body::RoomCreated(_)) => Body::Created,
            None => Body::Unknown,
        };
        Message {
            seq: event.seq,
            at_ms: event.created_at_ms,
            author,
            operation_id: Uuid::from_slice(&event.operation_id).ok(),
            body,
        }
    }

    /// The event of the message, without its room. An event of an unknown kind stays one.
    pub(crate) fn to_event(&self) -> pb::Event {
        let body = match &self.body {
            Body::Text(text) => {
                Some(event::Body::MessagePosted(pb::MessagePosted { text: text.to_string() }))
            }
            Body::Created => Some(event::Body::RoomCreated(pb::RoomCreated::default())),
            Body::Unknown => None,
        };
        pb::Event {
            seq: self.seq,
            created_at_ms: self.at_ms,
            author: Some(pb::User { id: self.author.id.clone(), name: self.author.name.clone() }),
            operation_id: self.operation_id.map(|id| id.as_bytes().to_vec().into()).unwrap_or_default(),
            body,
            ..pb::Event::default()
        }
    }
}
