//! Tests of the list: the place where a room opens, announcements, history to load, messages that count as read.

use proto::chat::v1 as pb;
use uuid::Uuid;

use super::*;
use crate::outbox::Outbox;

const ROOM: &str = "general";
const END: Scroll = Scroll { top: 3_400.0, view: 600.0, content: 4_000.0 };
const TOP: Scroll = Scroll { top: 0.0, view: 600.0, content: 4_000.0 };

/// A room whose events `first..=head` are loaded, all by another user, of which those up to `read_seq` are read.
fn state(first: u64, head: u64, read_seq: u64) -> ChatState {
    let mut state = ChatState::new("me", Outbox::new("me"));
    state.apply_room_state(pb::RoomState {
        room: Some(pb::Room { id: ROOM.to_owned(), ..pb::Room::default() }),
        head_seq: first - 1,
        read_seq: read_seq.min(first - 1),
        ..pb::RoomState::default()
    });
    arrive(&mut state, first, head);
    state.mark_read(ROOM, read_seq);
    state
}

fn arrive(state: &mut ChatState, first: u64, last: u64) {
    let events: Vec<pb::Event> = (first..=last)
        .map(|seq| pb::Event {
            room_id: ROOM.to_owned(),
            seq,
            author: Some(pb::User { id: "other".to_owned(), name: "Other".to_owned() }),
            operation_id: Uuid::from_u128(seq.into()).as_bytes().to_vec().into(),
            body: Some(pb::event::Body::MessagePosted(pb::MessagePosted { text: seq.to_string() })),
            ..pb::Event::default()
        })
        .collect();
    let frame = pb::subscribe_response::Frame::Events(pb::Events { events, ..Default::default() });
    state.apply(pb::SubscribeResponse { frame: Some(frame) });
}

fn plan(list: &mut ListModel, state: &ChatState) -> Plan {
    list.plan(state, ROOM, true, &|_| 0).unwrap()
}

#[test]
fn a_room_opens_at_its_unread_line() {
    let state = state(50, 100, 90);
    let mut list = ListModel::new(None, 100);
    assert!(plan(&mut list, &state).rows.iter().any(|row| row.body == RowBody::Unread));
    assert_eq!(list.take_goal(), Some(Goal::UnreadLine));
}

#[test]
fn a_room_with_many_unread_messages_opens_at_its_end() {
    let state = state(20, 100, 30);
    let mut list = ListModel::new(None, 100);
    plan(&mut list, &state);
    assert_eq!(list.take_goal(), None);
}

#[test]
fn a_target_is_shown_once_it_is_loaded() {
    let mut list = ListModel::new(Some(40), 100);
    let unloaded = state(50, 100, 100);
    assert!(plan(&mut list, &unloaded).rows.is_empty());
    assert_eq!(list.look(&unloaded, ROOM, END, false), Some(Look::LoadFirst(HistoryPage::Around(40))));
    plan(&mut list, &state(30, 100, 100));
    assert_eq!(list.take_goal(), Some(Goal::Message(40)));
}

#[test]
fn new_messages_of_others_are_announced_once() {
    let mut state = state(1, 10, 10);
    let mut list = ListModel::new(None, 10);
    assert!(plan(&mut list, &state).announcements.is_empty());
    arrive(&mut state, 11, 12);
    let announced: Vec<u64> =
        plan(&mut list, &state).announcements.iter().map(|message| message.seq).collect();
    assert_eq!(announced, [11, 12]);
    assert!(plan(&mut list, &state).announcements.is_empty());
}

#[test]
fn history_is_loaded_near_the_start_of_the_loaded_range() {
    let state = state(50, 100, 100);
    let mut list = ListModel::new(None, 100);
    plan(&mut list, &state);
    let Some(Look::Window { at_end, shows_log_end, earlier, later, .. }) = list.look(&state, ROOM, TOP, true)
    else {
        panic!("a part of the log is shown")
    };
    assert_eq!((at_end, shows_log_end), (false, false));
    assert_eq!((earlier, later), (Some(HistoryPage::Before(50)), None));
}

#[test]
fn the_end_in_view_counts_as_read_once_the_goal_is_reached() {
    let state = state(50, 100, 90);
    let mut list = ListModel::new(None, 100);
    plan(&mut list, &state);
    assert_eq!(list.read_up_to(state.room(ROOM), true), None, "the unread line comes first");
    list.take_goal();
    assert_eq!(list.read_up_to(state.room(ROOM), false), None);
    assert_eq!(list.read_up_to(state.room(ROOM), true), Some(100));
}
