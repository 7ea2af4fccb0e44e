//! Tests of the model: the effects that follow from each step.

use proto::chat::v1::subscribe_response::Frame;

use super::*;
use crate::connection::{Cause, Retry};

pub(super) const ROOM: &str = "general";

pub(super) fn now(ms: i64) -> Now {
    Now { wall_ms: ms, page_ms: ms as f64 }
}

pub(super) fn user(id: &str) -> pb::User {
    pb::User { id: id.to_owned(), name: id.to_uppercase() }
}

pub(super) fn frame(frame: Frame) -> pb::SubscribeResponse {
    pb::SubscribeResponse { frame: Some(frame) }
}

pub(super) fn room_state(head_seq: u64) -> pb::SubscribeResponse {
    let room = pb::Room { id: ROOM.to_owned(), name: "General".to_owned(), created_at_ms: 1 };
    frame(Frame::RoomState(pb::RoomState { room: Some(room), epoch: 7, head_seq, ..Default::default() }))
}

pub(super) fn event(seq: u64, author: &str, operation: u128) -> pb::SubscribeResponse {
    let event = pb::Event {
        room_id: ROOM.to_owned(),
        seq,
        author: Some(user(author)),
        operation_id: Uuid::from_u128(operation).as_bytes().to_vec().into(),
        body: Some(pb::event::Body::MessagePosted(pb::MessagePosted { text: "text".to_owned() })),
        ..Default::default()
    };
    frame(Frame::Events(pb::Events { events: vec![event], ..Default::default() }))
}

/// A chat of the user `me` that has caught up with one room, at time 0.
fn connected() -> ChatModel {
    let mut model = ChatModel::new(true, now(0));
    model.sign_in(user("me"), now(0));
    for next in [room_state(0), frame(Frame::CaughtUp(pb::CaughtUp {}))] {
        assert!(model.apply_frame(next, now(0)));
    }
    model.finish(now(0));
    model
}

/// The effects in short.
pub(super) fn names(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .map(|effect| match effect {
            Effect::Send(message) => format!("send {}", message.operation_id.as_u128()),
            Effect::Store(changes) => format!("store {}", changes.len()),
            Effect::MarkRead { seq, .. } => format!("mark read {seq}"),
            Effect::LoadHistory { page, .. } => format!("load {page:?}"),
            Effect::ShowUser(user) => format!("user {:?}", user.as_ref().map(|user| user.id.as_str())),
            Effect::WakeAfter(wait) => format!("wake {}", wait.as_millis()),
            Effect::ProbeStream(timeout) => format!("probe {}", timeout.as_millis()),
            Effect::ReconnectAfter(wait) => format!("reconnect {}", wait.as_millis()),
            other => format!("{other:?}"),
        })
        .collect()
}

pub(super) fn write(model: &mut ChatModel, operation: u128, at_ms: i64) -> Vec<String> {
    model.write(Uuid::from_u128(operation), ROOM, "text", now(at_ms));
    names(&model.finish(now(at_ms)))
}

fn failure(code: Code, pushback: Option<Duration>) -> SendFailure {
    SendFailure { code, cause: None, message: String::new(), pushback }
}

/// A failure by something other than the server.
fn unanswered(code: Code, cause: Cause) -> SendFailure {
    SendFailure { code, cause: Some(cause), message: String::new(), pushback: None }
}

#[test]
fn a_signed_in_user_loads_the_outbox_and_subscribes() {
    let mut model = ChatModel::new(true, now(0));
    assert_eq!(names(&model.finish(now(0))), ["FindSession", "wake 1000"]);
    model.sign_in(user("me"), now(0));
    let effects = names(&model.finish(now(0)));
    assert_eq!(effects[..3], ["LoadOutbox", "Subscribe", "user Some(\"me\")"]);
    assert_eq!(model.phase(), Phase::SignedIn);
}

#[test]
fn nothing_is_due_while_connected() {
    let mut model = connected();
    assert!(model.is_ready());
    assert_eq!(names(&model.finish(now(1_000))), [""; 0]);
}

#[test]
fn a_message_is_in_storage_before_it_is_sent() {
    let mut model = connected();
    assert_eq!(write(&mut model, 1, 0), ["store 1", "probe 5000", "send 1"]);
    assert_eq!(write(&mut model, 2, 0), ["store 1"], "one at a time");
}

#[test]
fn a_sent_message_leaves_the_storage_and_the_next_one_is_sent() {
    let mut model = connected();
    model.write(Uuid::from_u128(1), ROOM, "text", now(0));
    let effects = model.finish(now(0));
    let [Effect::Store(_), Effect::ProbeStream(_), Effect::Send(message)] = &effects[..] else {
        panic!("{effects:?}")
    };
    write(&mut model, 2, 0);
    let response = pb::SendMessageResponse { seq: 1, epoch: 7, ..Default::default() };
    model.sent(message, &response, now(0));
    assert_eq!(names(&model.finish(now(0))), ["store 1", "store 1", "probe 5000", "send 2"]);
}

#[test]
fn a_message_sent_after_the_session_ended_leaves_the_storage() {
    let mut model = connected();
    model.write(Uuid::from_u128(1), ROOM, "text", now(0));
    let effects = model.finish(now(0));
    let Some(Effect::Send(message)) = effects.last() else { panic!("{effects:?}") };
    model.end_session(true, now(0));
    model.finish(now(0));
    model.sent(message, &pb::SendMessageResponse::default(), now(0));
    assert_eq!(names(&model.finish(now(0))), ["store 1"]);
}

#[test]
fn a_message_is_tried_although_the_browser_reports_no_network() {
    let mut model = connected();
    model.set_online(false, now(0));
    assert_eq!(names(&model.finish(now(0))), ["WakeStream"]);
    assert_eq!(model.strip(now(0)), Strip::Offline);
    assert_eq!(write(&mut model, 1, 1_000), ["store 1", "probe 5000", "send 1"]);
    model.sent(&model.state().outbox.all()[0].clone(), &pb::SendMessageResponse::default(), now(1_100));
    assert_eq!(model.strip(now(1_100)), Strip::Nothing, "the report was wrong");
}

#[test]
fn an_answer_without_grpc_refuses_no_message_and_ends_no_session() {
    for (code, http) in
        [(Code::Unauthenticated, 401), (Code::PermissionDenied, 403), (Code::Unimplemented, 404)]
    {
        let mut model = connected();
        write(&mut model, 1, 0);
        for _ in 0..20 {
            model.send_failed(Uuid::from_u128(1), &unanswered(code, Cause::Http(http)), now(0));
            assert_eq!(names(&model.finish(now(0))), ["ResumeOutboxLater"]);
            assert_eq!(model.strip(now(0)), Strip::Failing { cause: Cause::Http(http), retry: Retry::None });
            model.resume_outbox(now(0));
            assert_eq!(names(&model.finish(now(0))), ["probe 5000", "send 1"]);
        }
        assert_eq!(model.phase(), Phase::SignedIn);
    }
}

#[test]
fn a_stream_that_a_proxy_holds_back_is_asked_for_anew() {
    let mut model = connected();
    model.set_link(Link::Connecting, now(0));
    assert!(names(&model.finish(now(1_500))).contains(&"CheckServer".to_owned()));
    model.server_checked(None, now(1_510));
    assert!(!names(&model.finish(now(1_510))).contains(&"ReplaceAttempt".to_owned()));
    assert!(names(&model.finish(now(5_510))).contains(&"ReplaceAttempt".to_owned()));
}

#[test]
fn messages_wait_for_the_connection_and_follow_its_return() {
    let mut model = connected();
    let cause = Cause::Unreachable;
    model.set_link(Link::Waiting { until_ms: 900.0, cause }, now(0));
    model.finish(now(0));
    assert_eq!(write(&mut model, 1, 0), ["store 1", "wake 300"]);
    model.set_link(Link::Connecting, now(900));
    model.finish(now(900));
    model.apply_frame(frame(Frame::Hello(pb::Hello::default())), now(1_000));
    model.set_link(Link::CatchingUp, now(1_000));
    model.resume_outbox(now(1_000));
    assert_eq!(names(&model.finish(now(1_000)))[..2], ["probe 5000", "send 1"]);
}

#[test]
fn try_now_starts_an_attempt_in_every_state() {
    let mut model = ChatModel::new(false, now(0));
    model.finish(now(0));
    model.retry_now(now(0));
    assert_eq!(names(&model.finish(now(0)))[..1], ["FindSession"]);
    model.sign_in(user("me"), now(0));
    model.finish(now(0));
    model.retry_now(now(0));
    assert_eq!(names(&model.finish(now(0)))[..1], ["reconnect 0"], "the attempt may be on a dead connection");
    model.set_link(Link::Waiting { until_ms: 900.0, cause: Cause::Unreachable }, now(0));
    model.retry_now(now(0));
    assert_eq!(names(&model.finish(now(0)))[..1], ["ReconnectNow"]);
}

#[test]
fn a_silent_attempt_is_checked_and_starts_again_when_the_server_answers() {
    let mut model = ChatModel::new(true, now(0));
    model.sign_in(user("me"), now(0));
    model.finish(now(0));
    assert_eq!(names(&model.finish(now(1_500))), ["CheckServer", "wake 1000"]);
    model.server_checked(Some(Cause::Silent), now(3_500));
    assert_eq!(names(&model.finish(now(3_500))), ["CheckServer", "wake 1000"]);
    model.server_checked(None, now(4_000));
    assert_eq!(names(&model.finish(now(4_000)))[..1], ["reconnect 0"]);
}

#[test]
fn a_transient_failure_resumes_the_outbox_later() {
    let mut model = connected();
    write(&mut model, 1, 0);
    model.send_failed(Uuid::from_u128(1), &failure(Code::Unavailable, None), now(0));
    assert_eq!(names(&model.finish(now(0))), ["ResumeOutboxLater"]);
    model.resume_outbox(now(0));
    assert_eq!(names(&model.finish(now(0))), ["probe 5000", "send 1"]);
}

#[test]
fn a_pushback_is_counted_down_and_ends_with_an_attempt() {
    let mut model = connected();
    write(&mut model, 1, 0);
    let pushback = Some(Duration::from_millis(1_200));
    model.send_failed(Uuid::from_u128(1), &failure(Code::ResourceExhausted, pushback), now(0));
    assert_eq!(names(&model.finish(now(0))), ["wake 200"]);
    assert_eq!(model.pushback_left_ms(now(200)), Some(1_000));
    assert_eq!(names(&model.finish(now(200))), ["wake 1000"]);
    assert_eq!(names(&model.finish(now(1_200))), ["probe 5000", "send 1"]);
}

#[test]
fn an_unauthenticated_attempt_ends_the_session() {
    let mut model = connected();
    write(&mut model, 1, 0);
    model.send_failed(Uuid::from_u128(1), &failure(Code::Unauthenticated, None), now(0));
    assert_eq!(names(&model.finish(now(0))), ["ResumeOutboxLater", "Unsubscribe", "user None", "ForgetKept"]);
    assert_eq!(model.phase(), Phase::SignedOut { session_ended: true });
}

#[test]
fn the_storage_follows_events_that_arrive_just_before_a_goodbye() {
    let mut model = connected();
    write(&mut model, 1, 0);
    assert!(model.apply_frame(event(1, "me", 1), now(0)));
    let signed_out = pb::Goodbye { reason: pb::GoodbyeReason::SignedOut.into(), ..Default::default() };
    assert!(!model.apply_frame(frame(Frame::Goodbye(signed_out)), now(0)));
    assert_eq!(names(&model.finish(now(0))), ["Unsubscribe", "store 1", "user None", "ForgetKept"]);
}

#[test]
fn a_goodbye_with_a_time_reconnects_then() {
    let mut model = connected();
    let goodbye = pb::Goodbye { reconnect: true, reconnect_after_ms: 250, ..Default::default() };
    assert!(model.apply_frame(frame(Frame::Goodbye(goodbye)), now(0)));
    assert_eq!(names(&model.finish(now(0))), ["reconnect 250"]);
}

#[test]
fn a_hello_of_another_user_starts_their_session() {
    let mut model = connected();
    let hello = pb::Hello { user: Some(user("other")), ..Default::default() };
    assert!(!model.apply_frame(frame(Frame::Hello(hello)), now(0)));
    let effects = names(&model.finish(now(0)));
    let expected =
        ["Unsubscribe", "user None", "ForgetKept", "LoadOutbox", "Subscribe", "user Some(\"other\")"];
    assert_eq!(effects[..6], expected);
    assert_eq!(model.state().user_id(), "other");
}

#[test]
fn a_read_marker_is_sent_at_most_once_a_second() {
    let mut model = connected();
    for seq in 1..=2 {
        model.apply_frame(event(seq, "other", seq.into()), now(0));
    }
    model.mark_read(ROOM, 1);
    assert_eq!(names(&model.finish(now(0))), ["mark read 1"]);
    model.mark_read(ROOM, 2);
    assert_eq!(names(&model.finish(now(10))), [""; 0], "a call is running");
    let response = pb::MarkReadResponse { read_seq: 1, unread: 0 };
    model.read_marker_sent(ROOM.to_owned(), Some(response), now(100));
    assert_eq!(names(&model.finish(now(100))), ["wake 1000"]);
    assert_eq!(names(&model.finish(now(1_100))), ["mark read 2"]);
}

#[test]
fn each_side_of_a_room_is_loaded_once_at_a_time() {
    let mut model = connected();
    model.load_history(ROOM, HistoryPage::Newest);
    model.load_history(ROOM, HistoryPage::Around(5));
    model.load_history(ROOM, HistoryPage::Before(5));
    assert_eq!(names(&model.finish(now(0))), ["load Newest", "load Before(5)"]);
    assert_eq!(model.loading(ROOM, Side::Later), Loading::Running);
    model.history_loaded(ROOM, HistoryPage::Newest, None);
    assert_eq!(model.loading(ROOM, Side::Later), Loading::Failed);
    model.retry_loads();
    assert_eq!(model.loading(ROOM, Side::Later), Loading::Idle);
}

#[test]
fn shared_frames_are_applied_and_a_gap_is_caught_up() {
    let mut model = connected();
    assert!(model.apply_shared_frame(event(1, "other", 1), now(0)));
    assert!(model.apply_shared_frame(event(1, "other", 1), now(0)), "a repeat");
    assert_eq!(names(&model.finish(now(0))), [""; 0]);
    model.apply_shared_frame(event(3, "other", 3), now(0));
    assert_eq!(names(&model.finish(now(0))), ["CatchUp"]);
    assert_eq!(model.state().room(ROOM).unwrap().last(), 1, "nothing after the gap is applied");
    // The own stream brings both; what the other tab repeats is dropped.
    for seq in [2, 3] {
        model.apply_frame(event(seq, "other", seq.into()), now(0));
    }
    model.apply_shared_frame(event(3, "other", 3), now(0));
    assert_eq!(names(&model.finish(now(0))), [""; 0]);
    assert_eq!(model.state().room(ROOM).unwrap().loaded(), 3);
}

#[test]
fn a_shared_stream_that_begins_again_keeps_the_rooms() {
    let mut model = connected();
    let hello = pb::Hello { user: Some(user("me")), ..Default::default() };
    for next in [frame(Frame::Hello(hello)), room_state(9), frame(Frame::CaughtUp(pb::CaughtUp {}))] {
        assert!(model.apply_shared_frame(next, now(0)));
    }
    assert_eq!(model.state().rooms().len(), 1);
    let other_epoch = pb::RoomState {
        room: Some(pb::Room { id: ROOM.to_owned(), ..Default::default() }),
        epoch: 8,
        ..Default::default()
    };
    model.apply_shared_frame(frame(Frame::RoomState(other_epoch)), now(0));
    assert_eq!(names(&model.finish(now(0))), ["CatchUp"]);
}

#[test]
fn a_tab_that_takes_over_sends_what_the_other_one_has_not() {
    let mut model = connected();
    assert_eq!(write(&mut model, 1, 0), ["store 1", "probe 5000", "send 1"]);
    model.take_over(now(0));
    assert_eq!(names(&model.finish(now(0))), ["probe 5000", "send 1"]);
}

#[test]
fn a_tab_without_a_session_asks_again_when_another_one_joined() {
    let mut model = ChatModel::new(true, now(0));
    model.no_session(now(0));
    model.finish(now(0));
    model.joined_in_other_tab();
    assert_eq!(names(&model.finish(now(0))), ["FindSession"]);
    let mut signed_in = connected();
    signed_in.joined_in_other_tab();
    assert_eq!(names(&signed_in.finish(now(0))), [""; 0]);
}
