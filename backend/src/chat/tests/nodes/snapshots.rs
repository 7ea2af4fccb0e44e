//! Copies of the database in the log, and nodes that start from them.

use super::*;
use crate::chat::store;
use crate::error_chain::ErrorChain;

/// A copy is due at the start and after ten entries, and is made at once.
const OFTEN: SnapshotOptions =
    SnapshotOptions { entries: 10, interval: Duration::MAX, spread: Duration::ZERO };

/// The reason why a node cannot be opened.
fn refusal(opened: Result<Node, OpenError>) -> String {
    ErrorChain(&opened.map(drop).unwrap_err()).to_string()
}

/// Sends messages until `condition` holds.
async fn send_until(node: &Node, author: &Session, condition: impl Fn() -> bool) {
    let general = node.general().await;
    let sends = async {
        for number in 0.. {
            if condition() {
                return;
            }
            node.core().send(&author.user, &general, operation(9, number), text("hi")).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), sends).await.expect("it did not come to that");
}

#[tokio::test]
async fn new_and_long_absent_nodes_start_from_the_newest_copy_and_follow_the_log() {
    let log = Memory::new(1);
    let away = Node::open(&log);
    let ada = away.test.join("Ada").await;
    let absent_from = log.end();
    let away = away.close().await;
    let mut nodes = vec![Node::open_with(&log, TempDir::new().unwrap(), OFTEN).unwrap()];

    send_until(&nodes[0], &ada, || log.trimmed() > absent_from + 10).await;

    let newest = nodes[0].test.chat.newest_snapshot().unwrap();
    assert!(newest.age() < Duration::from_secs(20), "{newest:?}");
    nodes.push(Node::open(&log));
    nodes.push(Node::open_in(&log, away).unwrap());
    assert_equal(&log, &nodes).await;
    for (number, node) in (0..).zip(&nodes) {
        let general = node.general().await;
        node.core().send(&ada.user, &general, operation(1, number), text("ho")).await.unwrap();
    }
    assert_equal(&log, &nodes).await;
    for node in nodes {
        let folder = node.close().await;
        let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, [DATABASE_FILE, HEAD_FILE, LOCK_FILE]);
        assert_eq!(check(folder.path()).unwrap().findings, [""; 0]);
    }
}

#[tokio::test]
async fn log_keeps_the_entries_since_the_copy_before_the_newest() {
    let log = Memory::new(1);
    let node = Node::open_with(&log, TempDir::new().unwrap(), OFTEN).unwrap();
    let ada = node.test.join("Ada").await;
    log.until(|log| log.snapshot().is_some()).await;
    for _ in 0..5 {
        let (newest, _) = log.snapshot().unwrap();
        send_until(&node, &ada, || log.snapshot().unwrap().0 > newest).await;
        log.until(|log| log.trimmed() >= newest).await;
        let trimmed = log.trimmed();
        assert!(trimmed + 10 <= log.snapshot().unwrap().0, "{trimmed}");
    }
}

#[tokio::test]
async fn second_node_makes_no_copy_while_the_newest_is_young() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    let put = nodes[0].put_copy().await;
    let general = nodes[0].general().await;
    nodes[0].core().send(&ada.user, &general, operation(1, 1), text("hi")).await.unwrap();
    let other = Node::open_with(&log, TempDir::new().unwrap(), OFTEN).unwrap();
    // It has looked, and found that one.
    let looked = async {
        while other.test.chat.newest_snapshot().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looked).await.expect("it did not look");
    assert_eq!(other.test.chat.newest_snapshot().unwrap().position, put);
    assert_eq!((log.snapshot().unwrap().0, log.trimmed()), (put, 0));
    let text = scrape(&other.test.chat);
    assert!(text.contains(&format!("chinwag_log_snapshot_position {put}\n")), "{text}");
    assert!(text.contains("chinwag_log_snapshot_age_seconds "), "{text}");
}

#[tokio::test]
async fn copy_that_cannot_be_used_is_refused_and_replaced() {
    let (log, other) = (Memory::new(1), Memory::new(2));
    let (node, stranger) = (Node::open(&log), Node::open(&other));
    node.test.join("Ada").await;
    stranger.put_copy().await;
    let position = node.put_copy().await;
    let (_, whole) = log.snapshot().unwrap();
    let mut holed = whole.clone();
    holed[8 * 4096..12 * 4096].fill(0);
    for (copy, at, reason) in [
        (b"dear diary".to_vec(), position, "not a database"),
        (Vec::new(), position, "not whole"),
        (whole[..whole.len() / 2].to_vec(), position, "malformed"),
        (holed, position, "the database in"),
        (other.snapshot().unwrap().1, position, "another log"),
        (whole.clone(), position - 1, "another position"),
    ] {
        log.put_snapshot(at, copy.clone());
        let refused = refusal(Node::open_in(&log, TempDir::new().unwrap()));
        assert!(refused.starts_with("no copy of the database can be taken over"), "{refused}");
        assert!(refused.contains(reason), "{reason} is not in {refused}");

        // A node that has the chat needs none, and makes another one. Nothing is trimmed behind one that cannot be used.
        log.put_snapshot(position, whole.clone());
        let folder = Node::open(&log).close().await;
        log.put_snapshot(at, copy.clone());
        let maker = Node::open_with(&log, folder, OFTEN).unwrap();
        log.until(|log| log.snapshot().unwrap().1 != copy).await;
        assert_eq!(log.trimmed(), 0);
        maker.close().await;
        Node::open(&log);
    }
}

#[tokio::test]
async fn database_with_events_that_the_copy_lacks_is_left_as_it_is() {
    let log = Memory::new(1);
    let mut nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    nodes[1].catch_up().await;
    let before = log.entries();
    let general = nodes[0].general().await;
    nodes[0].core().send(&ada.user, &general, operation(1, 1), text("witnessed")).await.unwrap();
    nodes[1].catch_up().await;
    let away = nodes.pop().unwrap().close().await;
    log.replace(before);
    let other = Node::open(&log);
    for number in 0..5 {
        let elsewhere = other.general().await;
        other.core().send(&ada.user, &elsewhere, operation(2, number), text("other")).await.unwrap();
    }
    other.put_copy().await;
    log.trim(log.end() - 1);

    let options = ChatOptions {
        data: away.path().to_owned(),
        log: Some(log.connect()),
        snapshots: NO_SNAPSHOTS,
        ..ChatOptions::default()
    };
    let refused = ErrorChain(&Chat::open(options).unwrap_err()).to_string();

    let path = away.path().join(DATABASE_FILE);
    assert!(refused.contains("does not continue the database"), "{refused}");
    assert!(refused.contains(&*path.to_string_lossy()), "{refused}");
    let database = rusqlite::Connection::open(path).unwrap();
    let kept = "SELECT count(*) FROM events WHERE instr(event, CAST('witnessed' AS BLOB)) > 0";
    assert_eq!(database.query_row(kept, [], |row| row.get::<_, u32>(0)).unwrap(), 1);
}

#[tokio::test]
async fn node_that_was_held_back_past_the_trimmed_entries_starts_again_from_a_copy() {
    let log = Memory::new(1);
    let mut nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    nodes[1].catch_up().await;
    let held = nodes.pop().unwrap();
    held.connection.hold(true);
    let general = nodes[0].general().await;
    for number in 0..5 {
        nodes[0].core().send(&ada.user, &general, operation(1, number), text("hi")).await.unwrap();
    }
    nodes[0].put_copy().await;
    log.trim(log.end());
    held.connection.hold(false);
    assert_eq!(held.fault().await, Fault::LogTrimmed);
    assert!(held.test.chat.check_writable().unwrap_err().contains("a restart starts from the copy"));
    let folder = held.close().await;

    nodes.push(Node::open_in(&log, folder).unwrap());

    assert_equal(&log, &nodes).await;
}

#[tokio::test]
async fn chat_of_one_server_becomes_the_beginning_of_a_log() {
    let alone = TestChat::open();
    let ada = alone.join("Ada").await;
    let general = alone.general();
    alone.core().send(&ada.user, &general, operation(1, 1), text("hi")).await.unwrap();
    let log = Memory::new(1);
    let file = alone.folder.path().join("copy");
    let first = store::first_snapshot(alone.folder.path(), &file, log.connect().id(), 0).unwrap();
    log.connect().put_snapshot(first.position, &file).await.unwrap();
    // The process of one of them was killed before it had a chat.
    let begun = TempDir::new().unwrap();
    drop(store::open(begun.path(), Some(log.connect().id())).unwrap());

    let nodes = [Node::open(&log), Node::open_in(&log, begun).unwrap()];

    assert_eq!((first.position, log.end()), (0, 0), "no node has begun another chat");
    for node in &nodes {
        let elsewhere = node.general().await;
        assert_ne!(elsewhere.epoch, general.epoch, "clients reload");
        assert_eq!(node.test.log(&elsewhere).await, alone.log(&general).await);
        assert_eq!(node.session(&ada.token).await.unwrap().user.id, ada.user.id);
        node.test.join_unused("Ada").await.unwrap_err();
    }
    assert_equal(&log, &nodes).await;
}
