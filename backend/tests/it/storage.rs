//! Sends while the disk is full, or while somebody changes the database's files: nothing is acknowledged that a restart
//! would not find.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use proto::health::v1::health_check_response::ServingStatus;
use rustix::process::{Resource, Rlimit, prlimit};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::chat_client::{Person, eventually, operation_id, text_of};
use crate::support::program::Program;

/// Sends `count` messages, each as its own action. Returns the acknowledged texts and the refusals.
async fn send(person: &Person, what: &str, count: u64) -> (Vec<String>, Vec<Status>) {
    let sends = (0..count).map(|number| {
        let mut person = person.clone();
        async move {
            let text = format!("{what} {number}");
            let id = operation_id(&format!("{what}{}", person.user.id), number);
            person.try_send("general", id, &text).await.map(|_| text)
        }
    });
    let (mut stored, mut refused) = (Vec::new(), Vec::new());
    for result in join_all(sends).await {
        match result {
            Ok(text) => stored.push(text),
            Err(status) => refused.push(status),
        }
    }
    (stored, refused)
}

async fn assert_all_stored(server: &Program, texts: &[String]) {
    let mut reader = Person::join(server.channel(), "Reader").await;
    let log = reader.log("general").await;
    for text in texts {
        assert_eq!(log.iter().filter(|event| text_of(event) == text).count(), 1, "{text:?}");
    }
}

async fn health_becomes(server: &Program, status: ServingStatus) {
    eventually("health", || async move { server.chat_health().await == status }).await;
}

/// Attacks the files of a running server. After that nothing is acknowledged, stored messages can be read, and health and a
/// single log line report it.
async fn nothing_is_acknowledged_after(attack: impl FnOnce(&Program)) -> (Program, Vec<String>) {
    let server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let (stored, refused) = send(&ada, "before", 20).await;
    assert_eq!((stored.len(), refused.len()), (20, 0));
    assert_eq!(server.chat_health().await, ServingStatus::Serving);

    attack(&server);

    let (acknowledged, refused) = send(&ada, "after", 20).await;
    assert_eq!(acknowledged, [""; 0]);
    for status in refused {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(status.message().contains("removed or replaced"), "{status:?}");
    }
    health_becomes(&server, ServingStatus::NotServing).await;
    let page = ada.page("general", None, 50).await.unwrap();
    assert!(stored.iter().all(|text| page.events.iter().any(|event| text_of(event) == text)));
    assert_eq!(server.log_lines("ERROR").len(), 1, "{}", server.log());
    (server, stored)
}

#[tokio::test]
async fn nothing_is_acknowledged_after_the_data_folder_was_removed() {
    let attack = |server: &Program| fs::remove_dir_all(server.data()).unwrap();
    let (mut server, _) = nothing_is_acknowledged_after(attack).await;
    assert_eq!(server.terminate().await.code(), Some(0));
    assert!(!server.data().exists());
}

#[tokio::test]
async fn nothing_is_acknowledged_after_the_data_folder_was_moved() {
    let attack = |server: &Program| fs::rename(server.data(), server.path("aside")).unwrap();
    let (mut server, stored) = nothing_is_acknowledged_after(attack).await;
    assert_eq!(server.terminate().await.code(), Some(0));
    fs::rename(server.path("aside"), server.data()).unwrap();
    server.restart().await;
    assert_all_stored(&server, &stored).await;
}

#[tokio::test]
async fn nothing_is_acknowledged_after_the_database_was_replaced() {
    let attack = |server: &Program| {
        let database = server.data().join("chinwag.db");
        fs::copy(&database, server.path("copy")).unwrap();
        fs::rename(server.path("copy"), &database).unwrap();
    };
    let (mut server, stored) = nothing_is_acknowledged_after(attack).await;
    assert_eq!(server.terminate().await.code(), Some(0));
    // The stopping server must not remove this log: it belongs to the new database.
    assert!(server.data().join("chinwag.db-wal").exists());
    server.restart().await;
    assert_all_stored(&server, &stored).await;
}

#[tokio::test]
async fn nothing_is_acknowledged_after_a_file_was_copied_over_the_database() {
    // Like `cp`: the same file with other content.
    let mut other = Program::start().await;
    let mut eve = Person::join(other.channel(), "Eve").await;
    eve.send("general", "in another database").await;
    assert!(other.terminate().await.success());
    let attack = |server: &Program| {
        fs::copy(other.data().join("chinwag.db"), server.data().join("chinwag.db")).unwrap();
    };
    let (mut server, _) = nothing_is_acknowledged_after(attack).await;
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn removed_write_ahead_log_and_a_kill_lose_nothing() {
    let attack = |server: &Program| fs::remove_file(server.data().join("chinwag.db-wal")).unwrap();
    let (mut server, stored) = nothing_is_acknowledged_after(attack).await;
    server.kill().await;
    server.restart().await;
    assert_all_stored(&server, &stored).await;
}

#[tokio::test]
async fn stopping_server_keeps_the_write_ahead_log_of_a_replacement() {
    let other = Program::start().await;
    let mut eve = Person::join(other.channel(), "Eve").await;
    eve.send("general", "in the log of another database").await;
    let attack = |server: &Program| {
        for suffix in ["", "-wal"] {
            let name = format!("chinwag.db{suffix}");
            fs::copy(other.data().join(&name), server.path(&name)).unwrap();
            fs::rename(server.path(&name), server.data().join(&name)).unwrap();
        }
    };
    let (mut server, _) = nothing_is_acknowledged_after(attack).await;
    assert_eq!(server.terminate().await.code(), Some(0));
    assert_eq!(server.log_lines("ERROR").len(), 1, "{}", server.log());
    server.restart().await;
    let log = Person::join(server.channel(), "Reader").await.log("general").await;
    assert_eq!(log.len(), 2);
}

#[tokio::test]
async fn health_reports_missing_files_without_writes() {
    let server = Program::start().await;
    fs::remove_file(server.data().join("chinwag.db")).unwrap();
    health_becomes(&server, ServingStatus::NotServing).await;
}

/// Blocks a disk. Sends are refused with `code` and a retry delay, stored messages can be read, and the log has one line.
/// After the disk is free, sends succeed again.
async fn sends_go_on_after_a_disk_refused_writes(
    server: &Program,
    code: Code,
    sentence: &str,
    block: impl FnOnce(),
    free: impl FnOnce(),
) {
    let mut ada = Person::join(server.channel(), "Ada").await;
    let (mut stored, refused) = send(&ada, "before", 20).await;
    assert_eq!((stored.len(), refused.len()), (20, 0));

    block();

    let mut round = 0;
    let refused = loop {
        round += 1;
        let (more, refused) = send(&ada, &format!("during{round}"), 100).await;
        stored.extend(more);
        if !refused.is_empty() {
            break refused;
        }
    };
    for status in &refused {
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().contains(sentence), "{status:?}");
        assert!(status.get_details_retry_info().unwrap().retry_delay > Some(Duration::ZERO), "{status:?}");
    }
    for round in 0..5 {
        let (more, _) = send(&ada, &format!("storm{round}"), 100).await;
        stored.extend(more);
    }
    health_becomes(server, ServingStatus::NotServing).await;
    assert!(ada.page("general", None, 50).await.is_ok());
    // The first call of a newly opened page.
    let session = ada.client.get_session(proto::chat::v1::GetSessionRequest {}).await.unwrap().into_inner();
    assert_eq!(session.user.unwrap().id, ada.user.id);
    assert_eq!(server.log_lines("ERROR").len(), 1, "{}", server.log());
    assert!(!server.log().contains("retrying each alone"), "{}", server.log());

    free();

    health_becomes(server, ServingStatus::Serving).await;
    let (more, refused) = send(&ada, "after", 20).await;
    assert_eq!((more.len(), refused.len()), (20, 0));
    stored.extend(more);
    assert_all_stored(server, &stored).await;
}

#[tokio::test]
async fn sends_recover_after_the_system_refused_writes() {
    // A limit on the size of files stands in for a quota or a broken disk.
    let server = Program::start_by(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]).await;
    let pid = Some(server.pid());
    let limit = |current| Rlimit { current, maximum: None };
    let log = server.data().join("chinwag.db-wal");
    sends_go_on_after_a_disk_refused_writes(
        &server,
        Code::Unavailable,
        "cannot write to its disk",
        || {
            assert!(
                prlimit(pid, Resource::Fsize, limit(Some(fs::metadata(&log).unwrap().len() + 4096))).is_ok()
            )
        },
        || assert!(prlimit(pid, Resource::Fsize, limit(None)).is_ok()),
    )
    .await;
}

#[tokio::test]
async fn sends_recover_after_the_disk_was_full() {
    let dir = tempfile::TempDir::new().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    // Mounting a disk needs a mount namespace.
    let mount = format!("mount -t tmpfs -o size=4m tmpfs '{}' && exec \"$@\"", data.display());
    let starter = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &mount, "sh"];
    let probe = std::process::Command::new(starter[0]).args(&starter[1..]).arg("true").status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("NOT TESTED: a full disk; this system lets nobody mount one (`unshare --user --mount`)");
        return;
    }
    let server = Program::start_on(dir, &starter).await;
    let pid = server.pid().as_raw_nonzero();
    let fill = Path::new("/proc")
        .join(pid.to_string())
        .join("root")
        .join(data.strip_prefix("/").unwrap())
        .join("fill");
    sends_go_on_after_a_disk_refused_writes(
        &server,
        Code::ResourceExhausted,
        "disk is full",
        || drop(fs::write(&fill, vec![1; 8 << 20]).unwrap_err()),
        || fs::remove_file(&fill).unwrap(),
    )
    .await;
}
