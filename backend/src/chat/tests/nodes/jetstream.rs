//! The log on a real server of NATS. A stream on three servers is the same code; its agreement is the servers' own.

#[path = "../../../../tests/it/support/nats.rs"]
#[expect(dead_code, reason = "the tests of the program use more of it")]
mod nats;

use futures_util::StreamExt as _;

use self::nats::NatsServer;
use super::protocol::{entry, next, read};
use super::remote::{ID, TestServer, keeps_the_rules_of_servers};
use super::*;
use crate::chat::log::cluster::ClusterError;
use crate::chat::log::jetstream::{self, JetStream, Servers};
use crate::chat::log::{LogError, LogId, Record, servers};

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

/// A server of its own without a cluster.
async fn start() -> Option<(NatsServer, servers::Servers)> {
    let server = NatsServer::start().await?;
    let servers = servers::Servers::Nats(servers(&server));
    Some((server, servers))
}

impl TestServer for NatsServer {
    async fn crash(&mut self) {
        self.kill().await;
    }

    async fn start_again(&mut self) {
        self.start_again().await;
    }

    /// The bucket of the copies stays.
    async fn remove_log(&self) {
        let client = async_nats::connect(self.url()).await.unwrap();
        async_nats::jetstream::new(client).delete_stream("chinwag-team").await.unwrap();
    }
}

keeps_the_rules_of_servers!(start);

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
