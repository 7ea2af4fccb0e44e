//! The mutations of rooms and their logs, with their rules: what each refuses, and what an acknowledged one has changed.

use proto::chat::v1::event::Body;
use proto::limits::chat::MAX_ROOMS;

use super::super::encoding::EventBody;
use super::super::error::ChatError;
use super::super::store::{OperationEvent, StoreError};
use super::super::types::{
    InvalidField, Marker, MessageText, OperationId, Receipt, RoomId, RoomKey, RoomName, RoomView, User,
    UserKey,
};
use super::Mutation;
use super::group::{Author, Group};

/// Creates a room.
#[derive(Debug)]
pub(in crate::chat) struct CreateRoom {
    pub(in crate::chat) author: User,
    pub(in crate::chat) operation: OperationId,
    pub(in crate::chat) name: RoomName,
    /// For the new room, unless the operation is a repeat.
    pub(in crate::chat) id: RoomId,
    pub(in crate::chat) epoch: u64,
    /// Maximum number of rooms that the author may have created, this one included.
    pub(in crate::chat) allowed: usize,
}

impl Mutation for CreateRoom {
    type Output = RoomView;

    fn evaluate(&self, group: &mut Group) -> Result<RoomView, ChatError> {
        if let Some(first) = group.store.event_of_operation(self.operation, self.author.key)? {
            let same =
                matches!(&first.event.body, Some(Body::RoomCreated(room)) if room.name == self.name.as_str());
            if !same {
                return Err(operation_reused());
            }
            return Ok(group.store.view(self.author.key, group.room(first.room)?)?);
        }
        let name_key = self.name.key();
        if group.store.room_name_in_use(&name_key)? {
            return Err(ChatError::RoomNameInUse);
        }
        if group.room_count() >= MAX_ROOMS {
            return Err(ChatError::TooManyRooms);
        }
        if group.store.rooms_created_by(&self.author)? >= self.allowed {
            return Err(ChatError::TooManyOwnRooms { allowed: self.allowed });
        }
        let key = group.add_room(&self.id, self.name.as_str(), name_key, self.epoch)?;
        let body = EventBody::room_created(Some((&self.author, self.operation)), self.name.as_str());
        let author = Author { user: self.author.key, operation: self.operation };
        group.append(key, &body, Some(author), false)?;
        Ok(group.store.view(self.author.key, group.room(key)?)?)
    }
}

/// Appends a message.
#[derive(Debug)]
pub(in crate::chat) struct SendMessage {
    pub(in crate::chat) author: UserKey,
    pub(in crate::chat) room: RoomKey,
    pub(in crate::chat) operation: OperationId,
    pub(in crate::chat) text: MessageText,
    pub(in crate::chat) body: EventBody,
}

impl Mutation for SendMessage {
    type Output = Receipt;

    fn evaluate(&self, group: &mut Group) -> Result<Receipt, ChatError> {
        let epoch = group.room(self.room)?.epoch;
        let author = Author { user: self.author, operation: self.operation };
        match group.append(self.room, &self.body, Some(author), true) {
            Ok((seq, created_at_ms)) => Ok(Receipt { seq, epoch, created_at_ms, duplicate: false }),
            Err(StoreError::OperationUsed) => {
                let first = group.store.event_of_operation(self.operation, self.author)?;
                self.repeat_receipt(first.ok_or(StoreError::OperationUsed)?, epoch)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl SendMessage {
    /// Answers a repeated operation id: the first receipt again, if room and text are the same.
    fn repeat_receipt(&self, first: OperationEvent, epoch: u64) -> Result<Receipt, ChatError> {
        let same = first.room == self.room
            && matches!(&first.event.body, Some(Body::MessagePosted(posted)) if posted.text == self.text.as_str());
        if !same {
            return Err(operation_reused());
        }
        let event = first.event;
        Ok(Receipt { seq: event.seq, epoch, created_at_ms: event.created_at_ms, duplicate: true })
    }
}

/// Moves a read marker forward.
#[derive(Debug)]
pub(in crate::chat) struct MarkRead {
    pub(in crate::chat) user: UserKey,
    pub(in crate::chat) room: RoomKey,
    pub(in crate::chat) seq: u64,
}

impl Mutation for MarkRead {
    type Output = Marker;

    fn evaluate(&self, group: &mut Group) -> Result<Marker, ChatError> {
        let room = group.room(self.room)?;
        if self.seq > room.head {
            let sentence =
                format!("The room's last event is {}; there is nothing above to be read.", room.head);
            return Err(InvalidField::new("seq", sentence).into());
        }
        let marker = group.store.marker(self.user, self.room)?;
        if self.seq <= marker.read_seq {
            return Ok(marker.view(room.messages));
        }
        let moved = group.store.marker_moved_to(self.seq, self.user, room, marker)?;
        let view = moved.view(room.messages);
        group.set_marker(self.user, self.room, moved)?;
        Ok(view)
    }
}

/// Changes nothing. Its answer says that this node has everything that the log had when the command was queued.
#[derive(Debug)]
pub(in crate::chat) struct ConfirmEnd;

impl Mutation for ConfirmEnd {
    type Output = ();

    fn evaluate(&self, _: &mut Group) -> Result<(), ChatError> {
        Ok(())
    }
}

/// An operation id was used for two actions.
pub(super) fn operation_reused() -> ChatError {
    InvalidField::new(
        "operation_id",
        "This operation id was used before for something else. Every action needs its own id.",
    )
    .into()
}
