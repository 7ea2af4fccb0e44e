//! `chinwag cluster repair`, and commands that need a folder whose server has stopped.

use std::process::Output;

use super::*;

async fn repair(nats: &NatsServer, data: &Path, flags: &[&str]) -> Output {
    let data = format!("--data={}", data.display());
    cluster(&nats.url(), &[&["repair", &data], flags].concat()).await
}

fn error_of(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The command line before that of a program of the cluster.
fn member(nats: &NatsServer) -> [String; 3] {
    let url = format!("CHINWAG_CLUSTER={}", nats.url());
    ["env".to_owned(), url, "CHINWAG_CLUSTER_NAME=team".to_owned()]
}

#[tokio::test]
async fn folder_whose_server_runs_is_neither_made_a_cluster_nor_repaired() {
    let Some(nats) = NatsServer::start().await else { return };
    let alone = Program::start().await;
    let data = format!("--data={}", alone.data().display());
    let in_use = "another server uses the data folder";
    let error = error_of(&cluster(&nats.url(), &["init", "--replicas=1", &data]).await);
    assert!(error.contains(in_use), "{error}");
    let status = error_of(&cluster(&nats.url(), &["status"]).await);
    assert!(status.contains("no cluster named team"), "nothing was made: {status}");
    let error = error_of(&repair(&nats, &alone.data(), &[]).await);
    assert!(error.contains(in_use), "{error}");
}

#[tokio::test]
async fn log_that_is_gone_is_made_anew_from_a_folder_and_others_follow_it() {
    let Some(nats) = new_cluster().await else { return };
    let member = member(&nats);
    let member = member.each_ref().map(String::as_str);
    let (mut one, mut other) = (Program::start_by(&member).await, Program::start_by(&member).await);
    let mut ada = Person::join(one.channel(), "Ada").await;
    for number in 0..3 {
        ada.send("general", &number.to_string()).await;
    }
    let epoch = ada.rooms().await[0].epoch;
    let elsewhere = ada.over(other.channel());
    eventually("the other one has them", async || elsewhere.clone().log("general").await.len() == 4).await;
    one.terminate().await;
    other.terminate().await;
    let said = async |data: &Path, flags: &[&str]| super::said(&repair(&nats, data, flags).await);
    let report = said(&one.data(), &[]).await;
    assert!(report.contains("the log continues the folder: nothing is to be repaired"), "{report}");
    let error = error_of(&repair(&nats, &one.data(), &["--from-folder", "--replicas=1"]).await);
    assert!(error.contains("nothing was changed"), "{error}");

    // Somebody removes the stream.
    let client = async_nats::connect(nats.url()).await.unwrap();
    async_nats::jetstream::new(client).delete_stream("chinwag-team").await.unwrap();
    let report = said(&one.data(), &[]).await;
    assert!(report.contains("these servers have no cluster named team"), "{report}");
    assert!(report.contains("nothing was changed"), "{report}");
    let error = error_of(&repair(&nats, &one.data(), &["--from-cluster"]).await);
    assert!(error.contains("no cluster named team"), "{error}");
    let report = said(&one.data(), &["--from-folder", "--replicas=1"]).await;
    assert!(report.contains("made the log of the cluster team anew from the folder"), "{report}");
    let report = said(&other.data(), &[]).await;
    assert!(report.contains("the cluster's log is another one than the folder's"), "{report}");
    assert!(report.contains("only in the folder: nothing\n"), "{report}");
    let report = said(&other.data(), &["--from-cluster"]).await;
    assert!(report.contains("its database is kept in"), "{report}");

    one.restart_by(&member).await;
    other.restart_by(&member).await;
    let (mut at_one, at_other) = (ada.over(one.channel()), ada.over(other.channel()));
    assert_eq!(at_one.send("general", "more").await.seq, 5, "she is signed in, and her messages are there");
    eventually("the other one follows", async || at_other.clone().log("general").await.len() == 5).await;
    assert_ne!(at_one.rooms().await[0].epoch, epoch, "pages reload the rooms");
}
