//! SIGKILL during a first start and during a migration: the next start works.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use backend::chat::{Chat, ChatOptions};
use proto::chat::v1 as pb;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tonic::Code;

use crate::chat_client::Person;
use crate::support::program::Program;

/// Number of first starts to kill.
const KILLS: u32 = 200;

/// Number of starts to kill on an existing database. They differ from first starts in one step.
const KILLED_RESTARTS: u32 = 60;

/// A database of schema version 1.
const VERSION_1: &str = include_str!("v1.sql");

/// A folder in memory if possible: the result of a kill does not depend on the disk, and hundreds of starts would wait for
/// it.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// Starts the program on `data` and kills it after `delay`.
fn kill_a_start(data: &Path, delay: Duration) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_chinwag"))
        .args(["--listen=127.0.0.1:0", "--log=off", "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    // Sleeping is too coarse for these delays.
    while start.elapsed() < delay {
        thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Opens the folder after a killed start, like the program.
fn open_and_close(data: &Path) {
    let options = ChatOptions { data: data.to_owned(), ..ChatOptions::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let opened = Chat::open(options);
    runtime.block_on(opened.unwrap_or_else(|error| panic!("{error:?}")).close());
}

/// Duration of a start until the database is complete.
fn time_of_a_start(prepare: impl Fn(&Path)) -> Duration {
    let dir = folder();
    prepare(dir.path());
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_chinwag"))
        .args(["--listen=127.0.0.1:0", "--log=off", "--data"])
        .arg(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    let time = start.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    time
}

/// Kills `kills` starts on folders made by `prepare`, at moments spread over the duration of a start. Starts again on each,
/// and calls `check`.
async fn kill_starts(
    kills: u32,
    prepare: impl Fn(&Path) + Send + Clone + 'static,
    check: impl Fn(&Path) + Send + 'static,
) -> TempDir {
    tokio::task::spawn_blocking(move || {
        let whole = time_of_a_start(prepare.clone()).max(time_of_a_start(prepare.clone()));
        let whole = whole.max(Duration::from_millis(20));
        let mut last = None;
        for kill in 0..kills {
            let dir = folder();
            let data = dir.path().join("data");
            std::fs::create_dir(&data).unwrap();
            prepare(&data);
            kill_a_start(&data, whole.mul_f64(f64::from(kill) / f64::from(kills)));
            open_and_close(&data);
            check(&data);
            last = Some(dir);
        }
        last.unwrap()
    })
    .await
    .unwrap()
}

/// Creates a database of version 1.
fn make_version_1(data: &Path) {
    let database = rusqlite::Connection::open(data.join("chinwag.db")).unwrap();
    database.pragma_update(None, "journal_mode", "wal").unwrap();
    database.pragma_update(None, "synchronous", "off").unwrap();
    database.execute_batch(VERSION_1).unwrap();
}

/// Asserts that the version 1 database is complete and was never taken for an older copy.
fn is_complete(data: &Path) {
    let database = rusqlite::Connection::open(data.join("chinwag.db")).unwrap();
    let (events, epoch): (u32, i64) = database
        .query_row("SELECT (SELECT count(*) FROM events), epoch FROM rooms WHERE key = 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(events, 13);
    assert!(VERSION_1.contains(&format!(",{epoch},")), "the room has a new epoch, {epoch}");
}

#[tokio::test]
async fn killed_first_start_leaves_a_folder_that_starts() {
    let dir = kill_starts(KILLS, |_| {}, |_| {}).await;
    let server = Program::start_on(dir, &[]).await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    ada.send("general", "hello").await;
}

#[tokio::test]
async fn killed_migration_leaves_all_messages() {
    let dir = kill_starts(KILLED_RESTARTS, make_version_1, is_complete).await;
    let server = Program::start_on(dir, &[]).await;
    let mut ada = Person::join(server.channel(), "Eve").await;
    assert_eq!(ada.log("general").await.len(), 11);
    ada.send("general", "hello").await;
}

#[tokio::test]
async fn database_of_version_1_keeps_its_users_sessions_and_names() {
    let dir = folder();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    make_version_1(&data);
    let database = rusqlite::Connection::open(data.join("chinwag.db")).unwrap();
    let token_of_ada = "token of Ada";
    let hash = Sha256::digest(token_of_ada);
    database.execute("UPDATE sessions SET token_hash = ?1 WHERE user = 1", [hash.as_slice()]).unwrap();
    // Before names were compared by their looks, this one could be taken beside Bob.
    database
        .execute(
            "INSERT INTO users VALUES (3, 'third', ?1, ?2, 1, 1795701351020)",
            ["B\u{3BF}b", "b\u{3BF}b"],
        )
        .unwrap();
    drop(database);

    let server = Program::start_on(dir, &[]).await;

    let user = pb::User { id: "FW6wu0jQ8PGD4THm".to_owned(), name: "Ada".to_owned() };
    let mut ada = Person::with_token(server.channel(), user.clone(), token_of_ada.to_owned());
    let session = ada.client.get_session(pb::GetSessionRequest {}).await.unwrap().into_inner();
    assert_eq!(session.user.unwrap(), user);
    assert_eq!(ada.log("general").await.len(), 11);
    ada.try_send("general", vec![9; 16], "hello").await.unwrap();
    let log = server.log();
    assert!(log.contains("third") && log.contains("X3LLzBwF7ytZI_to"), "{log}");
    assert!(log.contains("both keep them") && !log.contains("B\u{3BF}b"), "{log}");
    // The names in use are compared by their looks now.
    let join = pb::JoinRequest { name: "B0B".to_owned(), ..Default::default() };
    let taken = ChatServiceClient::new(server.channel()).join(join).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
}

#[tokio::test]
async fn killed_start_is_not_taken_for_an_older_copy() {
    let prepare = |data: &Path| {
        make_version_1(data);
        open_and_close(data);
    };
    kill_starts(KILLED_RESTARTS, prepare, is_complete).await;
}

#[test]
fn hot_journal_of_a_first_start_is_rolled_back() {
    // After a kill while SQLite turns the new file into one with a write-ahead log: one page, and a journal that rolls it
    // back.
    let dir = folder();
    let path = dir.path().join("chinwag.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("CREATE TABLE t (x); DROP TABLE t; VACUUM; PRAGMA cache_size = 1").unwrap();
    database.execute_batch("BEGIN IMMEDIATE; PRAGMA user_version = 0; CREATE TABLE t (x)").unwrap();
    database.execute_batch(&format!("INSERT INTO t VALUES (zeroblob({}))", 64 * 4096)).unwrap();
    let journal = dir.path().join("chinwag.db-journal");
    let hot = std::fs::read(&journal).unwrap();
    assert!(!hot.is_empty());
    drop(database);
    std::fs::write(&journal, hot).unwrap();

    open_and_close(dir.path());
}
