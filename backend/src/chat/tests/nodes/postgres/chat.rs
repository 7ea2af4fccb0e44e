//! A chat on three nodes whose log is in PostgreSQL, with crashes of that, copies and trimmed entries.

use std::path::Path;

use super::super::super::log::Act;
use super::*;

/// A node with its connection to the log.
fn node(log: Postgres, folder: TempDir) -> TestChat {
    let options = ChatOptions {
        data: folder.path().to_owned(),
        log: Some(Arc::new(log)),
        snapshots: NO_SNAPSHOTS,
        ..ChatOptions::default()
    };
    TestChat { chat: Chat::open(options).unwrap(), folder }
}

async fn nodes(servers: &Servers) -> Vec<TestChat> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(node(Postgres::open(servers).await.unwrap(), TempDir::new().unwrap()));
    }
    nodes
}

fn database(folder: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join(DATABASE_FILE)).unwrap()
}

/// Waits until all nodes have the same entries, and compares their databases table by table.
async fn become_equal(nodes: &[TestChat]) {
    let equal = async {
        loop {
            for node in nodes {
                node.core().wait_until_current().await.unwrap();
            }
            let all: Vec<_> = nodes.iter().map(|node| tables(database(node.folder.path()))).collect();
            // A session's use may be recorded meanwhile, which is an entry.
            if all.iter().all(|tables| tables["followed_log"] == all[0]["followed_log"]) {
                assert!(all.iter().all(|tables| *tables == all[0]));
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), equal).await.expect("they do not get equal");
}

async fn rooms(node: &TestChat, ids: &[String]) -> Vec<Arc<Room>> {
    let mut rooms = Vec::new();
    for id in ids {
        rooms.push(node.core().room(id).await.unwrap());
    }
    rooms
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_on_three_nodes_keep_the_invariants_while_the_server_crashes() {
    let Some((mut server, servers)) = cluster().await else { return };
    let nodes = nodes(&servers).await;
    let maker = nodes[0].join("Maker").await;
    let mut ids = vec![RoomId::GENERAL.to_owned()];
    for number in 0..2 {
        let name = RoomName::parse(&format!("Room {number}")).unwrap();
        let view = nodes[0].core().create_room(&maker.user, name, operation(0, number)).await.unwrap();
        ids.push(view.id.as_str().to_owned());
    }
    let mut senders = Vec::new();
    for number in 0..6 {
        let at = number % 3;
        // The session begins at one node, and is used at another.
        let joined = nodes[(at + 1) % 3].join_unused(&format!("Sender {number}")).await.unwrap();
        let token = TokenHash::of(joined.token.as_str());
        let session = nodes[at].core().session(&token, SOMEBODY).await.unwrap();
        let acts = (0..60).map(|act| match act % 5 {
            0 => Act::Repeat { earlier: act * 7 },
            1 => Act::Read { room: act % 3, part: 0.5 },
            _ => Act::Send { room: (act + number) % 3 },
        });
        let rooms = rooms(&nodes[at], &ids).await;
        senders.push(tokio::spawn(carry_out(nodes[at].core().clone(), session, rooms, acts.collect())));
    }
    let last = &nodes[2];
    let head = last.core().room(&ids[1]).await.unwrap();
    for crash in 1..4 {
        while head.head() < crash * 20 && senders.iter().any(|sender| !sender.is_finished()) {
            tokio::task::yield_now().await;
        }
        server.crash();
        server.start_again();
    }
    let mut accounts: Vec<Account> = Vec::new();
    for sender in senders {
        accounts.push(sender.await.unwrap());
    }
    become_equal(&nodes).await;
    for node in &nodes {
        check_accounts(node, &rooms(node, &ids).await, &accounts).await;
    }
    for TestChat { chat, folder } in nodes {
        chat.close().await;
        assert_eq!(check(folder.path()).unwrap().findings, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operation_and_name_at_all_nodes_at_once_succeed_once() {
    let Some((_server, servers)) = cluster().await else { return };
    let nodes = nodes(&servers).await;
    let joined = futures_util::future::join_all(nodes.iter().map(|node| node.join_unused("Bob"))).await;
    assert_eq!(joined.iter().filter(|joined| joined.is_ok()).count(), 1);
    let ada = nodes[0].join("Ada").await;
    for number in 0..20 {
        let sends = nodes.iter().map(async |node| {
            let general = node.core().room(RoomId::GENERAL).await.unwrap();
            node.core().send(&ada.user, &general, operation(1, number), text("hi")).await.unwrap()
        });
        let receipts = futures_util::future::join_all(sends).await;
        assert_eq!(receipts.iter().filter(|receipt| !receipt.duplicate).count(), 1, "{receipts:?}");
        assert!(receipts.iter().all(|receipt| receipt.seq == number + 2), "{receipts:?}");
    }
    become_equal(&nodes).await;
    // Signed out at one, the session is gone at the others.
    nodes[0].core().sign_out(&ada).await.unwrap();
    become_equal(&nodes).await;
    let gone = nodes[1].core().session(&ada.token, SOMEBODY).await;
    assert!(matches!(gone, Err(ChatError::NoSession)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_starts_from_a_copy_becomes_equal_and_one_without_the_log_says_so() {
    let Some((mut server, servers)) = cluster().await else { return };
    let mut nodes = nodes(&servers).await;
    let ada = nodes[0].join("Ada").await;
    let general = nodes[0].core().room(RoomId::GENERAL).await.unwrap();
    let send =
        async |number| nodes[0].core().send(&ada.user, &general, operation(1, number), text("hi")).await;
    for number in 0..30 {
        send(number).await.unwrap();
    }
    // The other nodes need the entries that are trimmed.
    become_equal(&nodes).await;
    let elsewhere = TempDir::new().unwrap();
    let file = elsewhere.path().join("copy");
    let copy = snapshot(nodes[0].folder.path(), &file).unwrap();
    let log = Postgres::open(&servers).await.unwrap();
    log.put_snapshot(copy.position, &file).await.unwrap();
    log.trim(copy.position).await.unwrap();
    for number in 30..40 {
        send(number).await.unwrap();
    }
    nodes.push(node(log, TempDir::new().unwrap()));
    become_equal(&nodes).await;

    server.crash();
    let unknown = nodes[3].core().session(&TokenHash::of("unknown"), SOMEBODY).await;
    assert!(!matches!(unknown, Ok(_) | Err(ChatError::NoSession)), "it cannot know that");
    server.start_again();
    become_equal(&nodes).await;
}
