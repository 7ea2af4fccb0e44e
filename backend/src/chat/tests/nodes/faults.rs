//! Nodes whose log does not answer, has changed under them, or is not theirs.

use std::time::Instant;

use proto::chat::log::v1 as changes;
use sha2::Digest as _;

use super::*;
use crate::chat::log::TURN;
use crate::error_chain::ErrorChain;

#[tokio::test]
async fn append_without_an_answer_is_stored_once_and_acknowledged() {
    for fault in [AppendFault::AnswerLost, AppendFault::Lost, AppendFault::Delayed] {
        let log = Memory::new(1);
        let nodes = nodes(&log, 2);
        let ada = nodes[0].test.join("Ada").await;
        let general = nodes[0].general().await;
        nodes[0].connection.order(vec![Some(fault)], Vec::new());
        let sent = nodes[0].core().send(&ada.user, &general, operation(1, 1), text("hi")).await.unwrap();
        assert_eq!((sent.seq, sent.duplicate), (2, false), "{fault:?}");
        assert_eq!(log.counts().unanswered, 1);
        assert_equal(&log, &nodes).await;
    }
}

#[tokio::test]
async fn entry_that_comes_before_the_answer_to_its_append_is_acknowledged() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    let general = nodes[0].general().await;
    nodes[0].connection.order(vec![Some(AppendFault::Silent)], Vec::new());
    let sent = nodes[0].core().send(&ada.user, &general, operation(1, 1), text("hi")).await.unwrap();
    assert_eq!((sent.seq, sent.duplicate), (2, false));
    assert_eq!(log.counts().conflicts, 0);
    assert_equal(&log, &nodes).await;
}

#[tokio::test]
async fn append_that_was_refused_for_an_entry_that_never_comes_is_repeated() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    let general = nodes[0].general().await;
    nodes[0].connection.order(vec![Some(AppendFault::Refused)], Vec::new());
    let sent = nodes[0].core().send(&ada.user, &general, operation(1, 1), text("hi")).await.unwrap();
    assert_eq!((sent.seq, sent.duplicate), (2, false));
    assert_equal(&log, &nodes).await;
}

#[tokio::test]
async fn commands_that_come_while_others_are_first_are_in_the_same_entry() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    let bob = nodes[1].test.join("Bob").await;
    let general = nodes[0].general().await;
    nodes[0].catch_up().await;
    nodes[0].connection.hold(true);
    let elsewhere = nodes[1].general().await;
    nodes[1].core().send(&bob.user, &elsewhere, operation(2, 0), text("hi")).await.unwrap();
    let end = log.end();
    let send = |number| nodes[0].core().send(&ada.user, &general, operation(1, number), text("hi"));
    let mut sends = vec![Box::pin(send(0))];
    assert!(futures_util::poll!(sends[0].as_mut()).is_pending());
    log.until(|log| log.counts().conflicts > 0).await;
    for number in 1..5 {
        sends.push(Box::pin(send(number)));
        assert!(futures_util::poll!(sends[number as usize].as_mut()).is_pending());
    }
    nodes[0].connection.hold(false);
    assert!(futures_util::future::join_all(sends).await.into_iter().all(|sent| sent.is_ok()));
    assert_eq!(log.end(), end + 1);
    assert_equal(&log, &nodes).await;
}

#[tokio::test]
async fn writes_that_wait_behind_one_without_an_answer_are_counted() {
    let log = Memory::new(1);
    let node = Node::open(&log);
    let ada = node.test.join("Ada").await;
    let general = node.general().await;
    let queued = || node.test.chat.stats().queued_writes;
    assert_eq!(queued(), 0);
    // The writer waits for an answer or for the entry; the answer never comes.
    node.connection.hold(true);
    node.connection.order(vec![Some(AppendFault::Silent)], Vec::new());
    let end = log.end();
    let send = |number| node.core().send(&ada.user, &general, operation(1, number), text("hi"));
    let mut sends = vec![Box::pin(send(0))];
    assert!(futures_util::poll!(sends[0].as_mut()).is_pending());
    log.until(|log| log.end() > end).await;
    for number in 1..3 {
        sends.push(Box::pin(send(number)));
        assert!(futures_util::poll!(sends[number as usize].as_mut()).is_pending());
    }
    assert_eq!(queued(), 2);

    node.connection.hold(false);

    assert!(futures_util::future::join_all(sends).await.into_iter().all(|sent| sent.is_ok()));
    assert_eq!(queued(), 0);
}

#[tokio::test]
async fn node_that_is_cut_off_reads_and_never_says_that_something_does_not_exist() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    nodes[1].session(&ada.token).await.unwrap();
    let general = nodes[1].general().await;
    nodes[1].connection.cut(true);
    let bob = nodes[0].test.join("Bob").await;
    let elsewhere = nodes[0].general().await;
    let tea = RoomName::parse("Tea").unwrap();
    let tea = nodes[0].core().create_room(&bob.user, tea, operation(1, 1)).await.unwrap();
    let sent = nodes[0].core().send(&bob.user, &elsewhere, operation(1, 2), text("hi")).await.unwrap();
    let ahead =
        ClientCursor { room: general.id.clone(), epoch: general.epoch, seq: sent.seq, fingerprint: 0 };
    let core = nodes[1].core();
    let unavailable = |error: ChatError| assert!(matches!(error, ChatError::LogUnavailable), "{error}");
    unavailable(nodes[1].session(&bob.token).await.unwrap_err());
    unavailable(core.room(tea.id.as_str()).await.unwrap_err());
    unavailable(core.subscribe(ada.clone(), vec![ahead.clone()], 0).await.map(drop).unwrap_err());
    unavailable(core.page(&ada.user, &general, PageRange::After(sent.seq), 10).await.map(drop).unwrap_err());
    // The patience of those who wait for the writer passes at once.
    tokio::time::pause();
    unavailable(core.mark_read(&ada.user, &general, sent.seq).await.unwrap_err());
    unavailable(core.send(&ada.user, &general, operation(2, 1), text("ho")).await.map(drop).unwrap_err());
    tokio::time::resume();
    assert_eq!(nodes[1].test.log(&general).await.len(), 1, "it reads what it has");
    nodes[1].session(&ada.token).await.unwrap();

    nodes[1].connection.cut(false);

    nodes[1].session(&bob.token).await.unwrap();
    nodes[1].room(tea.id.as_str()).await;
    let subscriber = core.subscribe(ada.clone(), vec![ahead], 0).await.unwrap();
    let states = Frames(Box::pin(subscriber.into_stream())).until_caught_up().await;
    assert!(matches!(&states[1], Frame::RoomState(state) if state.recovery() == pb::Recovery::Full));
    // The caller was told nothing, and its repeat is the same message.
    core.send(&ada.user, &general, operation(2, 1), text("ho")).await.unwrap();
    assert_eq!(nodes[1].test.log(&general).await.len(), 3);
    assert_equal(&log, &nodes).await;
}

#[tokio::test]
async fn cursor_of_another_node_is_never_answered_by_an_older_head() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 3);
    let ada = nodes[0].test.join("Ada").await;
    let id = nodes[0].general().await.id.clone();
    let mut client = super::client::Client::default();
    for number in 0..60 {
        let node = &nodes[number as usize % 3];
        let general = node.room(id.as_str()).await;
        let sent = node.core().send(&ada.user, &general, operation(1, number), text("hi")).await.unwrap();
        // The next node may not have it yet. The client checks each number and that nothing is lost.
        let next = &nodes[(number as usize + 1) % 3];
        let session = next.session(&ada.token).await.unwrap();
        let subscriber = next.core().subscribe(session, client.cursors(), 0).await.unwrap();
        let mut frames = Frames(Box::pin(subscriber.into_stream()));
        frames.until_caught_up().await.into_iter().for_each(|frame| client.apply(frame));
        while !client.has_all(&[(id.as_str().to_owned(), sent.seq)]) {
            client.apply(frames.next().await);
        }
    }
}

#[tokio::test]
async fn node_whose_log_has_lost_entries_stops_and_keeps_what_it_has() {
    let log = Memory::new(1);
    let mut nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    let general = nodes[0].general().await;
    let before = log.entries();
    for number in 0..3 {
        nodes[0].core().send(&ada.user, &general, operation(1, number), text("hi")).await.unwrap();
    }
    let away = nodes.pop().unwrap().close().await;
    // The log loses the newest entries, and others take their positions.
    log.replace(before);
    let other = Node::open(&log);
    for number in 0..5 {
        let elsewhere = other.general().await;
        other.core().send(&ada.user, &elsewhere, operation(2, number), text("other")).await.unwrap();
    }

    assert_eq!(nodes[0].fault().await, Fault::LogDiverged);
    let sent = nodes[0].core().send(&ada.user, &general, operation(3, 1), text("late")).await;
    assert!(matches!(sent, Err(ChatError::CannotStore(Fault::LogDiverged))), "{sent:?}");
    assert_eq!(nodes[0].test.log(&general).await.len(), 4, "it keeps what it has");
    let refused = Node::open_in(&log, away).map(drop).unwrap_err();
    let refused = ErrorChain(&refused).to_string();
    assert!(refused.contains("diverged"), "{refused}");
}

#[tokio::test]
async fn log_that_ends_before_the_database_is_refused() {
    let log = Memory::new(1);
    let node = Node::open(&log);
    node.test.join("Ada").await;
    let folder = node.close().await;
    log.replace(log.entries()[..1].to_vec());
    let refused = Node::open_in(&log, folder).map(drop).unwrap_err();
    let refused = ErrorChain(&refused).to_string();
    assert!(refused.contains("ends before"), "{refused}");
}

#[tokio::test]
async fn entry_of_a_newer_version_stops_the_node_until_it_is_upgraded() {
    for (format, kind) in
        [(99, Some(changes::change::Kind::NameFreed(changes::NameFreed { user: 1 }))), (1, None)]
    {
        let log = Memory::new(1);
        let node = Node::open(&log);
        let general = node.general().await;
        let last = changes::Entry::decode(log.entries()[0].clone()).unwrap();
        let previous = sha2::Sha256::digest(&log.entries()[0]).to_vec();
        let changes = vec![changes::Change { kind }];
        log.push(changes::Entry { format, previous, changes, ..last }.encode_to_vec().into());

        assert_eq!(node.fault().await, Fault::LogNewer);
        assert_eq!(node.test.log(&general).await.len(), 1);
        let follows = log.counts().follows;
        for _ in 0..20 {
            let refused = node.test.join_unused("Ada").await;
            assert!(matches!(refused, Err(ChatError::CannotStore(Fault::LogNewer))));
        }
        assert_eq!(log.counts().follows, follows, "it does not try the entry again");
        let folder = node.close().await;
        let refused = Node::open_in(&log, folder).map(drop).unwrap_err();
        let refused = ErrorChain(&refused).to_string();
        assert!(refused.contains("upgrade this server"), "{refused}");
    }
}

#[tokio::test]
async fn node_that_needs_entries_that_were_trimmed_stops() {
    let log = Memory::new(1);
    let mut nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    nodes[1].catch_up().await;
    // A copy that is not ahead of the database does not help.
    nodes[1].put_copy().await;
    let (away, general) = (nodes.pop().unwrap().close().await, nodes[0].general().await);
    for number in 0..5 {
        nodes[0].core().send(&ada.user, &general, operation(1, number), text("hi")).await.unwrap();
    }
    log.trim(log.end() - 1);
    for folder in [away, TempDir::new().unwrap()] {
        let refused = Node::open_in(&log, folder).map(drop).unwrap_err();
        let refused = ErrorChain(&refused).to_string();
        assert!(refused.contains("no longer has"), "{refused}");
    }
    nodes[0].core().send(&ada.user, &general, operation(1, 9), text("hi")).await.unwrap();
}

#[tokio::test]
async fn trimming_of_own_entries_that_did_not_come_yet_stops_nothing() {
    let log = Memory::new(1);
    let node = Node::open(&log);
    let ada = node.test.join("Ada").await;
    let general = node.general().await;
    node.connection.hold(true);
    for number in 0..5 {
        node.core().send(&ada.user, &general, operation(1, number), text("hi")).await.unwrap();
    }
    log.trim(log.end() - 1);
    node.connection.hold(false);
    // It is followed anew from the last entry that the node has, so entries come again as soon as there are more.
    let comes = async {
        for number in 5.. {
            node.core().send(&ada.user, &general, operation(1, number), text("hi")).await.unwrap();
            if node.connection.followed() + 5 > log.end() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), comes).await.expect("no entry came");
    assert_eq!(*node.test.chat.health().borrow(), None);
}

#[tokio::test]
async fn database_belongs_to_one_log_or_to_none() {
    let (log, other) = (Memory::new(1), Memory::new(2));
    let folder = Node::open(&log).close().await;
    assert!(matches!(Node::open_in(&other, folder).map(drop), Err(OpenError::OtherLog { .. })));

    let folder = Node::open(&log).close().await;
    let alone = ChatOptions { data: folder.path().to_owned(), ..ChatOptions::default() };
    assert!(matches!(Chat::open(alone.clone()).map(drop), Err(OpenError::FollowsLog)));
    // A restored backup is a chat of its own.
    let backup_file = folder.path().join("backup");
    backup(folder.path(), &backup_file).unwrap();
    restore(folder.path(), &backup_file, true).unwrap();
    Chat::open(alone).unwrap().close().await;

    let TestChat { chat, folder } = TestChat::open();
    chat.close().await;
    assert!(matches!(Node::open_in(&log, folder).map(drop), Err(OpenError::OtherLog { .. })));
}

#[tokio::test]
async fn closing_a_node_that_is_cut_off_ends() {
    let log = Memory::new(1);
    let node = Node::open(&log);
    let ada = node.test.join("Ada").await;
    let general = node.general().await;
    node.connection.cut(true);
    let mut send = Box::pin(node.core().send(&ada.user, &general, operation(1, 1), text("hi")));
    assert!(futures_util::poll!(send.as_mut()).is_pending());
    node.test.chat.clone().close().await;
    let sent = send.await;
    assert!(matches!(sent, Err(ChatError::CannotStore(Fault::LogUnanswered))), "{sent:?}");
}

#[tokio::test]
async fn node_leaves_the_next_position_to_one_that_wants_its_turn_for_some_time() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    let general = nodes[0].general().await;
    let send = async |number| {
        nodes[0].core().send(&ada.user, &general, operation(1, number), text("hi")).await.unwrap();
    };
    send(0).await;
    assert_eq!(nodes[0].connection.yielded(), 0);
    // It never says that it had it.
    nodes[1].connection.want_turn(true);
    let start = Instant::now();
    send(1).await;
    assert_eq!(nodes[0].connection.yielded(), 1);
    assert!(start.elapsed() >= TURN);
    nodes[1].connection.want_turn(false);
    send(2).await;
    assert_eq!(nodes[0].connection.yielded(), 1);
    assert_equal(&log, &nodes).await;
}
