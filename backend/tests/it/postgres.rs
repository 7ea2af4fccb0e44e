//! Several servers of one chat as real processes, with a real server of PostgreSQL between them.

use std::path::Path;

use http::StatusCode;
use rustix::process::Signal;
use tokio::time::timeout;
use tonic::Code;

use crate::chat_client::{Person, eventually, operation_id, text_of};
use crate::support::cluster::{NAME, cluster, said};
use crate::support::http::get;
use crate::support::postgres::PostgresServer;
use crate::support::program::{Program, run};
use crate::support::{ChildServer, PATIENCE, command};

async fn init(server: &PostgresServer, data: &Path) -> String {
    said(&cluster(&server.url(), &["init", &format!("--data={}", data.display())]).await)
}

/// A server of PostgreSQL with a new cluster. `None` where there is no such server.
async fn new_cluster() -> Option<PostgresServer> {
    let server = PostgresServer::start()?;
    let nothing = tempfile::tempdir().unwrap();
    assert!(init(&server, nothing.path()).await.contains("begin a new chat"));
    Some(server)
}

async fn join(server: &PostgresServer) -> ChildServer {
    ChildServer::start_with(&[format!("--cluster={}", server.url()), NAME.to_owned()]).await
}

#[tokio::test]
async fn message_sent_to_one_server_arrives_at_the_other() {
    let Some(server) = new_cluster().await else { return };
    let (a, b) = (join(&server).await, join(&server).await);
    let mut ada = Person::join(a.channel(), "Ada").await;
    let mut ada_at_b = ada.over(b.channel());
    let (_, mut stream) = ada_at_b.follow(Vec::new()).await;

    ada.send("general", "hi").await;

    assert_eq!(text_of(&stream.events().await[0]), "hi");
    let mut bob = Person::join(b.channel(), "Bob").await;
    bob.send("general", "ho").await;
    assert_eq!(text_of(&stream.events().await[0]), "ho");
    let log = bob.log("general").await;
    eventually("the first server has it, too", async || ada.clone().log("general").await == log).await;
    let status = said(&cluster(&server.url(), &["status"]).await);
    assert!(status.contains("entries: 1 to ") && status.contains("leader: the server"), "{status}");
    assert_eq!(get(a.addr, "/readyz", &[("host", "localhost")]).await.text(), "ok\n", "it is known to sync");
}

async fn database(server: &PostgresServer) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Whether a server of the chat that starts now says that no standby is synchronous.
async fn warns_of_standbys(server: &PostgresServer) -> bool {
    let cluster = format!("CHINWAG_CLUSTER={}", server.url());
    let joined = Program::start_by(&["env", &cluster, "CHINWAG_CLUSTER_NAME=team"]).await;
    assert!(joined.log().contains("connected to the cluster's database"), "{}", joined.log());
    joined.log().contains("no standby of the cluster's database is synchronous")
}

#[tokio::test]
async fn standbys_of_which_none_is_synchronous_are_said() {
    let Some(server) = new_cluster().await else { return };
    assert!(!warns_of_standbys(&server).await, "it has none");
    let _standby = server.0.start_standby().unwrap();
    let client = database(&server).await;
    let state = async || {
        let row = client.query_opt("SELECT sync_state FROM pg_stat_replication", &[]).await.unwrap();
        row.and_then(|row| row.get::<_, Option<String>>(0))
    };
    eventually("the standby is there", async || state().await.as_deref() == Some("async")).await;
    assert!(warns_of_standbys(&server).await);

    client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'pg_receivewal'").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    eventually("the standby is synchronous", async || state().await.as_deref() == Some("sync")).await;
    assert!(!warns_of_standbys(&server).await);
}

/// Removes all entries of the cluster's log, as if some copy of the database had them.
async fn trim(server: &PostgresServer) {
    let client = database(server).await;
    let table =
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE tablename LIKE 'entries_%'";
    let table: String = client.query_one(table, &[]).await.unwrap().get(0);
    let last = format!("(SELECT max(position) FROM {table})");
    let trim = format!(
        "DELETE FROM {table} WHERE position < {last}; UPDATE {table} SET entry = NULL WHERE position = {last}"
    );
    client.batch_execute(&trim).await.unwrap();
}

#[tokio::test]
async fn server_that_the_log_has_outrun_ends_so_that_its_next_start_begins_with_the_copy() {
    let Some(server) = new_cluster().await else { return };
    let (a, mut b) = (join(&server).await, join(&server).await);
    let mut ada = Person::join(a.channel(), "Ada").await;
    let at_b = ada.over(b.channel());
    eventually("the other server follows", async || at_b.clone().log("general").await.len() == 1).await;
    b.send(Signal::STOP);
    ada.send("general", "while it stands still").await;
    trim(&server).await;
    b.send(Signal::CONT);

    assert_eq!(b.exit_status().await.code(), Some(1));

    let reason = "started again, it begins with the newest copy";
    eventually("it says why", async || b.log().concat().contains(reason)).await;
    assert_eq!(ada.send("general", "after").await.seq, 3, "the other one goes on");
}

#[tokio::test]
async fn without_the_log_reading_goes_on_and_writing_says_so_until_it_is_back() {
    let Some(mut server) = new_cluster().await else { return };
    let (a, b) = (join(&server).await, join(&server).await);
    let mut ada = Person::join(a.channel(), "Ada").await;
    ada.send("general", "before").await;
    let (_, mut stream) = ada.follow(Vec::new()).await;

    server.crash();

    let id = operation_id("Ada", 99);
    let refused = ada.try_send("general", id.clone(), "meanwhile").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(text_of(&ada.log("general").await[1]), "before");
    let (addr, host) = (a.addr, [("host", "localhost")]);
    eventually("readiness ends", async || {
        get(addr, "/readyz", &host).await.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;

    server.start_again();

    let (ada_ref, id_ref) = (&ada, &id);
    eventually("writing goes on", async || {
        ada_ref.clone().try_send("general", id_ref.clone(), "meanwhile").await.is_ok()
    })
    .await;
    // Stored once, although it was sent at least twice, and told to those who follow, at both servers.
    assert_eq!(stream.events().await.iter().map(text_of).collect::<Vec<_>>(), ["meanwhile"]);
    let mut elsewhere = ada.over(b.channel());
    eventually("the other server has it", async || elsewhere.clone().log("general").await.len() == 3).await;
    assert_eq!(elsewhere.send("general", "after").await.seq, 4);
    eventually("readiness returns", async || get(addr, "/readyz", &host).await.status == StatusCode::OK)
        .await;
}

#[tokio::test]
async fn flags_that_do_not_fit_are_refused_at_the_start() {
    let Some(server) = PostgresServer::start() else { return };
    let nothing = tempfile::tempdir().unwrap();
    let refused = async |flags: &[&str], part: &str| {
        let mut command = command();
        command.args(["--listen=127.0.0.1:0", NAME]).arg("--data").arg(nothing.path()).args(flags);
        command.stderr(std::process::Stdio::piped());
        let output = timeout(PATIENCE, command.output()).await.expect("it did not end in time").unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{error}");
        assert!(error.contains(part), "{part:?} is not in {error}");
    };
    let url = &*format!("--cluster={}", server.url());
    refused(&[url], "have no cluster named team: `chinwag cluster init`").await;
    refused(&[url, "--cluster-credentials=/none"], "--cluster-credentials <FILE>").await;
    refused(&[url, "--cluster-monitoring=http://a:8222"], "--cluster-monitoring <URL>").await;
    refused(&[url, "--cluster=nats://127.0.0.1:1"], "of one kind").await;
    refused(&["--cluster=postgres://me@127.0.0.1:1/chat"], "no server of the cluster can be reached").await;
    // It does not offer TLS, and is not talked to without.
    let file = nothing.path().join("authority");
    std::fs::write(&file, "").unwrap();
    let authority = format!("--cluster-tls-ca={}", file.display());
    refused(&[url, &authority], "no server of the cluster can be reached").await;
}

#[tokio::test]
async fn cluster_begins_with_the_chat_of_one_server_and_gives_it_back() {
    let Some(server) = PostgresServer::start() else { return };
    let mut alone = Program::start().await;
    let mut ada = Person::join(alone.channel(), "Ada").await;
    for number in 0..3 {
        ada.send("general", &number.to_string()).await;
    }
    alone.terminate().await;
    assert!(init(&server, &alone.data()).await.contains("begin with the chat of"));

    let (a, b) = (join(&server).await, join(&server).await);
    let (mut at_a, at_b) = (ada.over(a.channel()), ada.over(b.channel()));
    assert_eq!(at_a.send("general", "more").await.seq, 5, "she is signed in, and her messages are there");
    eventually("the other one has it", async || at_b.clone().log("general").await.len() == 5).await;

    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("copy.db");
    let file = file.to_str().unwrap();
    assert!(
        said(&cluster(&server.url(), &["snapshot", file]).await).contains("wrote the copy at position 1")
    );
    said(&run(&["restore", file], &elsewhere.path().join("data")).await);
    let restored = Program::start_on(elsewhere, &[]).await;
    let log = ada.over(restored.channel()).log("general").await;
    assert_eq!(log.len(), 4, "the copy is older than the newest message");
}
