use super::*;

const EPOCH: u64 = 7;

fn event(seq: u64, text: &str) -> pb::Event {
    let body = pb::event::Body::MessagePosted(pb::MessagePosted { text: text.to_owned() });
    pb::Event { seq, body: Some(body), ..Default::default() }
}

fn room(range: std::ops::RangeInclusive<u64>, text: &str) -> pb::ListEventsResponse {
    let as_of = pb::Cursor { epoch: EPOCH, seq: *range.end(), fingerprint: 9, ..Default::default() };
    let events = range.map(|seq| event(seq, text)).collect();
    pb::ListEventsResponse { events, as_of: Some(as_of), ..Default::default() }
}

fn range(bytes: &[u8]) -> (u64, u64) {
    let room = decode_room(bytes).unwrap();
    (room.events.first().unwrap().seq, room.events.last().unwrap().seq)
}

fn list(rooms: usize) -> KeptList {
    let room = |number: usize| pb::RoomState {
        room: Some(pb::Room {
            id: format!("room-{number}"),
            name: "房".repeat(proto::limits::chat::MAX_ROOM_NAME_CHARS),
            created_at_ms: 1_700_000_000_000,
        }),
        epoch: u64::MAX,
        head_seq: u64::MAX,
        read_seq: u64::MAX,
        unread: u32::MAX,
        head_fingerprint: u64::MAX,
        ..Default::default()
    };
    let user = pb::User { id: "u1".to_owned(), name: "Ada".to_owned() };
    KeptList { at_ms: 1_700_000_000_123, user, rooms: (0..rooms).map(room).collect() }
}

#[test]
fn the_copy_is_at_most_20_mb() {
    let longest = "𝒳".repeat(proto::limits::chat::MAX_MESSAGE_CHARS);
    let entry = encode_room(None, room(1..=1_000, &longest));
    assert!(entry.len() <= MAX_ROOM_BYTES, "{}", entry.len());
    assert_eq!(range(&entry).1, 1_000, "the newest messages are kept");
    let list = list(100_000).encode();
    assert!(list.len() <= MAX_LIST_BYTES, "{}", list.len());
    assert!(KeptList::decode(&list).is_some());
    const { assert!(MAX_ROOMS * MAX_ROOM_BYTES + MAX_LIST_BYTES <= 20_000_000) };
}

#[test]
fn all_rooms_of_a_server_fit_into_the_list() {
    let list = list(proto::limits::chat::MAX_ROOMS);
    assert_eq!(KeptList::decode(&list.encode()), Some(list));
}

#[test]
fn the_newest_200_messages_are_kept() {
    assert_eq!(range(&encode_room(None, room(1..=500, "text"))), (301, 500));
}

#[test]
fn new_messages_continue_the_earlier_entry() {
    let earlier = encode_room(None, room(1..=150, "earlier"));
    for (new, expected) in [
        (151..=160, (1, 160)),
        (140..=160, (1, 160)),
        (151..=300, (101, 300)),
        (152..=160, (152, 160)),
        (1..=150, (1, 150)),
    ] {
        assert_eq!(range(&encode_room(Some(&earlier), room(new, "new"))), expected);
    }
}

#[test]
fn an_entry_of_another_epoch_or_a_damaged_one_is_not_continued() {
    let mut other = room(1..=150, "earlier");
    other.as_of.as_mut().unwrap().epoch = 8;
    let mut gap = room(1..=150, "earlier");
    gap.events.remove(20);
    for earlier in [other.encode_to_vec(), gap.encode_to_vec(), b"\xff\xff".to_vec(), Vec::new()] {
        assert_eq!(range(&encode_room(Some(&earlier), room(151..=160, "new"))), (151, 160));
    }
}

#[test]
fn a_damaged_list_is_none() {
    let bytes = list(3).encode();
    for length in 0..bytes.len() {
        // A cut between two rooms is a shorter list.
        let cut = KeptList::decode(&bytes[..length]);
        assert!(cut.is_none_or(|cut| cut.rooms.len() < 3));
    }
    assert_eq!(KeptList::decode(b"\x02 of another version"), None);
}
