//! Several nodes of one chat on a log in memory: the invariants of `log.rs` with senders on all nodes, and those that only several
//! nodes have.

mod faults;
mod freshness;
#[cfg(feature = "cluster")]
mod jetstream;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod properties;
mod protocol;
#[cfg(feature = "cluster")]
mod remote;
mod repair;
mod snapshots;

use std::collections::BTreeMap;

use rusqlite::types::Value;

use self::memory::{AppendFault, Connection, FollowFault, Memory};
use super::log::{Account, act, carry_out, check_accounts};
use super::*;
use crate::chat::log::{Log, Position};
use crate::metrics::Metrics;
use crate::rates::{RateLimits, Rates};

/// Copies are made by the tests only.
const NO_SNAPSHOTS: SnapshotOptions =
    SnapshotOptions { entries: u64::MAX, interval: Duration::MAX, spread: Duration::MAX };

/// A node with its connection to the log.
struct Node {
    test: TestChat,
    connection: Arc<Connection>,
}

impl Node {
    fn open(log: &Arc<Memory>) -> Self {
        Self::open_in(log, TempDir::new().unwrap()).unwrap()
    }

    fn open_in(log: &Arc<Memory>, folder: TempDir) -> Result<Self, OpenError> {
        Self::open_with(log, folder, NO_SNAPSHOTS)
    }

    fn open_with(log: &Arc<Memory>, folder: TempDir, snapshots: SnapshotOptions) -> Result<Self, OpenError> {
        Self::open_by(log.connect(), folder, snapshots)
    }

    fn open_by(
        connection: Arc<Connection>,
        folder: TempDir,
        snapshots: SnapshotOptions,
    ) -> Result<Self, OpenError> {
        let options = ChatOptions {
            data: folder.path().to_owned(),
            log: Some(connection.clone()),
            snapshots,
            ..ChatOptions::default()
        };
        let chat = Chat::open(options)?;
        Ok(Self { test: TestChat { chat, folder }, connection })
    }

    fn core(&self) -> &Arc<Core> {
        self.test.core()
    }

    /// Closes the node and returns its folder.
    async fn close(self) -> TempDir {
        let TestChat { chat, folder } = self.test;
        chat.close().await;
        folder
    }

    /// Waits until the node has everything that is in the log.
    async fn catch_up(&self) {
        self.core().wait_until_current().await.unwrap();
    }

    async fn session(&self, token: &TokenHash) -> Result<Arc<Session>, ChatError> {
        self.core().session(token, SOMEBODY).await
    }

    async fn room(&self, id: &str) -> Arc<Room> {
        self.core().room(id).await.unwrap()
    }

    async fn general(&self) -> Arc<Room> {
        self.room(RoomId::GENERAL).await
    }

    /// Waits for a final fault.
    async fn fault(&self) -> Fault {
        let mut health = self.test.chat.health();
        let found = health.wait_for(|fault| fault.is_some_and(Fault::is_final));
        let found = tokio::time::timeout(Duration::from_secs(20), found).await.expect("no fault came");
        found.unwrap().unwrap()
    }

    /// Puts a copy of the database into the log. Returns its position.
    async fn put_copy(&self) -> Position {
        let elsewhere = TempDir::new().unwrap();
        let file = elsewhere.path().join("copy");
        let copy = snapshot(self.test.folder.path(), &file).unwrap();
        self.connection.put_snapshot(copy.position, &file).await.unwrap();
        copy.position
    }

    fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.test.folder.path().join(DATABASE_FILE)).unwrap()
    }
}

fn nodes(log: &Arc<Memory>, count: usize) -> Vec<Node> {
    (0..count).map(|_| Node::open(log)).collect()
}

/// The metrics of a server with this chat.
fn scrape(chat: &Chat) -> String {
    let rates = Arc::new(Rates::new(&RateLimits::OFF));
    Metrics::new(&Default::default(), chat, &rates).encode().unwrap()
}

/// The rows of all tables that nodes share, as texts, from one snapshot.
fn tables(mut database: rusqlite::Connection) -> BTreeMap<String, Vec<String>> {
    let snapshot = database.transaction().unwrap();
    let mut names = snapshot.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
    // The incarnation is that of one database's files.
    let names = names.filter(|name| name != "incarnation").collect::<Vec<_>>();
    let rows = |name: &String| {
        let mut statement = snapshot.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            (0..columns).map(|column| row.get::<_, Value>(column)).collect::<Result<Vec<_>, _>>()
        };
        let rows = statement.query_map([], row).unwrap();
        let mut rows: Vec<_> = rows.map(|row| format!("{:?}", row.unwrap())).collect();
        rows.sort();
        rows
    };
    names.iter().map(|name| (name.clone(), rows(name))).collect()
}

/// Waits until all nodes are at the log's end, and compares their databases table by table.
async fn assert_equal(log: &Memory, nodes: &[Node]) {
    loop {
        let end = log.end();
        for node in nodes {
            node.catch_up().await;
        }
        let all: Vec<_> = nodes.iter().map(|node| tables(node.database())).collect();
        // A session's use may be recorded meanwhile.
        if log.end() != end {
            continue;
        }
        for (name, rows) in &all[0] {
            for other in &all[1..] {
                assert_eq!(&other[name], rows, "table {name}");
            }
        }
        assert_eq!(all[0]["followed_log"].len(), 1);
        return;
    }
}

#[tokio::test]
async fn first_node_makes_the_chat_and_the_others_have_it() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 3);
    assert_eq!(log.end(), 1, "one entry: the room general");
    let general = nodes[0].general().await;
    for node in &nodes {
        assert_eq!(node.general().await.epoch, general.epoch);
        assert_eq!(node.test.log(&general).await.len(), 1);
    }
    // So that a browser's cookie is valid at every node.
    let cookies: Vec<_> = nodes.iter().map(|node| node.core().cookies.set("t", 1)).collect();
    assert!(cookies.iter().all(|cookie| *cookie == cookies[0]), "{cookies:?}");
    assert_equal(&log, &nodes).await;
}

#[tokio::test]
async fn operation_at_many_nodes_at_once_becomes_one_event() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 3);
    let ada = nodes[0].test.join("Ada").await;
    for number in 0..20 {
        let sends = nodes.iter().map(async |node| {
            let general = node.general().await;
            node.core().send(&ada.user, &general, operation(1, number), text("hi")).await.unwrap()
        });
        let receipts = futures_util::future::join_all(sends).await;
        assert_eq!(receipts.iter().filter(|receipt| !receipt.duplicate).count(), 1, "{receipts:?}");
        assert!(receipts.iter().all(|receipt| receipt.seq == number + 2), "{receipts:?}");
    }
    assert_equal(&log, &nodes).await;
    let general = nodes[2].general().await;
    assert_eq!(nodes[2].test.log(&general).await.len(), 21);
}

#[tokio::test]
async fn name_and_room_name_are_given_once_by_all_nodes() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 3);
    let joined = futures_util::future::join_all(nodes.iter().map(|node| node.test.join_unused("Ada"))).await;
    assert_eq!(joined.iter().filter(|joined| joined.is_ok()).count(), 1);
    assert!(joined.iter().all(|joined| matches!(joined, Ok(_) | Err(ChatError::NameInUse))));

    let bob = nodes[1].test.join("Bob").await;
    let made = nodes.iter().enumerate().map(async |(number, node)| {
        let name = RoomName::parse("Tea").unwrap();
        node.core().create_room(&bob.user, name, operation(2, number as u64)).await
    });
    let made = futures_util::future::join_all(made).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    assert!(made.iter().all(|made| matches!(made, Ok(_) | Err(ChatError::RoomNameInUse))));
    assert_equal(&log, &nodes).await;
}

#[tokio::test]
async fn session_of_one_node_is_known_and_ended_at_all() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let joined = nodes[0].test.join_unused("Ada").await.unwrap();
    let token = TokenHash::of(joined.token.as_str());
    let session = nodes[1].session(&token).await.unwrap();
    let subscriber = nodes[1].core().subscribe(session.clone(), Vec::new(), 0).await.unwrap();
    let mut frames = Frames(Box::pin(subscriber.into_stream()));
    frames.until_caught_up().await;

    nodes[0].core().sign_out(&nodes[0].session(&token).await.unwrap()).await.unwrap();

    let goodbye = loop {
        if let Frame::Goodbye(goodbye) = frames.next().await {
            break goodbye;
        }
    };
    assert_eq!(goodbye.reason(), pb::GoodbyeReason::SignedOut);
    assert!(matches!(nodes[1].session(&token).await, Err(ChatError::NoSession)));
    nodes[1].test.join("Ada").await;
}

#[tokio::test]
async fn extended_session_is_valid_at_nodes_that_have_it_in_memory() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    let elsewhere = nodes[1].session(&ada.token).await.unwrap();
    nodes[0].core().extend_session(&ada).await.unwrap();
    nodes[1].catch_up().await;
    let expires = |node: &Node| -> i64 {
        node.database().query_row("SELECT expires_at_ms FROM sessions", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(expires(&nodes[0]), expires(&nodes[1]));
    assert!(!elsewhere.is_expired(expires(&nodes[1]) - 1));
}

#[tokio::test]
async fn messages_markers_and_rooms_reach_streams_at_other_nodes() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let (ada, bob) = (nodes[0].test.join("Ada").await, nodes[0].test.join("Bob").await);
    let session = nodes[1].session(&ada.token).await.unwrap();
    let subscriber = nodes[1].core().subscribe(session, Vec::new(), 0).await.unwrap();
    let mut frames = Frames(Box::pin(subscriber.into_stream()));
    frames.until_caught_up().await;
    let general = nodes[0].general().await;
    nodes[0].core().send(&bob.user, &general, operation(1, 1), text("hi")).await.unwrap();
    assert!(matches!(frames.next().await, Frame::Events(events) if text_of(&events.events[0]) == "hi"));
    nodes[0].core().mark_read(&ada.user, &general, 2).await.unwrap();
    assert!(
        matches!(frames.next().await, Frame::ReadMarker(marker) if (marker.read_seq, marker.unread) == (2, 0))
    );
    let name = RoomName::parse("Tea").unwrap();
    nodes[0].core().create_room(&bob.user, name, operation(1, 2)).await.unwrap();
    let named = |state: &pb::RoomState, name| state.room.as_ref().is_some_and(|room| room.name == name);
    assert!(matches!(frames.next().await, Frame::RoomState(state) if named(&state, "Tea")));
}

#[tokio::test]
async fn node_that_was_away_and_a_new_one_become_equal_to_the_others() {
    let log = Memory::new(1);
    let mut nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    let general = nodes[0].general().await;
    for number in 0..5 {
        let away = nodes.pop().unwrap().close().await;
        nodes[0].core().send(&ada.user, &general, operation(1, number), text("hi")).await.unwrap();
        nodes.push(Node::open_in(&log, away).unwrap());
        assert_eq!(nodes[1].general().await.head(), number + 2);
    }
    nodes.push(Node::open(&log));
    assert_equal(&log, &nodes).await;
    for node in nodes {
        let folder = node.close().await;
        assert_eq!(check(folder.path()).unwrap().findings, [""; 0]);
    }
}

#[tokio::test]
async fn group_of_long_messages_is_cut_into_entries() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    let general = nodes[0].general().await;
    let long = "界".repeat(MAX_MESSAGE_CHARS);
    let sends =
        (0..200).map(|n| nodes[0].core().send(&ada.user, &general, operation(1, n), text(long.as_str())));
    for receipt in futures_util::future::join_all(sends).await {
        receipt.unwrap();
    }
    let longest = log.entries().iter().map(|entry| entry.len()).max().unwrap();
    assert!((256 * 1024..=512 * 1024).contains(&longest), "{longest} bytes");
    assert_equal(&log, &nodes).await;
}
