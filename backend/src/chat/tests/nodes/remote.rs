//! The rules of a log on a real server, of whichever kind: those of every log, and what only a server can do: end, come back, and have
//! another log under the same name.

use bytes::Bytes;
use futures_util::StreamExt as _;

use super::protocol::{answers_beside_appends, entry, keeps_copies, keeps_the_rules, next, read};
use super::*;
use crate::chat::log::cluster::{ClusterError, FIRST_COPY};
use crate::chat::log::servers::Servers;
use crate::chat::log::{Appended, LogError, LogId, Record};

pub(super) const ID: LogId = LogId([9; 16]);
const OTHER_ID: LogId = LogId([8; 16]);

/// A server that is the test's own.
pub(super) trait TestServer {
    /// Ends it as a crash does.
    async fn crash(&mut self);

    /// Starts it with what it has on disk.
    async fn start_again(&mut self);

    /// Removes the log, as somebody does who has the rights.
    async fn remove_log(&self);
}

/// Makes a test of each rule for the servers that `$start` starts; it returns `None` where there are none.
macro_rules! keeps_the_rules_of_servers {
    ($start:ident) => {
        keeps_the_rules_of_servers! {
            $start:
            log_keeps_the_rules,
            server_that_crashed_loses_nothing_and_is_followed_again,
            follower_gets_more_than_it_reads_at_once,
            turn_is_left_to_the_others_until_they_had_it,
            log_in_the_place_of_another_one_begins_with_the_given_database,
            log_that_was_made_anew_is_refused,
            cluster_that_begins_with_a_database_needs_it
        }
    };
    ($start:ident: $($rule:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            let Some((server, servers)) = $start().await else { return };
            super::remote::$rule(server, servers).await;
        }
    )*};
}
pub(super) use keeps_the_rules_of_servers;

/// Makes the log, and opens it.
async fn begin(servers: &Servers) -> Arc<dyn Log> {
    servers.init(1, ID, None).await.unwrap();
    servers.open().await.unwrap()
}

fn is_unanswered<T>(result: Result<T, LogError>) -> bool {
    matches!(result, Err(LogError::Unanswered(_)))
}

pub(super) async fn log_keeps_the_rules(_server: impl TestServer, servers: Servers) {
    let (one, two) = (begin(&servers).await, servers.open().await.unwrap());
    assert_eq!(one.id(), ID);
    keeps_the_rules(&*one, &*two).await;
    keeps_copies(&*one, &*two).await;
    let status = servers.status().await.unwrap();
    let positions: Vec<_> = status.copies.iter().map(|copy| copy.position).collect();
    assert_eq!(positions, [7, 3], "the one before the newest is kept");

    one.trim(4).await.unwrap();
    assert_eq!(read(&*two, 4, 1).await[0].position, 5);
    let trimmed = two.follow(3).next().await.unwrap();
    assert!(matches!(trimmed, Err(LogError::Trimmed { first: 5 })), "{trimmed:?}");
    // Again, less, and more than there is.
    one.trim(4).await.unwrap();
    one.trim(3).await.unwrap();
    one.trim(100).await.unwrap();
    assert_eq!(two.end().await.unwrap(), 12);
    let trimmed = two.follow(11).next().await.unwrap();
    assert!(matches!(trimmed, Err(LogError::Trimmed { first: 13 })), "{trimmed:?}");
    assert_eq!(two.append(11, entry(3)).await.unwrap(), Appended::Conflict);
    assert_eq!(two.append(12, entry(3)).await.unwrap(), Appended::Stored);
    assert_eq!(read(&*one, 12, 1).await, [Record { position: 13, entry: entry(3) }]);
    answers_beside_appends(&*one).await;
}

pub(super) async fn server_that_crashed_loses_nothing_and_is_followed_again(
    mut server: impl TestServer,
    servers: Servers,
) {
    let log = begin(&servers).await;
    log.append(0, entry(1)).await.unwrap();
    let mut followed = log.follow(0);
    assert_eq!(next(&mut followed).await.unwrap().position, 1);

    server.crash().await;
    assert!(is_unanswered(log.append(1, entry(2)).await));
    assert!(is_unanswered(log.end().await));
    server.start_again().await;

    // The entry that was not answered is not stored twice, whatever became of it.
    let appended = loop {
        match log.append(1, entry(2)).await {
            Ok(appended) => break appended,
            Err(error) => assert!(matches!(error, LogError::Unanswered(_)), "{error}"),
        }
    };
    assert_eq!(read(&*log, 1, 1).await, [Record { position: 2, entry: entry(2) }], "{appended:?}");
    assert_eq!(log.end().await.unwrap(), 2);
    // The one that followed before goes on, or says that it is to be followed again.
    let ended = next(&mut followed).await;
    assert!(matches!(ended, Err(LogError::Unanswered(_)) | Ok(Record { position: 2, .. })), "{ended:?}");
}

pub(super) async fn follower_gets_more_than_it_reads_at_once(_server: impl TestServer, servers: Servers) {
    let log = begin(&servers).await;
    let large = Bytes::from(vec![7; 512 * 1024]);
    for after in 0..40 {
        assert_eq!(log.append(after, large.clone()).await.unwrap(), Appended::Stored);
    }
    let mut followed = servers.open().await.unwrap().follow(0);
    for position in 1..=40 {
        assert_eq!(next(&mut followed).await.unwrap(), Record { position, entry: large.clone() });
    }
}

pub(super) async fn turn_is_left_to_the_others_until_they_had_it(_server: impl TestServer, servers: Servers) {
    let (one, two) = (begin(&servers).await, servers.open().await.unwrap());
    assert!(one.turn_of_others().is_none() && two.turn_of_others().is_none());
    let told = async {
        while two.turn_of_others().is_none() {
            one.want_turn(true);
            // Both messages have come before the answer to a question that was asked later.
            one.end().await.unwrap();
            two.end().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("it was not told");
    assert!(one.turn_of_others().is_none(), "its own turn holds it up");
    one.want_turn(false);
    let end = async {
        while let Some(turn) = two.turn_of_others() {
            turn.await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), end).await.expect("it was not told of the end");
}

pub(super) async fn log_in_the_place_of_another_one_begins_with_the_given_database(
    server: impl TestServer,
    servers: Servers,
) {
    let old = begin(&servers).await;
    old.append(0, entry(1)).await.unwrap();
    let folder = TempDir::new().unwrap();
    let (from, into) = (folder.path().join("from"), folder.path().join("into"));
    std::fs::write(&from, b"a database").unwrap();

    // Once in the place of a log, and once in that of none.
    for id in [OTHER_ID, LogId([7; 16])] {
        servers.replace(1, id, &from).await.unwrap();
        assert!(matches!(old.append(1, entry(2)).await, Err(LogError::Replaced { .. })));
        let log = servers.open().await.unwrap();
        assert_eq!((log.id(), log.end().await.unwrap()), (id, FIRST_COPY));
        assert_eq!(log.newest_snapshot(&into).await.unwrap(), Some(FIRST_COPY));
        assert_eq!(std::fs::read(&into).unwrap(), b"a database");
        server.remove_log().await;
    }
}

pub(super) async fn log_that_was_made_anew_is_refused(server: impl TestServer, servers: Servers) {
    let log = begin(&servers).await;
    log.append(0, entry(1)).await.unwrap();
    let again = servers.init(1, OTHER_ID, None).await;
    assert!(matches!(again, Err(ClusterError::Exists { .. })), "{again:?}");

    server.remove_log().await;
    assert!(matches!(servers.open().await, Err(ClusterError::Missing { .. })));
    servers.init(1, OTHER_ID, None).await.unwrap();
    let other = servers.open().await.unwrap();
    // It has as many entries as the first one, so that only the id tells them apart.
    other.append(0, entry(7)).await.unwrap();

    let replaced = |result: Result<(), LogError>| {
        assert!(matches!(result, Err(LogError::Replaced { .. })), "{result:?}");
    };
    replaced(log.append(1, entry(2)).await.map(drop));
    replaced(log.end().await.map(drop));
    replaced(next(&mut log.follow(1)).await.map(drop));
    replaced(log.trim(1).await);
    assert_eq!(other.end().await.unwrap(), 1, "nothing was stored in it");
}

pub(super) async fn cluster_that_begins_with_a_database_needs_it(_server: impl TestServer, servers: Servers) {
    let folder = TempDir::new().unwrap();
    let (from, into) = (folder.path().join("from"), folder.path().join("into"));
    std::fs::write(&from, b"a database").unwrap();
    servers.init(1, ID, Some(&from)).await.unwrap();
    let log = servers.open().await.unwrap();
    assert_eq!(log.end().await.unwrap(), FIRST_COPY);
    let trimmed = next(&mut log.follow(0)).await;
    assert!(matches!(trimmed, Err(LogError::Trimmed { first: 2 })), "{trimmed:?}");
    assert_eq!(log.append(0, entry(1)).await.unwrap(), Appended::Conflict);
    assert_eq!(log.newest_snapshot(&into).await.unwrap(), Some(FIRST_COPY));
    assert_eq!(std::fs::read(&into).unwrap(), b"a database");
    assert_eq!(log.append(FIRST_COPY, entry(2)).await.unwrap(), Appended::Stored);
    assert_eq!(read(&*log, FIRST_COPY, 1).await, [Record { position: 2, entry: entry(2) }]);
}
