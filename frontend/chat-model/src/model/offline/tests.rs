use super::super::tests::{ROOM, event, frame, names, now, room_state, user, write};
use super::*;
use crate::connection::{Cause, Link, Strip};
use crate::kept::encode_room;
use proto::chat::v1::{self as pb, subscribe_response::Frame};

/// The copy of a chat with these messages, as the database returns it.
fn kept(messages: u64) -> Kept {
    let mut model = ChatModel::new(true, now(0));
    model.sign_in(user("me"), now(0));
    model.apply_frame(room_state(0), now(0));
    for seq in 1..=messages {
        model.apply_frame(event(seq, "other", seq.into()), now(0));
    }
    model.apply_frame(frame(Frame::CaughtUp(pb::CaughtUp {})), now(0));
    let ToKeep { list, room_ids, changed } = model.take_to_keep(now(500)).unwrap();
    assert_eq!(room_ids, [ROOM]);
    let entry = changed.into_iter().next().map(|(_, messages)| encode_room(None, messages));
    Kept::new(KeptList::decode(&list.encode()).unwrap(), [entry].into_iter())
}

/// A chat that has started from the copy, while the server could not be reached.
fn offline(messages: u64) -> ChatModel {
    let mut model = ChatModel::new(true, now(0));
    let cause = Cause::Unreachable;
    model.set_link(Link::Waiting { until_ms: 4_000.0, cause }, now(0));
    model.finish(now(0));
    model.restore(kept(messages));
    assert_eq!(names(&model.finish(now(0)))[..2], ["LoadOutbox", "user Some(\"me\")"]);
    model
}

fn seqs(model: &ChatModel) -> Vec<u64> {
    let room = model.state().room(ROOM).unwrap();
    (1..=room.end()).filter(|seq| room.get(*seq).is_some()).collect()
}

#[test]
fn rooms_and_messages_are_shown_without_a_network() {
    let model = offline(3);
    assert_eq!((model.phase(), model.is_ready(), model.kept_at_ms()), (Phase::SignedIn, true, Some(500)));
    assert_eq!(seqs(&model), [1, 2, 3]);
    assert_eq!(model.state().room(ROOM).unwrap().unread(), 3);
    assert!(matches!(model.strip(now(2_000)), Strip::Failing { cause: Cause::Unreachable, .. }));
}

#[test]
fn rooms_keep_their_last_activity_in_the_copy() {
    let mut model = ChatModel::new(true, now(0));
    model.sign_in(user("me"), now(0));
    let mut state = room_state(9);
    if let Some(Frame::RoomState(state)) = &mut state.frame {
        state.head_created_at_ms = 9_000;
    }
    model.apply_frame(state, now(0));
    model.apply_frame(frame(Frame::CaughtUp(pb::CaughtUp {})), now(0));
    let list = model.take_to_keep(now(0)).unwrap().list;

    let mut model = ChatModel::new(true, now(0));
    model.restore(Kept::new(KeptList::decode(&list.encode()).unwrap(), [None].into_iter()));
    assert_eq!(model.state().room(ROOM).unwrap().active_ms(), 9_000);
}

#[test]
fn nothing_is_sent_before_the_session_is_known() {
    // The question for the session is slow, and nothing has failed.
    let mut model = ChatModel::new(true, now(0));
    model.restore(kept(3));
    model.finish(now(0));
    assert_eq!(write(&mut model, 1, 0)[0], "store 1");
    model.mark_read(ROOM, 3);
    model.resume_outbox(now(5_000));
    let effects = names(&model.finish(now(5_000)));
    assert!(!effects.iter().any(|effect| effect.starts_with("send") || effect.starts_with("mark")));

    model.sign_in(user("me"), now(6_000));
    assert!(names(&model.finish(now(6_000))).contains(&"Subscribe".to_owned()));
    model.apply_frame(
        frame(Frame::Hello(pb::Hello { user: Some(user("me")), ..Default::default() })),
        now(6_000),
    );
    assert!(names(&model.finish(now(6_000))).contains(&"send 1".to_owned()));
}

#[test]
fn the_stream_goes_on_from_the_copy() {
    let mut model = offline(3);
    model.sign_in(user("me"), now(0));
    model.finish(now(0));
    let cursors = model.state().cursors();
    assert_eq!((cursors[0].seq, cursors[0].epoch), (3, 7));
    assert_eq!(seqs(&model), [1, 2, 3], "nothing is drawn anew");

    let mut state = room_state(5);
    if let Some(Frame::RoomState(state)) = &mut state.frame {
        state.recovery = pb::Recovery::Full.into();
    }
    let hello = frame(Frame::Hello(pb::Hello { user: Some(user("me")), ..Default::default() }));
    for next in [hello, state, event(4, "other", 4), event(5, "other", 5)] {
        model.apply_frame(next, now(0));
        assert!(model.kept_at_ms().is_some());
    }
    model.apply_frame(frame(Frame::CaughtUp(pb::CaughtUp {})), now(0));
    assert_eq!(seqs(&model), [1, 2, 3, 4, 5]);
    assert_eq!(model.kept_at_ms(), None);
}

#[test]
fn a_session_that_ended_meanwhile_removes_the_copy() {
    let mut model = offline(3);
    model.no_session(now(0));
    assert_eq!(model.phase(), Phase::SignedOut { session_ended: true });
    assert!(model.state().rooms().is_empty());
    let effects = names(&model.finish(now(0)));
    assert_eq!(effects[..3], ["Unsubscribe", "user None", "ForgetKept"]);
}

#[test]
fn a_start_without_a_session_removes_the_copy() {
    let mut model = ChatModel::new(true, now(0));
    model.finish(now(0));
    model.no_session(now(0));
    assert_eq!(names(&model.finish(now(0))), ["ForgetKept"]);
}

#[test]
fn another_user_does_not_get_the_copy() {
    let mut model = offline(3);
    model.sign_in(user("other"), now(0));
    assert!(model.state().rooms().is_empty());
    let effects = names(&model.finish(now(0)));
    assert_eq!(effects[..3], ["LoadOutbox", "Subscribe", "user Some(\"other\")"]);
}

#[test]
fn signing_out_removes_the_copy() {
    for session_ended in [false, true] {
        let mut model = offline(1);
        model.end_session(session_ended, now(0));
        assert!(names(&model.finish(now(0))).contains(&"ForgetKept".to_owned()));
    }
}

/// A chat of this user whose stream has brought nothing yet.
fn subscribed(user_id: &str) -> ChatModel {
    let mut model = ChatModel::new(true, now(0));
    model.sign_in(user(user_id), now(0));
    model.finish(now(0));
    model
}

#[test]
fn the_copy_is_shown_while_the_first_frame_is_awaited() {
    let mut model = subscribed("me");
    write(&mut model, 1, 0);
    model.restore(kept(3));
    assert_eq!((model.phase(), model.is_ready(), model.kept_at_ms()), (Phase::SignedIn, true, Some(500)));
    assert_eq!(seqs(&model), [1, 2, 3]);
    assert_eq!(model.state().outbox.all().len(), 1, "what was written stays");
    assert!(names(&model.finish(now(0))).contains(&"reconnect 0".to_owned()), "from the cursors of the copy");
    assert_eq!(model.state().cursors()[0].seq, 3);
    model.mark_read(ROOM, 3);
    assert!(names(&model.finish(now(5_000))).contains(&"mark read 3".to_owned()), "calls are made");
}

#[test]
fn the_copy_comes_too_late_for_a_stream_that_has_begun() {
    let mut model = subscribed("me");
    let hello = frame(Frame::Hello(pb::Hello { user: Some(user("me")), ..Default::default() }));
    model.apply_frame(hello, now(0));
    model.restore(kept(3));
    assert!(model.state().rooms().is_empty());
    model.apply_frame(room_state(0), now(0));
    model.set_link(Link::Connecting, now(0));
    model.restore(kept(3));
    assert_eq!(seqs(&model), [0; 0], "the rooms are known");
}

#[test]
fn the_copy_of_another_user_and_of_an_ended_session_is_not_shown() {
    let mut model = subscribed("other");
    model.restore(kept(3));
    assert!(model.state().rooms().is_empty());
    model.end_session(false, now(0));
    model.restore(kept(3));
    assert!(model.state().rooms().is_empty());
}

#[test]
fn the_copy_that_is_shown_is_not_written_back() {
    let mut model = offline(3);
    assert_eq!(model.take_to_keep(now(0)), None);
}

#[test]
fn only_changed_rooms_are_written_again() {
    let mut model = offline(3);
    model.sign_in(user("me"), now(0));
    model.apply_frame(frame(Frame::CaughtUp(pb::CaughtUp {})), now(0));
    assert_eq!(model.take_to_keep(now(0)).unwrap().changed.len(), 0);
    model.apply_frame(event(4, "other", 4), now(0));
    assert_eq!(model.take_to_keep(now(0)).unwrap().changed.len(), 1);
    assert_eq!(model.take_to_keep(now(0)).unwrap().changed.len(), 0);
}

#[test]
fn the_return_of_the_network_asks_for_the_session_at_once() {
    let mut model = offline(1);
    model.set_online(true, now(0));
    assert!(names(&model.finish(now(0))).contains(&"FindSession".to_owned()));
    model.retry_now(now(0));
    assert!(names(&model.finish(now(0))).contains(&"FindSession".to_owned()));
}
