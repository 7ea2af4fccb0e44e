//! A room of the chat.

/// A room, as it is known from the beginning.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// Its index in the list of rooms.
    pub(crate) index: usize,
    pub(crate) id: String,
    pub(crate) epoch: u64,
}
