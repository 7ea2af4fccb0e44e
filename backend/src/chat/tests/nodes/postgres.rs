//! The log on a real server of PostgreSQL: the rules of every log, and what only a server can do: end, come back, and have another log
//! under the same name.

mod chat;
#[path = "../../../../tests/it/support/postgres.rs"]
mod server;

use bytes::Bytes;
use futures_util::StreamExt as _;

use self::server::PostgresServer;
use super::protocol::{answers_beside_appends, entry, keeps_copies, keeps_the_rules, next, read};
use super::*;
use crate::chat::log::cluster::{ClusterError, FIRST_COPY};
use crate::chat::log::postgres::{self, Postgres, Servers};
use crate::chat::log::{Appended, LogError, LogId, Record};

const ID: LogId = LogId([9; 16]);

/// A new cluster on a server of its own. `None` where there is no such server.
async fn cluster() -> Option<(PostgresServer, Servers)> {
    let server = PostgresServer::start()?;
    let servers = Servers { addresses: vec![server.url()], name: "team".to_owned(), authority: None };
    postgres::init(&servers, ID, None).await.unwrap();
    Some((server, servers))
}

/// Lets somebody do this who has the rights.
async fn execute(servers: &Servers, statement: &str) -> u64 {
    let (client, connection) =
        tokio_postgres::connect(&servers.addresses[0], tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.execute(statement, &[]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_in_a_table_keeps_the_rules() {
    let Some((_server, servers)) = cluster().await else { return };
    let (one, two) = (Postgres::open(&servers).await.unwrap(), Postgres::open(&servers).await.unwrap());
    assert_eq!(one.id(), ID);
    keeps_the_rules(&one, &two).await;
    keeps_copies(&one, &two).await;
    let status = postgres::status(&servers).await.unwrap();
    let positions: Vec<_> = status.copies.iter().map(|copy| copy.position).collect();
    assert_eq!(positions, [7, 3], "the one before the newest is kept");

    one.trim(4).await.unwrap();
    assert_eq!(read(&two, 4, 1).await[0].position, 5);
    let trimmed = two.follow(3).next().await.unwrap();
    assert!(matches!(trimmed, Err(LogError::Trimmed { first: 5 })), "{trimmed:?}");
    // Again, and more than there is.
    one.trim(4).await.unwrap();
    one.trim(3).await.unwrap();
    one.trim(100).await.unwrap();
    assert_eq!(two.end().await.unwrap(), 12);
    let trimmed = two.follow(11).next().await.unwrap();
    assert!(matches!(trimmed, Err(LogError::Trimmed { first: 13 })), "{trimmed:?}");
    assert_eq!(two.append(11, entry(3)).await.unwrap(), Appended::Conflict);
    assert_eq!(two.append(12, entry(3)).await.unwrap(), Appended::Stored);
    assert_eq!(read(&one, 12, 1).await, [Record { position: 13, entry: entry(3) }]);
    answers_beside_appends(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_crashed_loses_nothing_and_is_followed_again() {
    let Some((mut server, servers)) = cluster().await else { return };
    let log = Postgres::open(&servers).await.unwrap();
    log.append(0, entry(1)).await.unwrap();
    let mut followed = log.follow(0);
    assert_eq!(followed.next().await.unwrap().unwrap().position, 1);

    server.crash();
    assert!(matches!(log.append(1, entry(2)).await, Err(LogError::Unanswered(_))));
    assert!(matches!(log.end().await, Err(LogError::Unanswered(_))));
    server.start_again();

    // The entry that was not answered is not stored twice, whatever became of it.
    let appended = loop {
        match log.append(1, entry(2)).await {
            Ok(appended) => break appended,
            Err(error) => assert!(matches!(error, LogError::Unanswered(_)), "{error}"),
        }
    };
    assert_eq!(read(&log, 1, 1).await, [Record { position: 2, entry: entry(2) }], "{appended:?}");
    assert_eq!(log.end().await.unwrap(), 2);
    // The one that followed before says that it is to be followed again.
    let ended = next(&mut followed).await;
    assert!(matches!(ended, Err(LogError::Unanswered(_)) | Ok(Record { position: 2, .. })), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follower_gets_more_than_it_reads_at_once() {
    let Some((_server, servers)) = cluster().await else { return };
    let log = Postgres::open(&servers).await.unwrap();
    let large = Bytes::from(vec![7; 512 * 1024]);
    for after in 0..40 {
        assert_eq!(log.append(after, large.clone()).await.unwrap(), Appended::Stored);
    }
    let other = Postgres::open(&servers).await.unwrap();
    let mut followed = other.follow(0);
    for position in 1..=40 {
        assert_eq!(next(&mut followed).await.unwrap(), Record { position, entry: large.clone() });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entry_comes_without_the_bell() {
    let Some((_server, servers)) = cluster().await else { return };
    let log = Postgres::open(&servers).await.unwrap();
    let mut followed = log.follow(0);
    let insert = |position: u64| {
        format!("INSERT INTO \"chinwag-team\".entries_{} VALUES ({position}, 'entry 1')", "09".repeat(16))
    };
    execute(&servers, &insert(1)).await;
    assert_eq!(next(&mut followed).await.unwrap(), Record { position: 1, entry: entry(1) });
    // A gap that somebody has made is never passed by.
    execute(&servers, &insert(3)).await;
    let gap = next(&mut followed).await;
    assert!(matches!(gap, Err(LogError::Replaced { .. })), "{gap:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_ended_are_made_again() {
    let Some((_server, servers)) = cluster().await else { return };
    let (one, two) = (Postgres::open(&servers).await.unwrap(), Postgres::open(&servers).await.unwrap());
    one.append(0, entry(1)).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chinwag'";
    assert!(execute(&servers, end).await >= 3);
    let appended = async {
        while let Err(error) = two.append(1, entry(2)).await {
            assert!(matches!(error, LogError::Unanswered(_)), "{error}");
        }
        while let Err(error) = one.end().await {
            assert!(matches!(error, LogError::Unanswered(_)), "{error}");
        }
    };
    tokio::time::timeout(Duration::from_secs(20), appended).await.expect("it was not connected again");
    assert_eq!(read(&one, 1, 1).await, [Record { position: 2, entry: entry(2) }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turn_is_left_to_the_others_until_they_had_it() {
    let Some((_server, servers)) = cluster().await else { return };
    let (one, two) = (Postgres::open(&servers).await.unwrap(), Postgres::open(&servers).await.unwrap());
    assert!(one.turn_of_others().is_none() && two.turn_of_others().is_none());
    let told = async {
        while two.turn_of_others().is_none() {
            one.want_turn(true);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_in_the_place_of_another_one_begins_with_the_given_database() {
    let Some((_server, servers)) = cluster().await else { return };
    let old = Postgres::open(&servers).await.unwrap();
    old.append(0, entry(1)).await.unwrap();
    let folder = TempDir::new().unwrap();
    let (from, into) = (folder.path().join("from"), folder.path().join("into"));
    std::fs::write(&from, b"a database").unwrap();

    // Once in the place of a log, and once in that of none.
    for id in [[8; 16], [7; 16]] {
        postgres::replace(&servers, LogId(id), &from).await.unwrap();
        assert!(matches!(old.append(1, entry(2)).await, Err(LogError::Replaced { .. })));
        let log = Postgres::open(&servers).await.unwrap();
        assert_eq!((log.id(), log.end().await.unwrap()), (LogId(id), FIRST_COPY));
        assert_eq!(log.newest_snapshot(&into).await.unwrap(), Some(FIRST_COPY));
        assert_eq!(std::fs::read(&into).unwrap(), b"a database");
        execute(&servers, "DROP SCHEMA \"chinwag-team\" CASCADE").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_that_was_made_anew_is_refused() {
    let Some((_server, servers)) = cluster().await else { return };
    let log = Postgres::open(&servers).await.unwrap();
    log.append(0, entry(1)).await.unwrap();
    let again = postgres::init(&servers, LogId([8; 16]), None).await;
    assert!(matches!(again, Err(ClusterError::Exists { .. })), "{again:?}");

    execute(&servers, "DROP SCHEMA \"chinwag-team\" CASCADE").await;
    assert!(matches!(Postgres::open(&servers).await, Err(ClusterError::Missing { .. })));
    postgres::init(&servers, LogId([8; 16]), None).await.unwrap();
    let other = Postgres::open(&servers).await.unwrap();
    // It has as many entries as the first one, so that only the id tells them apart.
    other.append(0, entry(7)).await.unwrap();

    let replaced = |result: Result<(), LogError>| {
        assert!(matches!(result, Err(LogError::Replaced { .. })), "{result:?}");
    };
    replaced(log.append(1, entry(2)).await.map(drop));
    replaced(log.end().await.map(drop));
    replaced(log.follow(1).next().await.unwrap().map(drop));
    replaced(log.trim(1).await);
    assert_eq!(other.end().await.unwrap(), 1, "nothing was stored in it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schema_of_another_program_is_refused() {
    let Some((_server, servers)) = cluster().await else { return };
    execute(&servers, "DROP TABLE \"chinwag-team\".log").await;
    let opened = Postgres::open(&servers).await.map(drop);
    assert!(matches!(opened, Err(ClusterError::Foreign { .. })), "{opened:?}");
    let made = postgres::init(&servers, ID, None).await;
    assert!(matches!(made, Err(ClusterError::Foreign { .. })), "{made:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_that_begins_with_a_database_needs_it() {
    let Some((_server, servers)) = cluster().await else { return };
    execute(&servers, "DROP SCHEMA \"chinwag-team\" CASCADE").await;
    let folder = TempDir::new().unwrap();
    let (from, into) = (folder.path().join("from"), folder.path().join("into"));
    std::fs::write(&from, b"a database").unwrap();
    postgres::init(&servers, ID, Some(&from)).await.unwrap();
    let log = Postgres::open(&servers).await.unwrap();
    assert_eq!(log.end().await.unwrap(), FIRST_COPY);
    let trimmed = log.follow(0).next().await.unwrap();
    assert!(matches!(trimmed, Err(LogError::Trimmed { first: 2 })), "{trimmed:?}");
    assert_eq!(log.append(0, entry(1)).await.unwrap(), Appended::Conflict);
    assert_eq!(log.newest_snapshot(&into).await.unwrap(), Some(FIRST_COPY));
    assert_eq!(std::fs::read(&into).unwrap(), b"a database");
    assert_eq!(log.append(FIRST_COPY, entry(2)).await.unwrap(), Appended::Stored);
    assert_eq!(read(&log, FIRST_COPY, 1).await, [Record { position: 2, entry: entry(2) }]);
}
