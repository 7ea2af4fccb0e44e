//! Tests of the state: recoveries, history, unread counts, settling of pending messages.

use std::sync::Arc;

use proptest::prelude::*;
use proto::chat::v1::{self as pb, Recovery, event, subscribe_response::Frame};
use uuid::Uuid;

use super::*;
use crate::message::Author;
use crate::room::{BACKGROUND_MAX, END_MAX, VIEWED_MAX};

const ME: &str = "me";
const ROOM: &str = "general";
const EPOCH: u64 = 77;

fn user(id: &str) -> pb::User {
    pb::User { id: id.to_owned(), name: id.to_uppercase() }
}

fn fresh() -> ChatState {
    ChatState::new(ME, Outbox::new(ME))
}

fn frame(frame: Frame) -> pb::SubscribeResponse {
    pb::SubscribeResponse { frame: Some(frame) }
}

fn room_state(recovery: Recovery, head_seq: u64) -> pb::RoomState {
    pb::RoomState {
        room: Some(pb::Room { id: ROOM.to_owned(), name: "General".to_owned(), created_at_ms: 1 }),
        epoch: EPOCH,
        head_seq,
        recovery: recovery.into(),
        ..pb::RoomState::default()
    }
}

fn hello() -> pb::SubscribeResponse {
    frame(Frame::Hello(pb::Hello { user: Some(user(ME)), ..pb::Hello::default() }))
}

fn caught_up() -> pb::SubscribeResponse {
    frame(Frame::CaughtUp(pb::CaughtUp {}))
}

/// Begins a stream: hello, one room, the replayed events, caught up.
fn connect(state: &mut ChatState, recovery: Recovery, head_seq: u64, replayed: Vec<pb::Event>) {
    state.apply(hello());
    state.apply(frame(Frame::RoomState(room_state(recovery, head_seq))));
    if !replayed.is_empty() {
        state.apply(frame(Frame::Events(pb::Events { events: replayed, ..Default::default() })));
    }
    state.apply(caught_up());
}

fn event(seq: u64, author: &str, operation: u128) -> pb::Event {
    pb::Event {
        room_id: ROOM.to_owned(),
        seq,
        created_at_ms: i64::try_from(seq).unwrap() * 1_000,
        author: Some(user(author)),
        operation_id: Uuid::from_u128(operation).as_bytes().to_vec().into(),
        body: Some(event::Body::MessagePosted(pb::MessagePosted { text: format!("message {seq}") })),
    }
}

fn others(range: std::ops::RangeInclusive<u64>) -> Vec<pb::Event> {
    range.map(|seq| event(seq, "other", u128::from(seq))).collect()
}

fn arrive(state: &mut ChatState, events: Vec<pb::Event>) {
    state.apply(frame(Frame::Events(pb::Events { events, ..Default::default() })));
}

fn page(events: Vec<pb::Event>, head: u64) -> pb::ListEventsResponse {
    pb::ListEventsResponse {
        has_earlier: events.first().is_some_and(|event| event.seq > 1),
        has_later: events.last().is_some_and(|event| event.seq < head),
        as_of: Some(pb::Cursor { room_id: ROOM.to_owned(), epoch: EPOCH, seq: head, fingerprint: 0 }),
        events,
    }
}

fn write(state: &mut ChatState, operation: u128, text: &str) {
    let me = Arc::new(Author { id: ME.to_owned(), name: "ME".to_owned() });
    state.outbox.add(Uuid::from_u128(operation), me, ROOM, text, 0);
}

fn answer(seq: u64) -> pb::SendMessageResponse {
    pb::SendMessageResponse {
        seq,
        epoch: EPOCH,
        created_at_ms: i64::try_from(seq).unwrap() * 1_000,
        duplicate: false,
    }
}

fn room(state: &ChatState) -> &RoomLog {
    state.room(ROOM).unwrap()
}

fn loaded(state: &ChatState) -> Vec<u64> {
    let room = room(state);
    (room.first()..=room.end()).map(|seq| room.get(seq).unwrap().seq).collect()
}

fn range(first: u64, end: u64) -> Vec<u64> {
    (first..=end).collect()
}

fn read_at_end(state: &mut ChatState) {
    state.set_view(Some((ROOM, true)));
}

fn read_above(state: &mut ChatState) {
    state.set_view(Some((ROOM, false)));
}

#[test]
fn a_fresh_room_loads_new_events_only() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 10, vec![]);
    assert!(loaded(&state).is_empty());
    assert!(room(&state).is_attached());
    arrive(&mut state, others(11..=12));
    assert_eq!(loaded(&state), range(11, 12));
    assert_eq!(
        state.cursors(),
        [pb::Cursor { room_id: ROOM.to_owned(), epoch: EPOCH, seq: 12, fingerprint: 0 }]
    );
}

#[test]
fn a_cursor_has_the_fingerprint_of_its_own_event() {
    let mut state = ChatState::default();
    let fingerprint = |state: &ChatState| state.cursors()[0].fingerprint;
    state.apply_room_state(pb::RoomState { head_fingerprint: 7, ..room_state(Recovery::Fresh, 10) });
    assert_eq!(fingerprint(&state), 7);
    let events = |seqs: &[u64], fingerprint| {
        let events = seqs.iter().map(|seq| event(*seq, "other", 0)).collect();
        frame(Frame::Events(pb::Events { events, fingerprint }))
    };
    state.apply(events(&[11, 12], 8));
    assert_eq!(fingerprint(&state), 8);
    state.apply(events(&[13], 0));
    assert_eq!(fingerprint(&state), 0, "an older server sends none");
    state.apply(events(&[14], 9));
    // A repeated older event does not change the last one's.
    state.apply(events(&[12], 8));
    assert_eq!(fingerprint(&state), 9);
}

#[test]
fn history_joins_the_loaded_range_on_both_sides() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 100, vec![]);
    arrive(&mut state, others(101..=103));
    state.apply_history(ROOM, HistoryPage::Newest, page(others(91..=102), 102));
    assert_eq!(loaded(&state), range(91, 103));
    state.apply_history(ROOM, HistoryPage::Before(91), page(others(81..=90), 103));
    assert_eq!(loaded(&state), range(81, 103));
    state.apply_history(ROOM, HistoryPage::Before(91), page(others(81..=90), 103));
    assert!(room(&state).is_attached() && room(&state).has_earlier());
}

#[test]
fn events_that_a_page_and_the_stream_bring_are_counted_once() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 100, vec![]);
    state.apply_history(ROOM, HistoryPage::Newest, page(others(95..=103), 103));
    arrive(&mut state, others(101..=104));
    assert_eq!(loaded(&state), range(95, 104));
    assert_eq!(room(&state).unread(), 4, "events above the marker count once");
}

#[test]
fn a_page_that_no_longer_touches_the_range_is_ignored() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 100, vec![]);
    state.apply_history(ROOM, HistoryPage::Newest, page(others(91..=100), 100));
    state.apply_history(ROOM, HistoryPage::Before(50), page(others(40..=49), 100));
    let other_log = pb::ListEventsResponse {
        as_of: Some(pb::Cursor { room_id: ROOM.to_owned(), epoch: EPOCH + 1, seq: 100, fingerprint: 0 }),
        ..page(others(81..=90), 100)
    };
    state.apply_history(ROOM, HistoryPage::Before(91), other_log);
    let holes = vec![event(88, "other", 88), event(90, "other", 90)];
    state.apply_history(ROOM, HistoryPage::Before(91), page(holes, 100));
    assert_eq!(loaded(&state), range(91, 100));
}

#[test]
fn a_full_recovery_continues_the_range() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 0, vec![]);
    read_at_end(&mut state);
    arrive(&mut state, others(1..=3));
    connect(&mut state, Recovery::Full, 6, others(4..=6));
    assert_eq!(loaded(&state), range(1, 6));
}

#[test]
fn a_limited_recovery_drops_older_messages_at_the_end() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 0, vec![]);
    read_at_end(&mut state);
    arrive(&mut state, others(1..=3));
    connect(&mut state, Recovery::Limited, 1_000, others(501..=1_000));
    assert_eq!(loaded(&state), range(501, 1_000));
    assert!(room(&state).is_attached() && room(&state).has_earlier());
}

#[test]
fn a_limited_recovery_keeps_older_messages_for_their_reader() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 0, vec![]);
    read_above(&mut state);
    arrive(&mut state, others(1..=30));
    connect(&mut state, Recovery::Limited, 1_000, others(501..=1_000));
    assert_eq!(loaded(&state), range(1, 30));
    assert!(!room(&state).is_attached());
    assert_eq!(room(&state).last(), 1_000);
    state.apply_history(ROOM, HistoryPage::After(30), page(others(31..=500), 1_000));
    state.apply_history(ROOM, HistoryPage::After(500), page(others(501..=1_000), 1_000));
    assert_eq!(loaded(&state), range(1, 1_000));
    arrive(&mut state, others(1_001..=1_001));
    assert_eq!(loaded(&state), range(1, 1_001));
}

#[test]
fn a_lost_log_is_dropped() {
    for lost in
        [pb::RoomState { epoch: EPOCH + 1, ..room_state(Recovery::Lost, 5) }, room_state(Recovery::Lost, 5)]
    {
        let mut state = fresh();
        connect(&mut state, Recovery::Fresh, 0, vec![]);
        read_above(&mut state);
        arrive(&mut state, others(1..=30));
        state.apply(hello());
        state.apply(frame(Frame::RoomState(lost.clone())));
        assert!(loaded(&state).is_empty());
        assert_eq!((room(&state).last(), room(&state).epoch()), (5, lost.epoch));
    }
}

#[test]
fn a_fresh_recovery_of_a_known_room_leaves_no_gap() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 0, vec![]);
    read_at_end(&mut state);
    arrive(&mut state, others(1..=30));
    connect(&mut state, Recovery::Fresh, 40, vec![]);
    assert!(loaded(&state).is_empty());
    arrive(&mut state, others(41..=41));
    assert_eq!(loaded(&state), range(41, 41));
}

#[test]
fn a_gap_in_the_stream_restarts_the_range() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 0, vec![]);
    arrive(&mut state, others(1..=3));
    arrive(&mut state, others(6..=7));
    assert_eq!(loaded(&state), range(6, 7));
}

#[test]
fn a_heartbeat_reveals_a_missed_event() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 3, vec![]);
    let heartbeat = |seq| {
        let heads = vec![pb::Cursor { room_id: ROOM.to_owned(), epoch: EPOCH, seq, fingerprint: 0 }];
        frame(Frame::Heartbeat(pb::Heartbeat { now_ms: 0, heads }))
    };
    assert_eq!(state.apply(heartbeat(3)), None);
    assert_eq!(state.apply(heartbeat(4)), Some(StreamSignal::MissedEvents));
}

#[test]
fn a_room_that_the_stream_does_not_name_disappears_at_caught_up() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 3, vec![]);
    state.apply(hello());
    assert_eq!(state.rooms().len(), 1);
    assert_eq!(state.apply(caught_up()), Some(StreamSignal::CaughtUp));
    assert_eq!(state.rooms().len(), 0);
}

#[test]
fn rooms_are_ordered_by_creation() {
    let mut state = fresh();
    for (id, created_at_ms) in [("c", 30), ("a", 10), ("b", 20)] {
        let info = pb::Room { id: id.to_owned(), name: id.to_owned(), created_at_ms };
        state.apply_room_state(pb::RoomState { room: Some(info), ..room_state(Recovery::Unspecified, 1) });
    }
    let ids: Vec<&str> = state.rooms().iter().map(RoomLog::id).collect();
    assert_eq!(ids, ["a", "b", "c"]);
}

#[test]
fn the_last_activity_of_a_room_is_known_without_its_messages() {
    let mut state = fresh();
    let head = pb::RoomState { head_created_at_ms: 5_000, ..room_state(Recovery::Fresh, 5) };
    state.apply(frame(Frame::RoomState(head.clone())));
    assert_eq!((room(&state).active_ms(), room(&state).loaded()), (5_000, 0));
    arrive(&mut state, others(6..=6));
    assert_eq!(room(&state).active_ms(), 6_000);
    state.apply(frame(Frame::RoomState(head)));
    assert_eq!(room(&state).active_ms(), 6_000, "an older state does not set it back");

    // The reader is among older messages, and the newest are not kept.
    read_above(&mut state);
    arrive(&mut state, others(7..=VIEWED_MAX as u64 + 50));
    assert!(!room(&state).is_attached());
    assert_eq!(room(&state).active_ms(), (VIEWED_MAX as i64 + 50) * 1_000);
}

#[test]
fn unread_counts_messages_of_others_above_the_read_marker() {
    let mut state = fresh();
    let seen = pb::RoomState { read_seq: 8, unread: 2, ..room_state(Recovery::Fresh, 10) };
    state.apply(frame(Frame::RoomState(seen)));
    assert_eq!(room(&state).unread(), 2);
    arrive(&mut state, vec![event(11, "other", 11), event(12, ME, 12), event(13, "other", 13)]);
    assert_eq!(room(&state).unread(), 4);
    state.apply(frame(Frame::ReadMarker(pb::ReadMarker {
        room_id: ROOM.to_owned(),
        read_seq: 11,
        unread: 9,
    })));
    assert_eq!(room(&state).unread(), 1, "loaded messages are counted");
    state.mark_read(ROOM, 13);
    assert_eq!((room(&state).unread(), room(&state).unsent_read_seq()), (0, Some(13)));
    state.apply_marked(ROOM, pb::MarkReadResponse { read_seq: 13, unread: 0 });
    assert_eq!(room(&state).unsent_read_seq(), None);
    state.apply(frame(Frame::ReadMarker(pb::ReadMarker {
        room_id: ROOM.to_owned(),
        read_seq: 5,
        unread: 9,
    })));
    assert_eq!(room(&state).unread(), 0, "the marker never moves back");
}

#[test]
fn messages_read_while_disconnected_stay_read() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 0, vec![]);
    read_at_end(&mut state);
    arrive(&mut state, others(1..=5));
    state.mark_read(ROOM, 5);
    let behind = pb::RoomState { read_seq: 2, unread: 5, ..room_state(Recovery::Full, 7) };
    state.apply(frame(Frame::RoomState(behind)));
    arrive(&mut state, others(6..=7));
    assert_eq!((room(&state).unread(), room(&state).unsent_read_seq()), (2, Some(5)));
}

#[test]
fn the_first_unread_message_is_the_first_of_another_user() {
    let mut state = fresh();
    let seen = pb::RoomState { read_seq: 8, unread: 0, ..room_state(Recovery::Fresh, 8) };
    state.apply(frame(Frame::RoomState(seen)));
    arrive(&mut state, vec![event(9, ME, 9), event(10, "other", 10)]);
    assert_eq!(room(&state).first_unread(), Some(10));
    state.mark_read(ROOM, 10);
    assert_eq!(room(&state).first_unread(), None);
}

#[test]
fn a_room_in_the_background_keeps_few_messages() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 0, vec![]);
    for seq in 1..=1_000 {
        arrive(&mut state, others(seq..=seq));
        assert!(room(&state).loaded() <= BACKGROUND_MAX);
    }
    assert_eq!(room(&state).end(), 1_000);
    assert_eq!(room(&state).unread(), 1_000);
}

#[test]
fn the_room_that_is_shown_is_bounded() {
    let max = VIEWED_MAX as u64;
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 10, vec![]);
    read_at_end(&mut state);
    for seq in 11..=max {
        arrive(&mut state, others(seq..=seq));
        assert!(room(&state).loaded() <= END_MAX);
    }
    assert!(room(&state).loaded() >= END_MAX / 2);

    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 10, vec![]);
    read_above(&mut state);
    arrive(&mut state, others(11..=max + 10));
    assert_eq!((room(&state).first(), room(&state).loaded()), (11, VIEWED_MAX));
    state.apply_history(ROOM, HistoryPage::Before(11), page(others(1..=10), max + 10));
    assert_eq!((room(&state).first(), room(&state).end()), (1, max));
    assert!(!room(&state).is_attached(), "the newer end was dropped");
    state.set_view(None);
    assert!(loaded(&state).is_empty() && room(&state).is_attached());
}

#[test]
fn an_event_settles_its_pending_message() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 0, vec![]);
    write(&mut state, 9, "message 1");
    arrive(&mut state, vec![event(1, ME, 9)]);
    assert!(state.outbox.all().is_empty());
    state.apply_sent(Uuid::from_u128(9), &answer(1));
    assert_eq!(loaded(&state), [1]);
}

#[test]
fn a_response_settles_its_pending_message() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 0, vec![]);
    write(&mut state, 9, "message 1");
    state.apply_sent(Uuid::from_u128(9), &answer(1));
    assert!(state.outbox.all().is_empty());
    assert_eq!(loaded(&state), [1]);
    let stored = room(&state).get(1).unwrap().clone();
    arrive(&mut state, vec![event(1, ME, 9)]);
    assert_eq!(room(&state).get(1), Some(&stored), "the event says the same");
    assert_eq!(loaded(&state), [1]);
}

#[test]
fn a_stored_message_stays_pending_until_the_log_reaches_it() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 0, vec![]);
    write(&mut state, 9, "message 3");
    state.apply_sent(Uuid::from_u128(9), &answer(3));
    assert_eq!(state.outbox.all().len(), 1);
    assert!(loaded(&state).is_empty());
    arrive(&mut state, others(1..=2));
    assert_eq!(state.outbox.all().len(), 1);
    arrive(&mut state, vec![event(3, ME, 9)]);
    assert!(state.outbox.all().is_empty());
    assert_eq!(loaded(&state), [1, 2, 3]);
}

#[test]
fn an_event_in_history_settles_its_pending_message() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 50, vec![]);
    write(&mut state, 9, "message 50");
    state.apply_history(ROOM, HistoryPage::Newest, page(vec![event(49, "other", 49), event(50, ME, 9)], 50));
    assert!(state.outbox.all().is_empty());
}

#[test]
fn a_stored_message_of_a_replaced_log_is_removed() {
    let mut state = fresh();
    connect(&mut state, Recovery::Fresh, 0, vec![]);
    write(&mut state, 9, "message 3");
    state.apply_sent(Uuid::from_u128(9), &answer(3));
    state.apply_room_state(pb::RoomState { epoch: EPOCH + 1, ..room_state(Recovery::Lost, 1) });
    assert!(state.outbox.all().is_empty());
}

/// A step of a random run.
#[derive(Clone, Debug)]
enum Step {
    /// The stream sends up to `count` events after repeating `repeat`.
    Stream { count: usize, repeat: usize },
    /// A response to one of the user's messages arrives, perhaps not for the first time.
    Answer(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1_usize..8, 0_usize..5).prop_map(|(count, repeat)| Step::Stream { count, repeat }),
        any::<prop::sample::Index>().prop_map(|index| Step::Answer(index.index(1_000))),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn any_order_repetition_and_split_gives_the_same_state(
        authors in prop::collection::vec(any::<bool>(), 1..40),
        steps in steps(),
    ) {
        let events: Vec<pb::Event> = (1..)
            .zip(&authors)
            .map(|(seq, mine)| event(seq, if *mine { ME } else { "other" }, 1_000 + u128::from(seq)))
            .collect();
        let mine: Vec<&pb::Event> = (events.iter().zip(&authors)).filter(|(_, mine)| **mine).map(|(event, _)| event).collect();

        let mut expected = fresh();
        connect(&mut expected, Recovery::Fresh, 0, vec![]);
        arrive(&mut expected, events.clone());

        let mut state = fresh();
        connect(&mut state, Recovery::Fresh, 0, vec![]);
        for event in &mine {
            write(&mut state, Uuid::from_slice(&event.operation_id).unwrap().as_u128(), &format!("message {}", event.seq));
        }
        let mut sent = 0_usize;
        let mut stored = Vec::new();
        let last = Step::Stream { count: usize::MAX, repeat: 3 };
        for step in steps.into_iter().chain([last]) {
            match step {
                Step::Stream { count, repeat } => {
                    let start = sent.min(sent.saturating_sub(repeat));
                    sent = sent.saturating_add(count).min(events.len());
                    if start < sent {
                        arrive(&mut state, events[start..sent].to_vec());
                    }
                }
                Step::Answer(index) if !mine.is_empty() => {
                    let event = mine[index % mine.len()];
                    state.apply_sent(Uuid::from_slice(&event.operation_id).unwrap(), &answer(event.seq));
                }
                Step::Answer(_) => {}
            }
            let shown = loaded(&state);
            prop_assert_eq!(&shown, &range(1, shown.len() as u64), "dense and in order");
            let operations: Vec<_> = shown.iter().filter_map(|seq| room(&state).get(*seq)?.operation_id).collect();
            prop_assert!(state.outbox.all().iter().all(|pending| !operations.contains(&pending.operation_id)), "never twice");
            prop_assert!(shown.starts_with(&stored), "stored messages keep their places");
            stored = shown;
        }
        prop_assert_eq!(room(&state), room(&expected));
        prop_assert!(state.outbox.all().is_empty());
    }

    #[test]
    fn pages_in_any_order_leave_no_gap(
        pages in prop::collection::vec((0_u8..4, 1_u64..300, 1_u64..60), 1..40),
        at_end in any::<bool>(),
    ) {
        let mut head = 200;
        let mut state = fresh();
        connect(&mut state, Recovery::Fresh, head, vec![]);
        state.set_view(Some((ROOM, at_end)));
        for (kind, at, length) in pages {
            let at = at.min(head);
            let page_of = |first: u64, end: u64| page(others(first.max(1)..=end.min(head)), head);
            match kind {
                0 => { state.apply_history(ROOM, HistoryPage::Newest, page_of((head + 1).saturating_sub(length), head)); }
                1 => { state.apply_history(ROOM, HistoryPage::Before(at), page_of(at.saturating_sub(length), at.saturating_sub(1))); }
                2 => { state.apply_history(ROOM, HistoryPage::After(at), page_of(at + 1, at + length)); }
                _ => {
                    arrive(&mut state, others(head + 1..=head + length % 7));
                    head += length % 7;
                }
            }
            let room = room(&state);
            prop_assert_eq!(loaded(&state), range(room.first(), room.end()));
            prop_assert!(room.end() <= room.last());
            prop_assert_eq!(room.last(), head);
        }
    }
}
