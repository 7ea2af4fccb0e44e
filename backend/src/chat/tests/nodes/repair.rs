//! Folders whose log does not continue them: the report of the difference, and a new beginning.

use super::*;
use crate::chat::log::LogId;

fn compare(folder: &TempDir, log: &Arc<Memory>) -> Comparison {
    StoppedFolder::new(folder.path()).unwrap().compare(&*log.connect()).unwrap()
}

fn events(room: &str, events: u64, first: u64, last: u64) -> Vec<RoomDifference> {
    vec![RoomDifference { room: room.to_owned(), events, first, last }]
}

async fn send(node: &Node, author: &Session, numbers: std::ops::Range<u64>) {
    let general = node.general().await;
    for number in numbers {
        node.core().send(&author.user, &general, operation(1, number), text("hi")).await.unwrap();
    }
}

#[tokio::test]
async fn folder_that_is_only_behind_needs_no_repair() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    send(&nodes[0], &ada, 0..3).await;
    let [one, other] = nodes.try_into().ok().unwrap();
    other.catch_up().await;
    let folder = other.close().await;
    let before = std::fs::read(folder.path().join(DATABASE_FILE)).unwrap();
    send(&one, &ada, 3..5).await;
    one.test.join("Bob").await;
    let end = log.end();

    let compared = compare(&folder, &log);

    assert_eq!(compared.relation, Relation::Continues);
    assert_eq!((compared.end, log.end()), (end, end), "nothing was written to the log");
    assert!(compared.only_here.is_empty(), "{compared:?}");
    assert_eq!(compared.only_in_log.rooms, events("general", 2, 5, 6));
    assert_eq!((compared.only_in_log.users, compared.only_in_log.sessions), (1, 1));
    assert!(std::fs::read(folder.path().join(DATABASE_FILE)).unwrap() == before);
    assert!(!folder.path().join("chinwag.repair").exists());
    // The same when the log has only a copy that is newer than the folder.
    one.put_copy().await;
    log.trim(log.end());
    assert_eq!(compare(&folder, &log).relation, Relation::Continues);
}

#[tokio::test]
async fn lost_and_replaced_entries_are_named_with_what_they_wrote() {
    let log = Memory::new(1);
    let node = Node::open(&log);
    let ada = node.test.join("Ada").await;
    send(&node, &ada, 0..2).await;
    let kept = log.entries();
    send(&node, &ada, 2..5).await;
    let applied = log.end();
    let folder = node.close().await;
    log.replace(kept.clone());

    let compared = compare(&folder, &log);
    assert_eq!(compared.relation, Relation::LogIsShorter);
    assert_eq!((compared.followed, compared.end), (Some((LogId([1; 16]), applied)), kept.len() as Position));
    assert_eq!(compared.only_here.rooms, events("general", 3, 4, 6));
    assert!(compared.only_in_log.is_empty(), "{compared:?}");

    // Another node goes on from there.
    let other = Node::open(&log);
    let bob = other.test.join("Bob").await;
    send(&other, &bob, 10..13).await;
    assert!(log.end() >= applied);
    let compared = compare(&folder, &log);
    assert_eq!(compared.relation, Relation::Diverged);
    assert_eq!(compared.only_here.rooms, events("general", 3, 4, 6));
    assert_eq!(compared.only_in_log.rooms, events("general", 3, 4, 6), "they have the same numbers");
    // The same when the entries are gone, and the newest copy is all that is left.
    other.put_copy().await;
    log.trim(log.end());
    assert_eq!(compare(&folder, &log).relation, Relation::Diverged);

    let stranger = Memory::new(2);
    Node::open(&stranger).close().await;
    assert_eq!(compare(&folder, &stranger).relation, Relation::OtherLog);
}

#[tokio::test]
async fn folder_whose_database_was_put_aside_begins_with_the_copy_in_the_log() {
    let log = Memory::new(1);
    let nodes = nodes(&log, 2);
    let ada = nodes[0].test.join("Ada").await;
    send(&nodes[0], &ada, 0..3).await;
    nodes[0].put_copy().await;
    let [one, other] = nodes.try_into().ok().unwrap();
    let used = StoppedFolder::new(other.test.folder.path()).unwrap_err().to_string();
    assert!(used.contains("another server uses the data folder"), "{used}");
    other.catch_up().await;
    let folder = other.close().await;
    let database = std::fs::read(folder.path().join(DATABASE_FILE)).unwrap();

    let aside = StoppedFolder::new(folder.path()).unwrap().set_aside().unwrap();

    assert!(std::fs::read(&aside).unwrap() == database, "all of it is kept");
    assert!(!folder.path().join(DATABASE_FILE).exists());
    assert!(start_from_copy(folder.path(), &*log.connect()).unwrap());
    let again = Node::open_in(&log, folder).unwrap();
    assert_equal(&log, &[one, again]).await;
}

#[tokio::test]
async fn log_is_made_anew_from_a_folder_that_followed_another_one() {
    let log = Memory::new(1);
    let node = Node::open(&log);
    let ada = node.test.join("Ada").await;
    send(&node, &ada, 0..3).await;
    let (general, file) = (node.general().await, node.test.folder.path().join("copy"));
    let before = node.test.log(&general).await;
    let folder = node.close().await;
    let anew = Memory::new(2);

    let first = StoppedFolder::new(folder.path()).unwrap();
    let first = first.first_snapshot(&file, anew.connect().id(), 0).unwrap();
    anew.connect().put_snapshot(first.position, &file).await.unwrap();

    let nodes = nodes(&anew, 2);
    for node in &nodes {
        let elsewhere = node.general().await;
        assert_ne!(elsewhere.epoch, general.epoch, "clients reload");
        assert_eq!(node.test.log(&elsewhere).await, before);
        assert_eq!(node.session(&ada.token).await.unwrap().user.id, ada.user.id);
    }
    assert_equal(&anew, &nodes).await;
}
