//! The log on a real server of NATS: the rules of every log, and what only a server can do: end, come back, and have another log under
//! the same name. A stream on three servers is the same code; its agreement is the servers' own.

#[path = "../../../../tests/it/support/nats.rs"]
#[expect(dead_code, reason = "the tests of the program use more of it")]
mod nats;

use bytes::Bytes;
use futures_util::StreamExt as _;

use self::nats::NatsServer;
use super::protocol::{answers_beside_appends, entry, keeps_copies, keeps_the_rules, next, read};
use super::*;
use crate::chat::log::cluster::{ClusterError, FIRST_COPY};
use crate::chat::log::jetstream::{self, JetStream, Servers};
use crate::chat::log::{Appended, LogError, LogId, Record};

const ID: LogId = LogId([9; 16]);

fn servers(server: &NatsServer) -> Servers {
    let (credentials, authority) = (None, None);
    Servers { addresses: vec![server.url()], name: "team".to_owned(), credentials, authority }
}

/// A new cluster on a server of its own. `None` where there is no such server.
async fn cluster() -> Option<(NatsServer, Servers)> {
    let server = NatsServer::start().await?;
    let servers = servers(&server);
    jetstream::init(&servers, 1, ID, None).await.unwrap();
    Some((server, servers))
}

/// Removes the stream and the bucket, as somebody does who has the rights.
async fn remove(servers: &Servers) {
    let client = async_nats::connect(servers.addresses.as_slice()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    context.delete_stream("chinwag-team").await.unwrap();
    context.delete_object_store("chinwag-team").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_on_a_server_keeps_the_rules() {
    let Some((_server, servers)) = cluster().await else { return };
    let (one, two) = (JetStream::open(&servers).await.unwrap(), JetStream::open(&servers).await.unwrap());
    assert_eq!(one.id(), ID);
    keeps_the_rules(&one, &two).await;
    keeps_copies(&one, &two).await;
    let status = jetstream::status(&servers).await.unwrap();
    let positions: Vec<_> = status.copies.iter().map(|copy| copy.position).collect();
    assert_eq!(positions, [7, 3], "the one before the newest is kept");

    one.trim(4).await.unwrap();
    assert_eq!(read(&two, 4, 1).await[0].position, 5);
    let trimmed = two.follow(3).next().await.unwrap();
    assert!(matches!(trimmed, Err(LogError::Trimmed { first: 5 })), "{trimmed:?}");
    // Again, and more than there is.
    one.trim(4).await.unwrap();
    one.trim(100).await.unwrap();
    assert_eq!(two.end().await.unwrap(), 12);
    let trimmed = two.follow(11).next().await.unwrap();
    assert!(matches!(trimmed, Err(LogError::Trimmed { first: 13 })), "{trimmed:?}");
    assert_eq!(two.append(12, entry(3)).await.unwrap(), Appended::Stored);
    assert_eq!(read(&one, 12, 1).await, [Record { position: 13, entry: entry(3) }]);
    answers_beside_appends(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_was_killed_loses_nothing_and_is_followed_again() {
    let Some((mut server, servers)) = cluster().await else { return };
    let log = JetStream::open(&servers).await.unwrap();
    log.append(0, entry(1)).await.unwrap();
    let mut followed = log.follow(0);
    assert_eq!(followed.next().await.unwrap().unwrap().position, 1);

    server.kill().await;
    assert!(matches!(log.append(1, entry(2)).await, Err(LogError::Unanswered(_))));
    assert!(matches!(log.end().await, Err(LogError::Unanswered(_))));
    server.start_again().await;

    // The entry that was not answered is not stored twice, whatever became of it.
    let appended = loop {
        match log.append(1, entry(2)).await {
            Ok(appended) => break appended,
            Err(error) => assert!(matches!(error, LogError::Unanswered(_)), "{error}"),
        }
    };
    assert_eq!(read(&log, 1, 1).await, [Record { position: 2, entry: entry(2) }], "{appended:?}");
    assert_eq!(log.end().await.unwrap(), 2);
    // The one that followed before goes on, or says that it is to be followed again.
    match followed.next().await {
        Some(Ok(record)) => assert_eq!(record.position, 2),
        Some(Err(error)) => assert!(matches!(error, LogError::Unanswered(_)), "{error}"),
        None => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follower_gets_more_than_a_connection_takes_at_once() {
    let Some((_server, servers)) = cluster().await else { return };
    let log = JetStream::open(&servers).await.unwrap();
    let large = Bytes::from(vec![7; 512 * 1024]);
    for after in 0..40 {
        assert_eq!(log.append(after, large.clone()).await.unwrap(), Appended::Stored);
    }
    let other = JetStream::open(&servers).await.unwrap();
    let mut followed = other.follow(0);
    for position in 1..=40 {
        assert_eq!(next(&mut followed).await.unwrap(), Record { position, entry: large.clone() });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumer_that_is_gone_ends_the_following() {
    let Some((_server, servers)) = cluster().await else { return };
    let log = JetStream::open(&servers).await.unwrap();
    log.append(0, entry(1)).await.unwrap();
    let mut followed = log.follow(0);
    assert_eq!(next(&mut followed).await.unwrap().position, 1);

    let client = async_nats::connect(servers.addresses.as_slice()).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream("chinwag-team").await.unwrap();
    let names: Vec<_> = stream.consumer_names().map(Result::unwrap).collect().await;
    assert_eq!(names.len(), 1);
    stream.delete_consumer(&names[0]).await.unwrap();

    let ended = next(&mut followed).await;
    assert!(matches!(ended, Err(LogError::Unanswered(_))), "{ended:?}");
    log.append(1, entry(2)).await.unwrap();
    assert_eq!(next(&mut log.follow(1)).await.unwrap(), Record { position: 2, entry: entry(2) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_fetched_while_the_servers_make_no_consumer() {
    let config = r#"authorization { users: [
        { user: chat, password: word, permissions: { publish: { deny: "$JS.API.CONSUMER.>" } } }
    ] }"#;
    let Some(server) = NatsServer::start_with(config.to_owned()).await else { return };
    let address = server.url().replace("nats://", "nats://chat:word@");
    let servers = Servers { addresses: vec![address], ..servers(&server) };
    jetstream::init(&servers, 1, ID, None).await.unwrap();
    let log = JetStream::open(&servers).await.unwrap();
    log.append(0, entry(1)).await.unwrap();
    let mut followed = log.follow(0);
    for position in 1..4 {
        let record = Record { position, entry: entry(position as usize) };
        assert_eq!(next(&mut followed).await.unwrap(), record);
        log.append(position, entry(position as usize + 1)).await.unwrap();
    }
    // A log that was made anew meanwhile is noticed by this way, too.
    let options = async_nats::ConnectOptions::with_user_and_password("chat".to_owned(), "word".to_owned());
    let client = options.connect(server.url()).await.unwrap();
    async_nats::jetstream::new(client).delete_stream("chinwag-team").await.unwrap();
    jetstream::init(&servers, 1, LogId([8; 16]), None).await.unwrap();
    let other = JetStream::open(&servers).await.unwrap();
    for after in 0..5 {
        other.append(after, entry(9)).await.unwrap();
    }
    let mut last = next(&mut followed).await;
    while matches!(&last, Ok(record) if record.entry == entry(4))
        || matches!(last, Err(LogError::Unanswered(_)))
    {
        last = next(&mut log.follow(4)).await;
    }
    assert!(matches!(last, Err(LogError::Replaced { .. })), "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turn_is_left_to_the_others_until_they_had_it() {
    let Some((_server, servers)) = cluster().await else { return };
    let (one, two) = (JetStream::open(&servers).await.unwrap(), JetStream::open(&servers).await.unwrap());
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
    assert!(two.turn_of_others().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_that_is_full_refuses_entries_and_drops_none() {
    let Some((_server, servers)) = cluster().await else { return };
    let log = JetStream::open(&servers).await.unwrap();
    log.append(0, entry(1)).await.unwrap();
    let client = async_nats::connect(servers.addresses.as_slice()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let config = context.get_stream("chinwag-team").await.unwrap().cached_info().config.clone();
    assert!(config.deny_delete, "nobody removes a single entry");
    let config = async_nats::jetstream::stream::Config { max_messages: 2, ..config };
    context.update_stream(&config).await.unwrap();

    log.append(1, entry(2)).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(log.append(2, entry(3)).await, Err(LogError::Unanswered(_))));
    }
    let all = [(1, entry(1)), (2, entry(2))].map(|(position, entry)| Record { position, entry });
    assert_eq!(read(&log, 0, 2).await, all);
    assert_eq!(log.end().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_does_not_take_long_entries_is_refused() {
    let Some(server) = NatsServer::start_with("max_payload: 256KB".to_owned()).await else { return };
    let made = jetstream::init(&servers(&server), 1, ID, None).await;
    assert!(matches!(made, Err(ClusterError::Payload { bytes: 262_144 })), "{made:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_in_the_place_of_another_one_begins_with_the_given_database() {
    let Some((_server, servers)) = cluster().await else { return };
    let old = JetStream::open(&servers).await.unwrap();
    old.append(0, entry(1)).await.unwrap();
    let folder = TempDir::new().unwrap();
    let (from, into) = (folder.path().join("from"), folder.path().join("into"));
    std::fs::write(&from, b"a database").unwrap();

    // Once in the place of a log, and once in that of none.
    for id in [[8; 16], [7; 16]] {
        jetstream::replace(&servers, 1, LogId(id), &from).await.unwrap();
        assert!(matches!(old.append(1, entry(2)).await, Err(LogError::Replaced { .. })));
        let log = JetStream::open(&servers).await.unwrap();
        assert_eq!((log.id(), log.end().await.unwrap()), (LogId(id), FIRST_COPY));
        assert_eq!(log.newest_snapshot(&into).await.unwrap(), Some(FIRST_COPY));
        assert_eq!(std::fs::read(&into).unwrap(), b"a database");
        let client = async_nats::connect(servers.addresses.as_slice()).await.unwrap();
        async_nats::jetstream::new(client).delete_stream("chinwag-team").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_that_was_made_anew_is_refused() {
    let Some((_server, servers)) = cluster().await else { return };
    let log = JetStream::open(&servers).await.unwrap();
    log.append(0, entry(1)).await.unwrap();
    let again = jetstream::init(&servers, 1, LogId([8; 16]), None).await;
    assert!(matches!(again, Err(ClusterError::Exists { .. })), "{again:?}");

    remove(&servers).await;
    assert!(matches!(JetStream::open(&servers).await, Err(ClusterError::Missing { .. })));
    jetstream::init(&servers, 1, LogId([8; 16]), None).await.unwrap();
    let other = JetStream::open(&servers).await.unwrap();
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
async fn stream_of_another_program_is_refused() {
    let Some(server) = NatsServer::start().await else { return };
    let client = async_nats::connect(server.url()).await.unwrap();
    let config = async_nats::jetstream::stream::Config {
        name: "chinwag-team".to_owned(),
        subjects: vec!["somebody".to_owned()],
        ..Default::default()
    };
    async_nats::jetstream::new(client).create_stream(config).await.unwrap();
    let opened = JetStream::open(&servers(&server)).await.map(drop);
    assert!(matches!(opened, Err(ClusterError::Foreign { .. })), "{opened:?}");
    let made = jetstream::init(&servers(&server), 1, ID, None).await;
    assert!(matches!(made, Err(ClusterError::Foreign { .. })), "{made:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_that_begins_with_a_database_needs_it() {
    let Some(server) = NatsServer::start().await else { return };
    let servers = servers(&server);
    let folder = TempDir::new().unwrap();
    let (from, into) = (folder.path().join("from"), folder.path().join("into"));
    std::fs::write(&from, b"a database").unwrap();
    jetstream::init(&servers, 1, ID, Some(&from)).await.unwrap();
    let log = JetStream::open(&servers).await.unwrap();
    assert_eq!(log.end().await.unwrap(), FIRST_COPY);
    let trimmed = log.follow(0).next().await.unwrap();
    assert!(matches!(trimmed, Err(LogError::Trimmed { first: 2 })), "{trimmed:?}");
    assert_eq!(log.append(0, entry(1)).await.unwrap(), Appended::Conflict);
    assert_eq!(log.newest_snapshot(&into).await.unwrap(), Some(FIRST_COPY));
    assert_eq!(std::fs::read(&into).unwrap(), b"a database");
    assert_eq!(log.append(FIRST_COPY, entry(2)).await.unwrap(), Appended::Stored);
    assert_eq!(read(&log, FIRST_COPY, 1).await, [Record { position: 2, entry: entry(2) }]);
}
