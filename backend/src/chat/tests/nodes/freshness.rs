//! Nodes that are not current: they say yes from what they have, and no only when they have everything.

use std::fmt;
use std::pin::pin;

use super::*;

/// Longer than a node is ready without the log.
const LONG: Duration = Duration::from_secs(11);

#[tokio::test]
async fn node_whose_entries_do_not_come_says_so_after_a_bounded_wait() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    let general = nodes[1].general().await;
    nodes[1].catch_up().await;
    nodes[1].connection.hold(true);
    let name = RoomName::parse("Tea").unwrap();
    let tea = nodes[0].core().create_room(&ada.user, name, operation(1, 1)).await.unwrap();

    // The wait passes at once.
    tokio::time::pause();
    let unknown = nodes[1].core().room(tea.id.as_str()).await;
    tokio::time::resume();

    assert!(matches!(unknown, Err(ChatError::LogUnavailable)), "{unknown:?}");
    assert_eq!(nodes[1].test.log(&general).await.len(), 1, "it reads what it has");
    let state = nodes[1].test.chat.log_state().unwrap();
    assert_eq!((state.end, state.lag()), (log.end(), 1), "{state:?}");

    nodes[1].connection.hold(false);
    nodes[1].room(tea.id.as_str()).await;
    assert_eq!(nodes[1].test.chat.log_state().unwrap().lag(), 0);
    // Now it is current, and may say no.
    assert!(matches!(nodes[1].core().room("none").await, Err(ChatError::RoomNotFound)));
    let cursor = ClientCursor { room: general.id.clone(), epoch: general.epoch, seq: 99, fingerprint: 0 };
    let session = nodes[1].session(&ada.token).await.unwrap();
    let subscriber = nodes[1].core().subscribe(session, vec![cursor], 0).await.unwrap();
    let states = Frames(Box::pin(subscriber.into_stream())).until_caught_up().await;
    assert!(matches!(&states[1], Frame::RoomState(state) if state.lost_reason() == pb::LostReason::Future));
}

#[tokio::test]
async fn callers_that_wait_at_once_ask_for_the_end_together() {
    let log = Memory::new(1);
    let node = Node::open(&log);
    node.connection.cut(true);
    let mut rooms = Box::pin(futures_util::future::join_all((0..100).map(|_| node.core().room("none"))));
    assert!(futures_util::poll!(rooms.as_mut()).is_pending());
    let before = log.counts().ends;
    node.connection.cut(false);
    for room in rooms.await {
        assert!(matches!(room, Err(ChatError::RoomNotFound)), "{room:?}");
    }
    // One for the first, one for those that came after it had begun, and some of the writer.
    let asked = log.counts().ends - before;
    assert!(asked <= 10, "{asked}");
}

/// The answer to `ask` of a node whose entries do not come until it has found out that there are some.
async fn asked_too_early<T: fmt::Debug>(log: &Memory, node: &Node, ask: impl Future<Output = T>) -> T {
    let before = log.counts().conflicts;
    let mut ask = pin!(ask);
    tokio::select! {
        biased;
        answer = &mut ask => panic!("it cannot know that: {answer:?}"),
        () = log.until(|log| log.counts().conflicts > before) => {}
    }
    node.connection.hold(false);
    ask.await
}

#[tokio::test]
async fn node_whose_log_answers_of_the_past_does_not_deny_what_is_new() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    nodes[1].catch_up().await;
    let core = nodes[1].core();
    let ada_there = nodes[1].session(&ada.token).await.unwrap();
    let general = nodes[1].general().await;
    nodes[1].connection.keep_old_end();
    nodes[1].connection.hold(true);
    let name = RoomName::parse("Tea").unwrap();
    let tea = nodes[0].core().create_room(&ada.user, name, operation(1, 1)).await.unwrap();
    asked_too_early(&log, &nodes[1], core.room(tea.id.as_str())).await.unwrap();

    nodes[1].connection.hold(true);
    nodes[0].core().send(&ada.user, &general, operation(1, 2), text("hi")).await.unwrap();
    let marker = asked_too_early(&log, &nodes[1], core.mark_read(&ada_there.user, &general, 2)).await;
    assert_eq!(marker.unwrap().read, 2);

    nodes[1].connection.hold(true);
    nodes[0].core().send(&ada.user, &general, operation(1, 3), text("hi")).await.unwrap();
    let cursor = ClientCursor { room: general.id.clone(), epoch: general.epoch, seq: 3, fingerprint: 0 };
    let states = async {
        let subscriber = core.subscribe(ada_there, vec![cursor], 0).await.unwrap();
        Frames(Box::pin(subscriber.into_stream())).until_caught_up().await
    };
    let states = asked_too_early(&log, &nodes[1], states).await;
    let is_lost = |frame: &Frame| matches!(frame, Frame::RoomState(state) if state.lost_reason() == pb::LostReason::Future);
    assert!(!states.iter().any(is_lost), "{states:?}");
}

#[tokio::test]
async fn callers_that_ask_for_what_does_not_exist_do_not_make_the_log_long() {
    let log = Memory::new(1);
    let node = Node::open(&log);
    node.connection.keep_old_end();
    let before = log.end();
    for room in futures_util::future::join_all((0..100).map(|_| node.core().room("none"))).await {
        assert!(matches!(room, Err(ChatError::RoomNotFound)), "{room:?}");
    }
    let entries = log.end() - before;
    assert!((1..=2).contains(&entries), "one for the first, and one for the others: {entries}");
}

#[tokio::test]
async fn session_that_another_node_has_just_made_can_be_ended() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let Joined { user, code, .. } = nodes[0].test.join_unused("Ada").await.unwrap();
    nodes[1].catch_up().await;
    nodes[1].connection.hold(true);
    let name = UserName::parse("Ada").unwrap();
    let (_, token) = nodes[0].core().recover(name, &code, false, Device::default()).await.unwrap();
    let token = TokenHash::of(token.as_str());
    let id = token.session_id();
    let before = log.counts().ends;
    let mut ends = Box::pin(nodes[1].core().end_session(&user, &id));
    tokio::select! {
        biased;
        ended = &mut ends => panic!("the node could not know the session: {ended:?}"),
        () = log.until(|log| log.counts().ends > before) => {}
    }
    nodes[1].connection.hold(false);
    ends.await.unwrap();

    assert!(matches!(nodes[0].session(&token).await, Err(ChatError::NoSession)));
}

#[tokio::test]
async fn session_is_valid_although_its_first_use_cannot_be_recorded() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let Joined { token, .. } = nodes[0].test.join_unused("Ada").await.unwrap();
    nodes[1].catch_up().await;
    nodes[1].connection.cut(true);
    // Nobody waits for long for a log that has been silent.
    nodes[1].core().shared.current.age(LONG);
    nodes[1].session(&TokenHash::of(token.as_str())).await.unwrap();
    nodes[1].connection.cut(false);
}

#[tokio::test]
async fn node_is_ready_while_it_is_current() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    let (chat, current) = (&nodes[1].test.chat, &nodes[1].core().shared.current);
    nodes[1].catch_up().await;
    assert_eq!(chat.check_writable(), Ok(()));

    nodes[1].connection.cut(true);
    current.age(LONG);
    assert_eq!(chat.check_writable(), Err("the log that the servers share does not answer"));
    assert!(chat.log_state().unwrap().outdated > LONG);
    nodes[1].connection.cut(false);
    nodes[1].catch_up().await;
    assert_eq!(chat.check_writable(), Ok(()));

    nodes[1].connection.hold(true);
    let general = nodes[0].general().await;
    nodes[0].core().send(&ada.user, &general, operation(1, 1), text("hi")).await.unwrap();
    current.age(LONG);
    tokio::time::pause();
    nodes[1].core().wait_until_current().await.unwrap_err();
    tokio::time::resume();
    assert_eq!(chat.check_writable(), Err("the database lacks entries of the log that the servers share"));
    nodes[1].connection.hold(false);
    nodes[1].catch_up().await;
    assert_eq!(chat.check_writable(), Ok(()));
}

#[tokio::test]
async fn node_that_is_opened_appends_nothing_even_where_the_end_may_be_old() {
    let log = Memory::new(1);
    let folder = Node::open(&log).close().await;
    let (connection, entries) = (log.connect(), log.end());
    connection.keep_old_end();

    let node = Node::open_by(connection, folder, NO_SNAPSHOTS).unwrap();

    assert_eq!(log.end(), entries, "nobody was told anything that has to be true");
    node.close().await;
}

#[tokio::test]
async fn node_is_opened_although_its_log_does_not_answer_at_once() {
    let log = Memory::new(1);
    let connection = log.connect();
    let faults = [AppendFault::Lost, AppendFault::Delayed, AppendFault::AnswerLost];
    connection.order(faults.map(Some).to_vec(), Vec::new());

    let node = Node::open_by(connection, TempDir::new().unwrap(), NO_SNAPSHOTS).unwrap();

    assert_eq!(log.counts().unanswered, 3);
    assert_equal(&log, &[node]).await;
    assert_eq!(log.end(), 1, "the chat was made once");
}

#[tokio::test]
async fn idle_node_asks_for_the_end_again_and_again() {
    let log = Memory::new(1);
    let _node = Node::open(&log);
    let before = log.counts().ends;
    log.until(|log| log.counts().ends > before).await;
}

#[tokio::test]
async fn metrics_tell_of_the_log_only_where_there_is_one() {
    let log = Memory::new(1);
    let node = Node::open(&log);
    let ada = node.test.join("Ada").await;
    let general = node.general().await;
    node.connection.order(vec![Some(AppendFault::Lost)], Vec::new());
    node.core().send(&ada.user, &general, operation(1, 1), text("hi")).await.unwrap();
    let entries = log.end();

    let text = scrape(&node.test.chat);

    for line in [
        format!("chinwag_log_position {entries}"),
        "chinwag_log_lag 0".to_owned(),
        format!("chinwag_log_append_tries_count {entries}"),
        format!("chinwag_log_append_tries_sum {}.0", entries + 1),
        "chinwag_log_unanswered_total 1".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
    assert!(text.contains("chinwag_log_outdated_seconds "), "{text}");
    let alone = TestChat::open();
    assert!(!scrape(&alone.chat).contains("chinwag_log_"));
}
