//! The log on a real server of PostgreSQL.

mod chat;
#[path = "../../../../tests/it/support/postgres.rs"]
mod server;

use self::server::PostgresServer;
use super::protocol::{entry, next, read};
use super::remote::{ID, TestServer, keeps_the_rules_of_servers};
use super::*;
use crate::chat::log::cluster::ClusterError;
use crate::chat::log::postgres::{self, Postgres, Servers};
use crate::chat::log::{LogError, Record, servers};

fn servers(server: &PostgresServer) -> Servers {
    Servers { addresses: vec![server.url()], name: "team".to_owned(), authority: None }
}

/// A new cluster on a server of its own. `None` where there is no such server.
async fn cluster() -> Option<(PostgresServer, Servers)> {
    let server = PostgresServer::start()?;
    let servers = servers(&server);
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

/// A server of its own without a cluster.
async fn start() -> Option<(PostgresServer, servers::Servers)> {
    let server = PostgresServer::start()?;
    let servers = servers::Servers::Postgres(servers(&server));
    Some((server, servers))
}

impl TestServer for PostgresServer {
    async fn crash(&mut self) {
        self.crash();
    }

    async fn start_again(&mut self) {
        self.start_again();
    }

    async fn remove_log(&self) {
        execute(&servers(self), "DROP SCHEMA \"chinwag-team\" CASCADE").await;
    }
}

keeps_the_rules_of_servers!(start);

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
async fn schema_of_another_program_is_refused() {
    let Some((_server, servers)) = cluster().await else { return };
    execute(&servers, "DROP TABLE \"chinwag-team\".log").await;
    let opened = Postgres::open(&servers).await.map(drop);
    assert!(matches!(opened, Err(ClusterError::Foreign { .. })), "{opened:?}");
    let made = postgres::init(&servers, ID, None).await;
    assert!(matches!(made, Err(ClusterError::Foreign { .. })), "{made:?}");
}
