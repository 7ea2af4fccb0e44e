//! After the log went back to an older copy, no client continues its lost history.

use std::fs;
use std::path::Path;

use proto::chat::v1 as pb;
use proto::chat::v1::subscribe_response::Frame;

use crate::chat_client::{Person, eventually, states};
use crate::support::program::Program;

/// A cursor at the head of general.
async fn follow_to_the_head(person: &mut Person) -> pb::Cursor {
    let (frames, _) = person.follow(Vec::new()).await;
    let state = states(&frames).remove(0);
    let (room_id, epoch, fingerprint) = (state.room.unwrap().id, state.epoch, state.head_fingerprint);
    pb::Cursor { room_id, epoch, seq: state.head_seq, fingerprint }
}

/// The recovery of a cursor of general.
async fn resume(person: &mut Person, cursor: &pb::Cursor) -> (pb::Recovery, pb::LostReason, u64) {
    let (frames, _) = person.follow(vec![cursor.clone()]).await;
    let state = states(&frames).remove(0);
    (state.recovery(), state.lost_reason(), state.epoch)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

async fn send_many(person: &mut Person, what: &str, count: u64) {
    for number in 0..count {
        person.send("general", &format!("{what} {number}")).await;
    }
}

#[tokio::test]
async fn restarts_and_kills_leave_every_cursor_valid() {
    let mut server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    for number in 0..4 {
        send_many(&mut ada, &format!("round {number}"), 3).await;
        let cursor = follow_to_the_head(&mut ada).await;
        match number % 2 {
            0 => server.kill().await,
            _ => assert!(server.terminate().await.success()),
        }
        server.restart().await;
        assert!(server.log_lines("WARN").is_empty(), "{}", server.log());
        ada = ada.over(server.channel());
        send_many(&mut ada, &format!("later {number}"), 1).await;
        assert_eq!(
            resume(&mut ada, &cursor).await,
            (pb::Recovery::Full, pb::LostReason::Unspecified, cursor.epoch)
        );
    }
}

#[tokio::test]
async fn database_file_that_was_copied_back_is_noticed_at_the_start() {
    let mut server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    send_many(&mut ada, "kept", 3).await;
    server.terminate().await;
    fs::copy(server.data().join("chinwag.db"), server.path("copy")).unwrap();
    server.restart().await;
    let mut ada = ada.over(server.channel());
    send_many(&mut ada, "gone", 5).await;
    let cursor = follow_to_the_head(&mut ada).await;
    server.terminate().await;
    fs::copy(server.path("copy"), server.data().join("chinwag.db")).unwrap();

    server.restart().await;

    let warnings = server.log_lines("WARN");
    assert!(warnings.len() == 1 && warnings[0].contains("an older copy"), "{warnings:?}");
    let mut ada = ada.over(server.channel());
    send_many(&mut ada, "new", 9).await;
    for seq in [1, cursor.seq] {
        let cursor = pb::Cursor { seq, fingerprint: 0, ..cursor.clone() };
        let (recovery, reason, epoch) = resume(&mut ada, &cursor).await;
        assert_eq!((recovery, reason), (pb::Recovery::Lost, pb::LostReason::Epoch), "{seq}");
        assert_ne!(epoch, cursor.epoch);
    }
}

#[tokio::test]
async fn copy_of_the_running_servers_file_is_noticed_by_its_event_count() {
    // The copy has the incarnation of the head file: it was made while the same server ran.
    let mut server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    send_many(&mut ada, "kept", 3).await;
    for suffix in ["", "-wal"] {
        let name = format!("chinwag.db{suffix}");
        fs::copy(server.data().join(&name), server.path(&name)).unwrap();
    }
    send_many(&mut ada, "gone", 5).await;
    let events = follow_to_the_head(&mut ada).await.seq;
    // The head file follows within seconds, even if the server is killed then.
    let (head, expected) = (server.data().join("chinwag.head"), format!(" {events:020} "));
    eventually("the head file", || async { fs::read_to_string(&head).unwrap().contains(&expected) }).await;
    server.kill().await;
    for suffix in ["", "-wal"] {
        let name = format!("chinwag.db{suffix}");
        fs::copy(server.path(&name), server.data().join(&name)).unwrap();
    }
    fs::remove_file(server.data().join("chinwag.db-shm")).unwrap();

    server.restart().await;

    let warnings = server.log_lines("WARN");
    assert!(warnings.len() == 1 && warnings[0].contains("fewer events"), "{warnings:?}");
}

#[tokio::test]
async fn backup_that_was_copied_into_place_by_hand_is_noticed() {
    let mut server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    send_many(&mut ada, "kept", 3).await;
    let cursor = follow_to_the_head(&mut ada).await;
    let backup = server.path("backup.db");
    assert!(server.run(&["backup", backup.to_str().unwrap()]).await.status.success());
    server.terminate().await;
    fs::copy(&backup, server.data().join("chinwag.db")).unwrap();

    server.restart().await;

    let (recovery, reason, _) = resume(&mut ada.over(server.channel()), &cursor).await;
    assert_eq!((recovery, reason), (pb::Recovery::Lost, pb::LostReason::Epoch));
}

#[tokio::test]
async fn folder_that_was_copied_back_is_noticed_by_the_clients_cursors() {
    // Nothing in the folder shows that there was a later one, but the clients' cursors do.
    let mut server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    send_many(&mut ada, "kept", 3).await;
    let kept = follow_to_the_head(&mut ada).await;
    server.terminate().await;
    copy_folder(&server.data(), &server.path("copy"));
    server.restart().await;
    let mut ada = ada.over(server.channel());
    send_many(&mut ada, "gone", 5).await;
    let gone = follow_to_the_head(&mut ada).await;
    let (_, mut live) = ada.follow(vec![gone.clone()]).await;
    ada.send("general", "gone, live").await;
    let live = loop {
        if let Frame::Events(events) = live.next().await {
            let seq = events.events.last().unwrap().seq;
            break pb::Cursor { seq, fingerprint: events.fingerprint, ..gone.clone() };
        }
    };
    server.terminate().await;
    fs::remove_dir_all(server.data()).unwrap();
    copy_folder(&server.path("copy"), &server.data());
    server.restart().await;

    let mut ada = ada.over(server.channel());
    let (recovery, reason, _) = resume(&mut ada, &gone).await;
    assert_eq!((recovery, reason), (pb::Recovery::Lost, pb::LostReason::Future), "above the head");
    send_many(&mut ada, "new", 9).await;
    for cursor in [&gone, &live] {
        let (recovery, reason, _) = resume(&mut ada, cursor).await;
        assert_eq!((recovery, reason), (pb::Recovery::Lost, pb::LostReason::History), "against the history");
    }
    // Cursors in the common history are still valid.
    let (recovery, ..) = resume(&mut ada, &kept).await;
    assert_eq!(recovery, pb::Recovery::Full);
}
