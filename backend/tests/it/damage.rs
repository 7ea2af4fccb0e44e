//! Damage in the database file is noticed after the start, reported, and not overwritten.

use std::fs;

use proto::chat::v1::list_events_request::Range;
use proto::health::v1::health_check_response::ServingStatus;
use tonic::Code;

use crate::chat_client::{Person, eventually, operation_id};
use crate::commands::break_pages;
use crate::support::program::Program;

/// A folder with a database of some hundred pages that no server uses, and one of its users.
async fn stopped_with_messages() -> (Program, Person) {
    let mut server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let text = "x".repeat(4_000);
    for _ in 0..60 {
        ada.send("general", &text).await;
    }
    assert!(server.terminate().await.success());
    (server, ada)
}

async fn writes_are_refused(server: &Program, ada: &mut Person) {
    eventually("the damage is found", || async { server.chat_health().await == ServingStatus::NotServing })
        .await;
    let status = ada.try_send("general", operation_id("late", 1), "late").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("damaged"), "{status:?}");
    let errors = server.log_lines("ERROR");
    let says = ["damaged", "chinwag check", "chinwag restore"];
    assert!(says.iter().all(|part| errors[0].contains(part)), "{errors:?}");
}

#[tokio::test]
async fn damage_found_at_the_start_stops_writes_and_readable_events_are_served() {
    let (mut server, ada) = stopped_with_messages().await;
    let database = server.data().join("chinwag.db");
    let mut bytes = fs::read(&database).unwrap();
    // Pages of old events in the middle; the newest are at the end.
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..middle + 4 * 4096].fill(0xA5);
    fs::write(&database, &bytes).unwrap();
    server.restart().await;

    let mut ada = ada.over(server.channel());
    writes_are_refused(&server, &mut ada).await;
    let newest = ada.page("general", Some(Range::BeforeSeq(u64::MAX)), 5).await.unwrap();
    assert_eq!(newest.events.len(), 5);
    assert_eq!(ada.rooms().await.len(), 1);
    assert!(server.terminate().await.success());
    assert_eq!(server.run(&["check"]).await.status.code(), Some(1));
    // Another start does not change that.
    server.restart().await;
    writes_are_refused(&server, &mut ada.over(server.channel())).await;
}

#[tokio::test]
async fn damage_found_by_a_reader_stops_writes() {
    let (mut server, ada) = stopped_with_messages().await;
    server.restart().await;
    let database = server.data().join("chinwag.db");
    let file = fs::File::options().write(true).open(&database).unwrap();
    let middle = file.metadata().unwrap().len() / 4096 / 2 * 4096;
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xA5; 4 * 4096], middle).unwrap();
    let mut ada = ada.over(server.channel());
    assert!(ada.page("general", Some(Range::AfterSeq(1)), 500).await.is_err());
    writes_are_refused(&server, &mut ada).await;
}

#[tokio::test]
async fn damage_that_prevents_opening_is_reported_with_what_to_do() {
    let (server, _) = stopped_with_messages().await;
    break_pages(&server.data().join("chinwag.db"));
    let output = server.run(&["serve", "--listen=127.0.0.1:0"]).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    for part in ["chinwag.db is damaged", "chinwag check", "chinwag restore FILE --replace"] {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
}

#[tokio::test]
async fn database_is_checked_after_a_kill_and_not_after_a_clean_stop() {
    let (mut server, _) = stopped_with_messages().await;
    server.restart().await;
    assert!(server.terminate().await.success());
    assert!(!server.log().contains("it was checked"), "{}", server.log());

    server.restart().await;
    server.kill().await;
    server.restart().await;
    eventually("the check", || async { server.log().contains("its structure is whole") }).await;
    assert_eq!(server.chat_health().await, ServingStatus::Serving);
}

#[tokio::test]
async fn new_database_is_logged_and_a_missing_one_is_a_warning() {
    let (mut server, _) = stopped_with_messages().await;
    let database = server.data().join("chinwag.db");
    let made = format!("made a new database at {}", database.display());
    for vanish in [|path: &_| fs::remove_file(path), |path: &_| fs::write(path, "")] {
        vanish(&database).unwrap();
        server.restart().await;
        let warnings = server.log_lines("WARN");
        assert!(warnings.len() == 1 && warnings[0].contains(&made), "{warnings:?}");
        assert!(server.terminate().await.success());
    }
    let fresh = Program::start().await;
    assert!(fresh.log().contains("INFO made a new database at"), "{}", fresh.log());
    assert!(!fresh.log().contains("newer version"), "{}", fresh.log());
}
