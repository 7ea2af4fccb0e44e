//! The copy of the chat in the browser's database, from which the page starts without a network: its content, its bounds and its bytes.
//!
//! It has one entry with the user and all rooms, [`KeptList`], and an entry with the newest messages for each of the last rooms.

#[cfg(test)]
mod tests;

use prost::Message as _;
use proto::chat::v1 as pb;

/// Rooms whose messages are kept at most, those with the newest activity.
pub const MAX_ROOMS: usize = 75;

/// Messages kept of a room at most.
pub const MAX_MESSAGES: usize = 200;

/// Bytes of a room's entry at most. Fewer messages are kept when they are long.
pub const MAX_ROOM_BYTES: usize = 250_000;

/// Bytes of the entry with the rooms at most; enough for the 1,000 rooms that a server allows. With the entries of the rooms: 20 MB.
pub const MAX_LIST_BYTES: usize = 1_000_000;

/// The first byte of the list. Entries of other versions are ignored.
const VERSION: u8 = 1;

/// The user and the rooms at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptList {
    /// Time of the copy by this machine's clock, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The user.
    pub user: pb::User,
    /// The rooms, ordered by creation.
    pub rooms: Vec<pb::RoomState>,
}

/// The entries that bring the copy up to date.
#[derive(Clone, Debug, PartialEq)]
pub struct ToKeep {
    /// The user and the rooms.
    pub list: KeptList,
    /// The rooms whose messages stay kept. Entries of other rooms are removed.
    pub room_ids: Vec<String>,
    /// The rooms whose messages have changed, with the newest of them.
    pub changed: Vec<(String, pb::ListEventsResponse)>,
}

/// The copy, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The user and the rooms.
    pub list: KeptList,
    /// The messages of each room in the list, empty where none are kept.
    pub messages: Vec<pb::ListEventsResponse>,
}

impl KeptList {
    /// The entry's bytes. Rooms beyond the bound are left out.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.at_ms.to_le_bytes());
        delimited(&self.user, &mut bytes);
        for room in &self.rooms {
            if bytes.len() + room.encoded_len() + 10 > MAX_LIST_BYTES {
                break;
            }
            delimited(room, &mut bytes);
        }
        bytes
    }

    /// Reads an entry. `None` for a damaged one and one of another version.
    pub fn decode(bytes: &[u8]) -> Option<KeptList> {
        let (at_ms, mut rest) = bytes.strip_prefix(&[VERSION])?.split_first_chunk()?;
        let user = pb::User::decode_length_delimited(&mut rest).ok()?;
        let mut rooms = Vec::new();
        while !rest.is_empty() {
            rooms.push(pb::RoomState::decode_length_delimited(&mut rest).ok()?);
        }
        Some(KeptList { at_ms: i64::from_le_bytes(*at_ms), user, rooms })
    }
}

impl Kept {
    /// Puts the list and the entries of its rooms together, in its order. A damaged entry counts as none.
    pub fn new(list: KeptList, entries: impl Iterator<Item = Option<Vec<u8>>>) -> Kept {
        let messages = list.rooms.iter().zip(entries).map(|(room, entry)| {
            let messages = entry.and_then(|entry| decode_room(&entry));
            messages.filter(|messages| epoch(messages) == room.epoch).unwrap_or_default()
        });
        Kept { messages: messages.collect(), list }
    }
}

fn delimited(message: &impl prost::Message, bytes: &mut Vec<u8>) {
    message.encode_length_delimited(bytes).expect("a Vec has room for every message");
}

/// The bytes of a room's entry: the new messages, after those of the earlier entry that they continue, within the bounds.
pub fn encode_room(earlier: Option<&[u8]>, new: pb::ListEventsResponse) -> Vec<u8> {
    let mut room = new;
    let earlier = earlier.and_then(decode_room).filter(|earlier| epoch(earlier) == epoch(&room));
    if let (Some(mut earlier), Some(first)) = (earlier, room.events.first().map(|event| event.seq)) {
        let end = earlier.events.last().map_or(0, |event| event.seq);
        if end + 1 >= first {
            earlier.events.retain(|event| event.seq < first);
            earlier.events.append(&mut room.events);
            room.events = earlier.events;
        }
    }
    let mut bytes = room.as_of.as_ref().map_or(0, prost::Message::encoded_len) + 10;
    let fits = |event: &&pb::Event| {
        // Tag and length.
        bytes += event.encoded_len() + 10;
        bytes <= MAX_ROOM_BYTES
    };
    let count = room.events.iter().rev().take(MAX_MESSAGES).take_while(fits).count();
    room.events.drain(..room.events.len() - count);
    room.encode_to_vec()
}

/// Reads a room's entry. `None` for a damaged one.
fn decode_room(bytes: &[u8]) -> Option<pb::ListEventsResponse> {
    let room = pb::ListEventsResponse::decode(bytes).ok()?;
    let is_dense = room.events.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq);
    (is_dense && room.as_of.is_some()).then_some(room)
}

fn epoch(room: &pb::ListEventsResponse) -> u64 {
    room.as_of.as_ref().map_or(0, |as_of| as_of.epoch)
}
