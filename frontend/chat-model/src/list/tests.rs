//! Tests of the list: the place where a room opens, announcements, history to load, messages that count as read.

use proto::chat::v1 as pb;
use uuid::Uuid;

use super::*;
use crate::outbox::{Outbox, SendFailure};

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
fn a_burst_takes_no_reader_from_the_end() {
    let mut state = state(1, 100, 100);
    let mut list = ListModel::new(None, 100);
    plan(&mut list, &state);
    arrive(&mut state, 101, 140);
    // The burst has scrolled past, so it does not count as read.
    let in_view = Some(Some(InView { first: 125, last: 140 }));
    assert_eq!(list.read_up_to(state.room(ROOM), in_view, true), None);
    let rows = plan(&mut list, &state).rows;
    assert!(rows.iter().any(|row| row.body == RowBody::Unread));
    assert_eq!(list.take_goal(), None);
}

#[test]
fn a_room_with_many_unread_messages_opens_at_its_end_and_has_the_line() {
    let state = state(20, 100, 30);
    let mut list = ListModel::new(None, 100);
    plan(&mut list, &state);
    assert_eq!(list.take_goal(), None);
    list.go_to(31);
    let rows = list.plan(&state, ROOM, false, &|_| 0).unwrap().rows;
    let line = rows.iter().position(|row| row.body == RowBody::Unread).unwrap();
    assert_eq!(rows[line + 1].key, RowKey::Seq(31));
}

#[test]
fn a_room_without_a_read_message_has_the_line() {
    let state = state(1, 10, 0);
    let rows = plan(&mut ListModel::new(None, 10), &state).rows;
    assert_eq!(rows.iter().filter(|row| row.body == RowBody::Unread).count(), 1);
}

#[test]
fn a_target_is_shown_once_it_is_loaded() {
    let mut list = ListModel::new(Some(Goal::Message(40)), 100);
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
        plan(&mut list, &state).announcements.messages.iter().map(|message| message.seq).collect();
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
fn messages_count_as_read_once_the_goal_is_reached() {
    let state = state(50, 100, 90);
    let mut list = ListModel::new(None, 100);
    let end = Some(Some(InView { first: 85, last: 100 }));
    plan(&mut list, &state);
    assert_eq!(list.read_up_to(state.room(ROOM), end, true), None, "the unread line comes first");
    list.take_goal();
    assert_eq!(list.read_up_to(state.room(ROOM), None, true), None, "nobody sees the list");
    assert_eq!(list.read_up_to(state.room(ROOM), end, true), Some(100));
}

#[test]
fn only_messages_that_were_in_view_count_as_read() {
    let mut state = state(20, 100, 30);
    let mut list = ListModel::new(None, 100);
    plan(&mut list, &state);
    let end = Some(Some(InView { first: 85, last: 100 }));
    assert_eq!(list.read_up_to(state.room(ROOM), end, true), None, "31 to 84 were never in view");
    let line = Some(Some(InView { first: 25, last: 40 }));
    assert_eq!(list.read_up_to(state.room(ROOM), line, false), Some(40));
    state.mark_read(ROOM, 40);
    let below = Some(Some(InView { first: 38, last: 55 }));
    assert_eq!(list.read_up_to(state.room(ROOM), below, false), Some(55));
    let skipped = Some(Some(InView { first: 70, last: 90 }));
    assert_eq!(list.read_up_to(state.room(ROOM), skipped, false), None);
}

#[test]
fn the_unread_line_stays_while_the_reader_reads_and_moves_afterwards() {
    let line_above = |list: &mut ListModel, state: &ChatState| {
        let rows = plan(list, state).rows;
        let line = rows.iter().position(|row| row.body == RowBody::Unread)?;
        Some(rows[line + 1].key.clone())
    };
    let mut state = state(50, 100, 90);
    let mut list = ListModel::new(None, 100);
    assert_eq!(line_above(&mut list, &state), Some(RowKey::Seq(91)));
    list.take_goal();
    state.mark_read(ROOM, 95);
    assert_eq!(line_above(&mut list, &state), Some(RowKey::Seq(91)), "some are still unread");
    let end = Some(Some(InView { first: 89, last: 100 }));
    list.read_up_to(state.room(ROOM), end, true);
    state.mark_read(ROOM, 100);
    arrive(&mut state, 101, 101);
    assert_eq!(line_above(&mut list, &state), Some(RowKey::Seq(91)), "the reader sees the new one");
    list.read_up_to(state.room(ROOM), None, true);
    assert!(list.wants_unread_line(state.room(ROOM).unwrap()));
    assert_eq!(line_above(&mut list, &state), Some(RowKey::Seq(101)));
}

/// The browser's copy of a room whose events up to `head` are loaded and read.
fn copy(head: u64) -> ChatState {
    let mut state = state(1, head, head);
    let rooms = state.rooms().iter().map(RoomLog::state).collect();
    let messages = state.take_to_keep(&[ROOM.to_owned()]).into_iter().map(|(_, messages)| messages).collect();
    state.restore(0, rooms, messages);
    state
}

fn caught_up(state: &mut ChatState) {
    let frame = pb::subscribe_response::Frame::CaughtUp(pb::CaughtUp {});
    state.apply(pb::SubscribeResponse { frame: Some(frame) });
}

#[test]
fn a_room_from_the_copy_goes_to_its_unread_line_once_it_is_up_to_date() {
    let mut state = copy(100);
    let mut list = ListModel::new(None, 100);
    plan(&mut list, &state);
    let end = Some(Some(InView { first: 85, last: 140 }));
    assert_eq!(list.read_up_to(state.room(ROOM), end, true), Some(100));
    arrive(&mut state, 101, 140);
    let planned = plan(&mut list, &state);
    assert_eq!((list.take_goal(), planned.announcements.is_empty()), (None, true));
    assert_eq!(list.read_up_to(state.room(ROOM), end, true), Some(100), "what is new is not up to date");

    caught_up(&mut state);
    let planned = plan(&mut list, &state);
    assert!(planned.rows.iter().any(|row| row.body == RowBody::Unread));
    assert_eq!((list.take_goal(), planned.announcements.is_empty()), (Some(Goal::UnreadLine), true));
    arrive(&mut state, 141, 141);
    assert_eq!(plan(&mut list, &state).announcements.messages.len(), 1);
    assert_eq!(list.take_goal(), None);
}

#[test]
fn a_copy_that_is_up_to_date_takes_no_reader_elsewhere() {
    for (arrives, scrolls) in [(0, false), (40, true), (61, false)] {
        let mut state = copy(100);
        let mut list = ListModel::new(None, 100);
        plan(&mut list, &state);
        if scrolls {
            list.touch();
        }
        arrive(&mut state, 101, 100 + arrives);
        plan(&mut list, &state);
        caught_up(&mut state);
        plan(&mut list, &state);
        assert_eq!(list.take_goal(), None, "{arrives} messages");
    }
}

#[test]
fn a_target_that_does_not_exist_is_said_and_the_end_is_shown() {
    let state = state(50, 100, 100);
    for seq in [0, 101, u64::MAX] {
        let mut list = ListModel::new(Some(Goal::Message(seq)), 100);
        let plan = list.plan(&state, ROOM, false, &|_| 0).unwrap();
        assert!(plan.is_target_missing && plan.rows.last().unwrap().key == RowKey::Seq(100), "{seq}");
        assert_eq!(list.take_goal(), Some(Goal::End));
    }
}

#[test]
fn a_target_beyond_an_empty_range_loads_the_newest_page() {
    let mut list = ListModel::new(Some(Goal::Message(500)), 100);
    let mut state = state(101, 100, 100);
    state.set_view(None);
    assert!(list.plan(&state, ROOM, false, &|_| 0).unwrap().rows.is_empty());
    assert_eq!(list.first_page(&state, ROOM), Some(HistoryPage::Newest));
}

#[test]
fn a_message_that_arrives_is_shown_although_it_was_missing() {
    let mut state = state(50, 100, 100);
    let mut list = ListModel::new(Some(Goal::Message(101)), 100);
    assert!(plan(&mut list, &state).is_target_missing);
    list.take_goal();
    arrive(&mut state, 101, 101);
    assert!(!plan(&mut list, &state).is_target_missing);
    assert_eq!(list.take_goal(), Some(Goal::Message(101)));
}

#[test]
fn a_room_opens_at_the_place_where_it_was_left() {
    let place = Place { seq: 60, offset_px: -12 };
    let mut list = ListModel::new(Some(Goal::Place(place)), 100);
    list.plan(&state(50, 100, 100), ROOM, false, &|_| 0).unwrap();
    assert_eq!(list.take_goal(), Some(Goal::Place(place)));
}

#[test]
fn the_row_with_the_focus_stays_outside_of_the_window() {
    let mut state = state(1, 10, 10);
    state.set_view(Some((ROOM, true)));
    arrive(&mut state, 11, 400);
    let mut list = ListModel::new(None, 400);
    plan(&mut list, &state);
    list.set_focused(Some((RowKey::Seq(390), Some(390))));
    list.go_to(20);
    let rows = list.plan(&state, ROOM, false, &|_| 0).unwrap().rows;
    assert_eq!(rows.last().unwrap().key, RowKey::Seq(390));
    assert!(rows.iter().all(|row| row.key != RowKey::Seq(389)));
    list.go_to_end();
    plan(&mut list, &state);
    list.set_focused(Some((RowKey::Seq(390), Some(390))));
    arrive(&mut state, 401, 480);
    assert_eq!(plan(&mut list, &state).rows[1].key, RowKey::Seq(390), "below the day");
    arrive(&mut state, 481, 980);
    assert!(state.room(ROOM).unwrap().get(390).is_none(), "the log has dropped the message");
    assert_eq!(plan(&mut list, &state).rows[1].key, RowKey::Seq(390));
    list.set_focused(None);
    assert!(plan(&mut list, &state).rows.iter().all(|row| row.key != RowKey::Seq(390)));
}

#[test]
fn a_message_that_was_not_sent_is_announced_once() {
    let refuse = |state: &mut ChatState, id: u128| {
        let operation_id = Uuid::from_u128(id);
        let me = Arc::new(crate::message::Author { id: "me".to_owned(), name: "Me".to_owned() });
        state.outbox.add(operation_id, me, ROOM, &format!("text {id}"), 0);
        state.outbox.take_due(0);
        let failure = SendFailure {
            code: tonic::Code::InvalidArgument,
            cause: None,
            message: String::new(),
            pushback: None,
        };
        state.outbox.mark_failed(operation_id, &failure, 0);
    };
    let mut state = state(1, 10, 10);
    refuse(&mut state, 1);
    let mut list = ListModel::new(None, 10);
    assert!(plan(&mut list, &state).announcements.is_empty(), "it was there before");
    refuse(&mut state, 2);
    assert_eq!(plan(&mut list, &state).announcements.not_sent.as_deref(), Some("text 2"));
    assert!(plan(&mut list, &state).announcements.is_empty());
}
