//! Tests of the rows: groups, days, the unread line, keys.

use proto::chat::v1 as pb;

use super::*;
use crate::outbox::Outbox;
use crate::state::ChatState;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const MINUTE_MS: i64 = 60 * 1_000;
/// Noon of a day, far from both midnights.
const NOON_MS: i64 = 1_000 * DAY_MS + DAY_MS / 2;

fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

fn event(seq: u64, author: &str, at_ms: i64) -> pb::Event {
    pb::Event {
        room_id: "general".to_owned(),
        seq,
        created_at_ms: at_ms,
        author: Some(pb::User { id: author.to_owned(), name: author.to_owned() }),
        operation_id: Uuid::from_u128(seq.into()).as_bytes().to_vec().into(),
        body: Some(match seq {
            1 => pb::event::Body::RoomCreated(pb::RoomCreated { name: "general".to_owned() }),
            _ => pb::event::Body::MessagePosted(pb::MessagePosted { text: seq.to_string() }),
        }),
    }
}

fn state(events: Vec<pb::Event>) -> ChatState {
    let mut state = ChatState::new("me", Outbox::new("me"));
    state.apply_room_state(pb::RoomState {
        room: Some(pb::Room { id: "general".to_owned(), ..pb::Room::default() }),
        ..pb::RoomState::default()
    });
    state.set_view(Some(("general", true)));
    let frame = pb::subscribe_response::Frame::Events(pb::Events { events, ..Default::default() });
    state.apply(pb::SubscribeResponse { frame: Some(frame) });
    state
}

fn rows_of(state: &ChatState, window: Option<Window>, unread_from: Option<u64>) -> Vec<Row> {
    let room = state.room("general").unwrap();
    let pending: Vec<&PendingMessage> = state.outbox.of_room("general").collect();
    let bounds = bounds(room, pending.len());
    let window = window.unwrap_or(Window { first: bounds.first, end: bounds.end });
    Rows { room, pending: &pending, user_id: "me", day_of: &day_of }.of_window(window, unread_from)
}

/// The rows in short: a day as `= n`, the unread line as `---`, `+` before the first message of a group.
fn sketch(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .map(|row| match &row.body {
            RowBody::Start { .. } => "start".to_owned(),
            RowBody::Day { at_ms } => format!("= {}", day_of(*at_ms) - 1_000),
            RowBody::Unread => "---".to_owned(),
            RowBody::Message(row) => {
                let head = if row.starts_group { "+" } else { "" };
                let state = match row.delivery {
                    Delivery::Stored => "",
                    Delivery::Waiting => " waiting",
                    Delivery::NotSent(_) => " not sent",
                };
                format!("{head}{}{state}", row.text)
            }
        })
        .collect()
}

#[test]
fn messages_of_one_author_within_five_minutes_are_one_group() {
    let state = state(vec![
        event(1, "ada", NOON_MS),
        event(2, "ada", NOON_MS),
        event(3, "ada", NOON_MS + 4 * MINUTE_MS),
        event(4, "ada", NOON_MS + 10 * MINUTE_MS),
        event(5, "bob", NOON_MS + 10 * MINUTE_MS),
        event(6, "ada", NOON_MS + 10 * MINUTE_MS),
    ]);
    assert_eq!(sketch(&rows_of(&state, None, None)), ["start", "= 0", "+2", "3", "+4", "+5", "+6"]);
}

#[test]
fn a_new_day_has_a_divider_and_starts_a_group() {
    let midnight = 1_001 * DAY_MS;
    let state =
        state(vec![event(1, "ada", NOON_MS), event(2, "ada", midnight - 1), event(3, "ada", midnight)]);
    assert_eq!(sketch(&rows_of(&state, None, None)), ["start", "= 0", "+2", "= 1", "+3"]);
}

#[test]
fn the_unread_line_stands_above_its_message_and_below_its_day() {
    let events = vec![
        event(1, "ada", NOON_MS),
        event(2, "ada", NOON_MS),
        event(3, "ada", NOON_MS),
        event(4, "ada", NOON_MS + DAY_MS),
    ];
    let state = state(events);
    assert_eq!(sketch(&rows_of(&state, None, Some(3))), ["start", "= 0", "+2", "---", "+3", "= 1", "+4"]);
    assert_eq!(sketch(&rows_of(&state, None, Some(4))), ["start", "= 0", "+2", "3", "= 1", "---", "+4"]);
    let below = Window { first: 4, end: 5 };
    assert_eq!(sketch(&rows_of(&state, Some(below), Some(3))), ["= 1", "+4"]);
}

#[test]
fn a_window_has_the_same_rows_as_the_whole_room() {
    let events: Vec<pb::Event> = (1..200)
        .map(|seq| {
            let author = if seq % 7 < 4 { "ada" } else { "me" };
            event(seq, author, NOON_MS + i64::try_from(seq).unwrap() * 37 * MINUTE_MS / 10)
        })
        .collect();
    let state = state(events);
    let whole = rows_of(&state, None, Some(60));
    for first in 2..150 {
        let slice = rows_of(&state, Some(Window { first, end: first + 40 }), Some(60));
        // The day at the top may have begun above the window.
        for row in &slice[1..] {
            assert!(whole.contains(row), "{row:?} is not in the whole");
        }
        assert!(matches!(slice[0].key, RowKey::Day(_) | RowKey::Unread));
    }
}

#[test]
fn the_unread_line_passes_own_messages_and_stays_out_of_later_windows() {
    let events = vec![event(1, "ada", NOON_MS), event(2, "me", NOON_MS), event(3, "ada", NOON_MS)];
    let state = state(events);
    assert_eq!(sketch(&rows_of(&state, None, Some(2))), ["start", "= 0", "+2", "---", "+3"]);
    let below = Window { first: 3, end: 4 };
    assert_eq!(sketch(&rows_of(&state, Some(below), Some(2))), ["= 0", "+3"]);
}

#[test]
fn row_keys_are_unique() {
    let events =
        (1..300).map(|seq| event(seq, "ada", NOON_MS + i64::try_from(seq).unwrap() * 97 * MINUTE_MS));
    let rows = rows_of(&state(events.collect()), None, Some(100));
    let keys: std::collections::HashSet<&RowKey> = rows.iter().map(|row| &row.key).collect();
    assert_eq!(keys.len(), rows.len());
}

#[test]
fn a_pending_message_keeps_its_key_when_it_is_stored() {
    let mut state = state(vec![event(1, "ada", NOON_MS), event(2, "ada", NOON_MS)]);
    let me = Arc::new(Author { id: "me".to_owned(), name: "me".to_owned() });
    // This machine's clock is a day behind.
    for seq in [3, 4] {
        state.outbox.add(Uuid::from_u128(seq), me.clone(), "general", &seq.to_string(), NOON_MS - DAY_MS);
    }
    let waiting = rows_of(&state, None, None);
    assert_eq!(sketch(&waiting), ["start", "= 0", "+2", "+3 waiting", "4 waiting"]);
    let frame = pb::subscribe_response::Frame::Events(pb::Events {
        events: vec![event(3, "me", NOON_MS)],
        ..Default::default()
    });
    state.apply(pb::SubscribeResponse { frame: Some(frame) });
    let stored = rows_of(&state, None, None);
    assert_eq!(sketch(&stored), ["start", "= 0", "+2", "+3", "4 waiting"]);
    let keys = |rows: &[Row]| rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&waiting), keys(&stored));
}

#[test]
fn building_a_window_does_not_read_the_whole_room() {
    // The days that are asked for, one or two for each message that is read.
    let days = |messages: u64| {
        let mut state = state(Vec::new());
        state.set_view(Some(("general", false)));
        let events = (1..=messages).map(|seq| event(seq, "ada", NOON_MS)).collect();
        let frame = pb::subscribe_response::Frame::Events(pb::Events { events, ..Default::default() });
        state.apply(pb::SubscribeResponse { frame: Some(frame) });
        let room = state.room("general").unwrap();
        assert_eq!(room.loaded() as u64, messages);
        let asked = std::cell::Cell::new(0);
        let day_of = |at_ms| {
            asked.set(asked.get() + 1);
            day_of(at_ms)
        };
        let rows = Rows { room, pending: &[], user_id: "me", day_of: &day_of };
        assert_eq!(rows.of_window(Window { first: 10, end: 170 }, None).len(), 161);
        asked.get()
    };
    assert!(days(200) > 0);
    assert_eq!(days(200), days(2_000));
}
