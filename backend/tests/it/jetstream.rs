//! Several servers of one chat as real processes, with a real server of NATS between them.

mod repair;
mod secure;

use std::path::Path;

use http::StatusCode;
use proto::chat::v1 as pb;
use proto::chat::v1::subscribe_response::Frame;
use rustix::process::Signal;
use tokio::time::timeout;
use tonic::Code;

use crate::chat_client::{Person, cursor, eventually, operation_id, seqs, states, text_of};
use crate::metrics::{scrape, start_with};
use crate::support::cluster::{NAME, cluster, said};
use crate::support::http::get;
use crate::support::nats::NatsServer;
use crate::support::program::{Program, run};
use crate::support::{ChildServer, PATIENCE, command};

async fn init(nats: &NatsServer, data: &Path) -> String {
    let data = format!("--data={}", data.display());
    said(&cluster(&nats.url(), &["init", "--replicas=1", &data]).await)
}

/// A server of NATS with a new cluster. `None` where there is no such server.
async fn new_cluster() -> Option<NatsServer> {
    let nats = NatsServer::start().await?;
    let nothing = tempfile::tempdir().unwrap();
    assert!(init(&nats, nothing.path()).await.contains("begin a new chat"));
    Some(nats)
}

async fn join(nats: &NatsServer) -> ChildServer {
    let monitoring = format!("--cluster-monitoring={}", nats.monitoring_url());
    ChildServer::start_with(&[format!("--cluster={}", nats.url()), NAME.to_owned(), monitoring]).await
}

#[tokio::test]
async fn message_sent_to_one_server_arrives_at_the_other() {
    let Some(nats) = new_cluster().await else { return };
    let (a, b) = (join(&nats).await, join(&nats).await);
    let mut ada = Person::join(a.channel(), "Ada").await;
    let mut ada_at_b = ada.over(b.channel());
    let (_, mut stream) = ada_at_b.follow(Vec::new()).await;

    let sent = ada.send("general", "hi").await;

    let events = stream.events().await;
    assert_eq!((seqs(&events), text_of(&events[0])), (vec![sent.seq], "hi"));
    let mut bob = Person::join(b.channel(), "Bob").await;
    bob.send("general", "ho").await;
    assert_eq!(text_of(&stream.events().await[0]), "ho");
    let log = bob.log("general").await;
    eventually("the first server has it, too", async || ada.clone().log("general").await == log).await;
    // The same action at both is one message, and a name is given once.
    let id = operation_id("Ada", 77);
    let first = ada.try_send("general", id.clone(), "once").await.unwrap();
    let again = ada_at_b.try_send("general", id, "once").await.unwrap();
    assert_eq!((first.seq, first.duplicate, again.seq, again.duplicate), (4, false, 4, true));
    let status = said(&cluster(&nats.url(), &["status"]).await);
    assert!(status.contains("entries: 1 to ") && status.contains("leader: "), "{status}");
}

#[tokio::test]
async fn cursor_of_one_server_is_continued_at_the_other() {
    let Some(nats) = new_cluster().await else { return };
    let (a, b) = (join(&nats).await, join(&nats).await);
    let mut ada = Person::join(a.channel(), "Ada").await;
    let (frames, stream) = ada.follow(Vec::new()).await;
    drop(stream);
    let at_head = cursor(&states(&frames)[0], 1);
    for number in 0..5 {
        ada.send("general", &number.to_string()).await;
    }
    let mut elsewhere = ada.over(b.channel());
    let mut stream = elsewhere.subscribe(vec![at_head], 100).await.unwrap();
    let frames = stream.until_caught_up().await;
    assert_eq!(states(&frames)[0].recovery(), pb::Recovery::Full);
    assert_eq!(seqs(&crate::chat_client::events_in(&frames)), [2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn sign_out_at_one_server_ends_streams_and_calls_at_the_other() {
    let Some(nats) = new_cluster().await else { return };
    let (a, b) = (join(&nats).await, join(&nats).await);
    let mut ada = Person::join(a.channel(), "Ada").await;
    let mut elsewhere = ada.over(b.channel());
    let (_, mut stream) = elsewhere.follow(Vec::new()).await;

    ada.client.sign_out(pb::SignOutRequest {}).await.unwrap();

    let Frame::Goodbye(goodbye) = stream.next().await else { panic!("no goodbye") };
    assert_eq!(goodbye.reason(), pb::GoodbyeReason::SignedOut);
    let refused = elsewhere.page("general", None, 1).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn without_the_log_reading_goes_on_and_writing_says_so_until_it_is_back() {
    let Some(mut nats) = new_cluster().await else { return };
    let (a, b) = (join(&nats).await, join(&nats).await);
    let mut ada = Person::join(a.channel(), "Ada").await;
    ada.send("general", "before").await;
    let (_, mut stream) = ada.follow(Vec::new()).await;

    nats.kill().await;

    let id = operation_id("Ada", 99);
    let refused = ada.try_send("general", id.clone(), "meanwhile").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(
        refused.message(),
        "The server cannot reach the other servers at the moment. Try again shortly."
    );
    assert_eq!(text_of(&ada.log("general").await[1]), "before");
    let (addr, host) = (a.addr, [("host", "localhost")]);
    eventually("readiness ends", async || {
        get(addr, "/readyz", &host).await.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;

    nats.start_again().await;

    let ada_ref = &ada;
    let id_ref = &id;
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
    let lost = a
        .log()
        .iter()
        .filter(|line| line.contains("the connection to the cluster's server was lost"))
        .count();
    assert_eq!(lost, 1, "{:#?}", a.log());
}

#[tokio::test]
async fn what_a_server_does_not_find_is_refused_at_its_start() {
    let Some(nats) = NatsServer::start().await else { return };
    let nothing = tempfile::tempdir().unwrap();
    let refused = async |data: &Path, flags: &[String], part: &str| {
        let mut command = command();
        command.args(["--listen=127.0.0.1:0", NAME]).arg("--data").arg(data).args(flags);
        command.stderr(std::process::Stdio::piped());
        let output = timeout(PATIENCE, command.output()).await.expect("it did not end in time").unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{error}");
        assert!(error.contains(part), "{part:?} is not in {error}");
    };
    let url = format!("--cluster={}", nats.url());
    let new = &nothing.path().join("data");
    refused(new, std::slice::from_ref(&url), "have no cluster named team: `chinwag cluster init`").await;
    refused(new, &[url.clone(), "--cluster-credentials=/none".to_owned()], "--cluster-credentials <FILE>")
        .await;
    refused(new, &["--cluster=nats://127.0.0.1:1".to_owned()], "no server of the cluster can be reached")
        .await;
    // A folder with a chat of its own does not join.
    init(&nats, nothing.path()).await;
    let mut alone = Program::start().await;
    alone.terminate().await;
    refused(&alone.data(), &[url], "it has a chat of its own").await;
}

#[tokio::test]
async fn sync_of_every_write_is_watched() {
    let Some(nats) = new_cluster().await else { return };
    let variables = [format!("CHINWAG_CLUSTER={}", nats.url()), "CHINWAG_CLUSTER_NAME=team".to_owned()];
    let monitored = format!("CHINWAG_CLUSTER_MONITORING={}", nats.monitoring_url());
    let metric = "chinwag_cluster_syncs_every_write";
    let (blind, admin) = start_with(&[&variables[0], &variables[1]]).await;
    assert!(scrape(admin).await.contains(&format!("\n{metric} 0\n")));
    let ready = async |server: &Program| get(server.addr(), "/readyz", &[]).await.text().to_owned();
    let unknown = "ok\nwarning: it is not known whether the servers of NATS sync every write to disk";
    assert!(ready(&blind).await.starts_with(unknown));
    let (server, admin) = start_with(&[&variables[0], &variables[1], &monitored]).await;
    eventually("it is found", async || scrape(admin).await.contains(&format!("\n{metric} 1\n"))).await;
    assert!(server.log().contains("the monitored servers of NATS sync every write to disk"));
    assert_eq!(ready(&server).await, "ok\n");
}

#[tokio::test]
async fn cluster_begins_with_the_chat_of_one_server_and_gives_it_back() {
    let Some(nats) = NatsServer::start().await else { return };
    let mut alone = Program::start().await;
    let mut ada = Person::join(alone.channel(), "Ada").await;
    for number in 0..3 {
        ada.send("general", &number.to_string()).await;
    }
    let epoch = ada.rooms().await[0].epoch;
    alone.terminate().await;
    assert!(init(&nats, &alone.data()).await.contains("begin with the chat of"));

    let (a, b) = (join(&nats).await, join(&nats).await);
    let (mut at_a, mut at_b) = (ada.over(a.channel()), ada.over(b.channel()));
    assert_eq!(at_a.send("general", "more").await.seq, 5, "she is signed in, and her messages are there");
    eventually("the other one has it", async || at_b.clone().log("general").await.len() == 5).await;
    let rooms = at_b.rooms().await;
    assert_ne!(rooms[0].epoch, epoch);
    assert_eq!(rooms[0].epoch, at_a.rooms().await[0].epoch);

    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("copy.db");
    let file = file.to_str().unwrap();
    assert!(said(&cluster(&nats.url(), &["snapshot", file]).await).contains("wrote the copy at position 1"));
    let again = cluster(&nats.url(), &["snapshot", file]).await;
    assert!(String::from_utf8(again.stderr).unwrap().contains("exists, and was left as it is"));
    let data = elsewhere.path().join("data");
    said(&run(&["restore", file], &data).await);
    let restored = Program::start_on(elsewhere, &[]).await;
    let log = ada.over(restored.channel()).log("general").await;
    assert_eq!(log.len(), 4, "the copy is older than the newest message");
}

#[tokio::test]
async fn server_that_stops_sends_its_clients_to_the_others_at_once() {
    let Some(nats) = new_cluster().await else { return };
    let server = join(&nats).await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(ada.follow(Vec::new()).await.1);
    }
    server.send(Signal::TERM);
    for stream in &mut streams {
        let Frame::Goodbye(goodbye) = stream.next().await else { panic!("no goodbye") };
        assert!(goodbye.reconnect && goodbye.reconnect_after_ms <= 1_000, "{goodbye:?}");
    }
}
