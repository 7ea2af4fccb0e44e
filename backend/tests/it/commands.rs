//! The commands `backup`, `restore` and `check`: effects, refusals and messages.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use proto::chat::v1 as pb;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::chat_client::{Person, cursor, states, text_of};
use crate::support::command;
use crate::support::program::{Program, run};

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

/// Asserts success; returns the output.
fn assert_done(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    stdout(output)
}

/// Asserts a refusal whose message contains all `parts`.
fn assert_refused(output: &Output, parts: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = str::from_utf8(&output.stderr).unwrap();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
}

/// A data folder with some messages, not used by a server.
async fn stopped_chat(messages: u64) -> Program {
    let mut server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let mut bob = Person::join(server.channel(), "Bob").await;
    ada.create_room("Second").await.unwrap();
    for number in 0..messages {
        ada.send("general", &format!("Ada {number}")).await;
        bob.send("general", &format!("Bob {number}")).await;
    }
    bob.client.mark_read(pb::MarkReadRequest { room_id: "general".into(), seq: 2 }).await.unwrap();
    assert_eq!(server.terminate().await.code(), Some(0));
    server
}

fn database(data: &Path) -> Connection {
    Connection::open(data.join("chinwag.db")).unwrap()
}

#[tokio::test]
async fn backup_during_sends_is_a_consistent_database() {
    let server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    for number in 0..20 {
        ada.send("general", &number.to_string()).await;
    }
    let sending = tokio::spawn({
        let mut ada = ada.clone();
        async move {
            for number in 20.. {
                ada.send("general", &number.to_string()).await;
                if number >= 200 {
                    return;
                }
            }
        }
    });
    let file = server.path("backup.db");
    let said = assert_done(&server.run(&["backup", file.to_str().unwrap()]).await).to_owned();
    sending.await.unwrap();
    assert!(said.contains("backup.db") && said.contains("bytes"), "{said}");
    for companion in ["backup.db-wal", "backup.db-journal", "backup.db.part"] {
        assert!(!server.path(companion).exists(), "{companion}");
    }

    let elsewhere = TempDir::new().unwrap();
    let data = elsewhere.path().join("data");
    assert_done(&run(&["restore", file.to_str().unwrap()], &data).await);
    assert!(assert_done(&run(&["check"], &data).await).contains(": 0 findings"));
    let copy = Program::start_on(elsewhere, &[]).await;
    let mut reader = Person::join(copy.channel(), "Reader").await;
    let log = reader.log("general").await;
    assert!(log.len() > 20, "{}", log.len());
    for (index, event) in log.iter().skip(1).enumerate() {
        assert_eq!(text_of(event), index.to_string());
    }
    // There is no page.
    assert!(copy.log_lines("WARN").is_empty(), "{}", copy.log());
}

#[tokio::test]
async fn restore_loses_every_cursor_and_keeps_the_previous_database() {
    let mut server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    ada.send("general", "kept").await;
    let file = server.path("backup.db");
    let file = file.to_str().unwrap();
    assert_done(&server.run(&["backup", file]).await);
    for number in 0..5 {
        ada.send("general", &format!("gone {number}")).await;
    }
    let (frames, stream) = ada.follow(Vec::new()).await;
    let before = states(&frames).remove(0);
    drop(stream);

    assert_refused(
        &server.run(&["restore", file, "--replace"]).await,
        &["another server uses the data folder"],
    );
    server.terminate().await;
    assert_refused(&server.run(&["restore", file]).await, &["has a database", "--replace"]);
    let said = assert_done(&server.run(&["restore", file, "--replace"]).await).to_owned();
    let kept: Vec<_> = fs::read_dir(server.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("chinwag.db.replaced-20"))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(said.contains(&kept[0]), "{said}");

    server.restart().await;
    let mut ada = ada.over(server.channel());
    // The same numbers, for other events.
    for number in 0..9 {
        ada.send("general", &format!("new {number}")).await;
    }
    let cursors = [1, before.head_seq].map(|seq| vec![cursor(&before, seq)]);
    for cursors in cursors {
        let (frames, _) = ada.follow(cursors).await;
        let state = states(&frames).remove(0);
        assert_eq!((state.recovery(), state.lost_reason()), (pb::Recovery::Lost, pb::LostReason::Epoch));
    }
    // The previous database is complete.
    let aside = TempDir::new().unwrap();
    fs::copy(server.data().join(&kept[0]), aside.path().join("chinwag.db")).unwrap();
    assert!(assert_done(&run(&["check"], aside.path()).await).contains("7 events: 0 findings"));
}

#[tokio::test]
async fn backup_refuses_existing_files_missing_databases_and_damage() {
    let server = stopped_chat(200).await;
    let file = server.path("backup.db");
    fs::write(&file, "precious").unwrap();
    assert_refused(&server.run(&["backup", file.to_str().unwrap()]).await, &["backup.db exists", "FILE"]);
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    let nowhere = server.path("nowhere/backup.db");
    assert_refused(&server.run(&["backup", nowhere.to_str().unwrap()]).await, &["nowhere"]);
    let empty = TempDir::new().unwrap();
    let other = empty.path().join("backup.db");
    assert_refused(
        &run(&["backup", other.to_str().unwrap()], empty.path()).await,
        &["no database", "--data"],
    );

    break_pages(&server.data().join("chinwag.db"));
    let other = server.path("other.db");
    assert_refused(&server.run(&["backup", other.to_str().unwrap()]).await, &[]);
    assert!(!other.exists() && !server.path("other.db.part").exists());
}

#[tokio::test]
async fn restore_refuses_invalid_files_and_changes_nothing() {
    let server = stopped_chat(200).await;
    let data = server.data();
    let before = fs::read(data.join("chinwag.db")).unwrap();
    let path = |name: &str| server.path(name).to_str().unwrap().to_owned();
    fs::write(path("text"), "dear diary").unwrap();
    fs::write(path("empty"), "").unwrap();
    Connection::open(path("diary")).unwrap().execute_batch("CREATE TABLE diary (x)").unwrap();
    fs::copy(data.join("chinwag.db"), path("newer")).unwrap();
    Connection::open(path("newer")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    fs::copy(data.join("chinwag.db"), path("broken")).unwrap();
    break_pages(Path::new(&path("broken")));
    for (name, reason) in [
        ("missing", "cannot use"),
        ("text", "is not a database of this program"),
        ("empty", "is not a database of this program"),
        ("diary", "is not a database of this program"),
        ("newer", "of version 99"),
        ("broken", "damaged"),
    ] {
        assert_refused(&server.run(&["restore", &path(name), "--replace"]).await, &[reason]);
        let mut files: Vec<_> = fs::read_dir(&data)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, ["chinwag.db", "chinwag.head", "chinwag.lock"], "after {name}");
        assert!(fs::read(data.join("chinwag.db")).unwrap() == before, "after {name}");
    }
}

#[tokio::test]
async fn plain_copy_with_its_write_ahead_log_can_be_restored() {
    let mut server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    ada.send("general", "only in the log").await;
    server.kill().await;
    for suffix in ["", "-wal"] {
        let name = format!("chinwag.db{suffix}");
        fs::copy(server.data().join(&name), server.path(&name)).unwrap();
    }
    let elsewhere = TempDir::new().unwrap();
    let data = elsewhere.path().join("data");
    let file = server.path("chinwag.db");
    let said = assert_done(&run(&["restore", file.to_str().unwrap()], &data).await).to_owned();
    assert!(said.contains("(2 events)"), "{said}");
}

#[tokio::test]
async fn check_reports_every_inconsistency() {
    let server = stopped_chat(3).await;
    assert_eq!(assert_done(&server.run(&["check"]).await), "checked 2 rooms and 8 events: 0 findings\n");
    let whole = fs::read(server.data().join("chinwag.db")).unwrap();
    for (change, finding) in [
        ("DELETE FROM events WHERE room = 1 AND seq = 4", "room 1: event 5 follows event 3"),
        ("UPDATE events SET messages = 9 WHERE room = 1 AND seq = 3", "messages is 9, and a recount says 2"),
        ("UPDATE events SET event = x'ff' WHERE room = 1 AND seq = 3", "event 3: it cannot be decoded"),
        (
            "UPDATE events SET event = (SELECT event FROM events WHERE room = 1 AND seq = 4)
             WHERE room = 1 AND seq = 3",
            "event 3: seq does not agree",
        ),
        ("UPDATE events SET message_author = 2 WHERE room = 1 AND seq = 2", "author does not agree"),
        (
            "UPDATE markers SET own_above = 7 WHERE user = 1 AND room = 1",
            "own_above is 7, and a recount says 3",
        ),
        (
            "UPDATE markers SET read_messages = 2 WHERE user = 2 AND room = 1",
            "read_messages is 2, and a recount",
        ),
        (
            "UPDATE markers SET read_seq = 99 WHERE user = 2 AND room = 1",
            "read_seq is 99, above the last event 7",
        ),
        ("DELETE FROM operations WHERE seq = 3", "operations: there are 6, and 7 events"),
        ("UPDATE operations SET seq = 99 WHERE seq = 3", "event 99 is not the event of its operation"),
        ("UPDATE operations SET seq = 4 WHERE seq = 3", "event 4 is not the event of its operation"),
        ("UPDATE users SET live = 0", "sessions: 2 belong to users whose names are free"),
        ("DELETE FROM events WHERE room = 2", "room 2: it has no event"),
    ] {
        database(&server.data()).execute_batch(change).unwrap();
        let output = server.run(&["check"]).await;
        assert_eq!(output.status.code(), Some(1), "{change}");
        assert!(stdout(&output).contains(finding), "{finding:?} is not in {}", stdout(&output));
        fs::write(server.data().join("chinwag.db"), &whole).unwrap();
    }
    break_pages(&server.data().join("chinwag.db"));
    let output = server.run(&["check"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[tokio::test]
async fn check_and_backup_work_while_a_server_runs() {
    let server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    ada.send("general", "hello").await;
    assert!(assert_done(&server.run(&["check"]).await).contains("2 events: 0 findings"));
    ada.send("general", "again").await;
    assert!(assert_done(&server.run(&["check"]).await).contains("3 events: 0 findings"));
}

/// Overwrites pages in the middle of the file, like a broken disk.
pub(crate) fn break_pages(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let pages = bytes.len() / 4096;
    assert!(pages > 10, "{pages} pages");
    bytes[5 * 4096..(pages - 2) * 4096].fill(0xA5);
    fs::write(path, bytes).unwrap();
}

/// Number of backups and restores to kill.
const KILLS: u32 = 25;

/// Starts a command that takes `whole`, and kills it at the `part`th of [`KILLS`] moments.
async fn kill_command(arguments: &[&str], data: &Path, whole: Duration, part: u32) {
    let mut command = command();
    command.args(arguments).arg("--data").arg(data).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let (start, delay) = (Instant::now(), whole.mul_f64(f64::from(part) / f64::from(KILLS)));
    // Sleeping is too coarse for these delays.
    while start.elapsed() < delay {
        std::thread::yield_now();
    }
    child.kill().await.unwrap();
}

#[tokio::test]
async fn killed_restore_leaves_the_old_or_the_new_database() {
    let server = stopped_chat(3).await;
    let (data, file) = (server.data(), server.path("backup.db"));
    let file = file.to_str().unwrap();
    assert_done(&server.run(&["backup", file]).await);
    // The existing database has fewer events than the backup.
    let old = stopped_chat(1).await;
    let start = Instant::now();
    assert_done(&server.run(&["restore", file, "--replace"]).await);
    let whole = start.elapsed();
    let mut seen = [0, 0];
    for kill in 0..KILLS {
        fs::remove_dir_all(&data).unwrap();
        fs::create_dir(&data).unwrap();
        for name in ["chinwag.db", "chinwag.head", "chinwag.lock"] {
            fs::copy(old.data().join(name), data.join(name)).unwrap();
        }
        kill_command(&["restore", file, "--replace"], &data, whole, kill).await;
        match assert_done(&server.run(&["check"]).await) {
            "checked 2 rooms and 4 events: 0 findings\n" => seen[0] += 1,
            "checked 2 rooms and 8 events: 0 findings\n" => seen[1] += 1,
            other => panic!("{other}"),
        }
        // Leftovers of the killed restore do not disturb the next one.
        assert_done(&server.run(&["restore", file, "--replace"]).await);
        assert!(!data.join("chinwag.db.restoring").exists());
    }
    assert!(seen[0] > 0, "{seen:?}");
}

#[tokio::test]
async fn killed_backup_leaves_no_file_or_a_complete_one() {
    let server = stopped_chat(3).await;
    let file = server.path("backup.db");
    let elsewhere = TempDir::new().unwrap();
    let start = Instant::now();
    assert_done(&server.run(&["backup", file.to_str().unwrap()]).await);
    let whole = start.elapsed();
    for kill in 0..KILLS {
        fs::remove_file(&file).ok();
        kill_command(&["backup", file.to_str().unwrap()], &server.data(), whole, kill).await;
        if file.exists() {
            let restored = run(&["restore", file.to_str().unwrap(), "--replace"], elsewhere.path()).await;
            assert!(assert_done(&restored).contains("(8 events)"), "{restored:?}");
        }
    }
    fs::remove_file(&file).ok();
    assert_done(&server.run(&["backup", file.to_str().unwrap()]).await);
    assert!(!server.path("backup.db.part").exists());
}

#[tokio::test]
async fn write_ahead_log_of_a_removed_database_is_not_replayed_after_a_restore() {
    let mut server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    ada.send("general", "kept").await;
    let file = server.path("backup.db");
    assert_done(&server.run(&["backup", file.to_str().unwrap()]).await);
    for number in 0..5 {
        ada.send("general", &format!("gone {number}")).await;
    }
    server.kill().await;
    fs::rename(server.data().join("chinwag.db"), server.path("bad.db")).unwrap();
    assert!(server.data().join("chinwag.db-wal").metadata().unwrap().len() > 0);

    assert_done(&server.run(&["restore", file.to_str().unwrap()]).await);

    assert!(assert_done(&server.run(&["check"]).await).contains("2 events: 0 findings"));
    server.restart().await;
    let log = ada.over(server.channel()).log("general").await;
    assert_eq!(log.len(), 2, "the room and one message");
    // The content of the log is kept beside it.
    let kept = fs::read_dir(server.data()).unwrap();
    let kept = kept.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with("-wal"));
    assert!(kept.map(|entry| entry.unwrap().file_name()).any(|name| name != "chinwag.db-wal"));
}
