//! What the readers promise to those who wait for them.

use std::sync::{Arc, mpsc};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::super::{DATABASE_FILE, open};
use super::{
    Connection, Duration, OpenError, Purpose, QUEUED_READS_PER_USER, ReadLimits, Readers, Requester,
    StoreError, UserKey, lock,
};

const ADA: Requester = Requester::User(UserKey(1));
const GRACE: Requester = Requester::User(UserKey(2));

/// Readers of an empty chat's database.
fn readers(limits: ReadLimits) -> (Arc<Readers>, TempDir) {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()).unwrap());
    let readers = Readers::open_with(&folder.path().join(DATABASE_FILE), limits).unwrap();
    (Arc::new(readers), folder)
}

/// A query that runs until what is returned is dropped, and says when it has begun.
fn blocking() -> (impl FnOnce(&Connection) -> Result<(), StoreError>, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begin, begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let query = move |_: &Connection| {
        begin.send(()).unwrap();
        // It ends when the sender is dropped.
        released.recv().unwrap_err();
        Ok(())
    };
    (query, begun, release)
}

fn spawn_call(
    readers: &Arc<Readers>,
    query: impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static,
) -> JoinHandle<Result<(), StoreError>> {
    let readers = readers.clone();
    tokio::spawn(async move { readers.read(ADA, Purpose::Call, query).await })
}

async fn has_begun(begun: mpsc::Receiver<()>) {
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
}

/// Reads that end at once, so that what is run is seen by its answer.
fn spawn_count(
    readers: &Arc<Readers>,
    requester: Requester,
    purpose: Purpose,
) -> JoinHandle<Result<i64, StoreError>> {
    let readers = readers.clone();
    tokio::spawn(async move { readers.read(requester, purpose, count).await })
}

fn count(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT count(*) FROM rooms", [], |row| row.get(0))?)
}

async fn until_waiting(readers: &Readers, count: usize) {
    while readers.queue.len() != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_read_whose_future_nobody_polls_holds_nobody_up() {
    let (readers, _folder) = readers(ReadLimits { readers: 1, ..ReadLimits::default() });
    let mut unpolled = Vec::new();
    for _ in 0..QUEUED_READS_PER_USER {
        let mut read = Box::pin(readers.read(ADA, Purpose::Stream, count));
        // Polled once, as a body is until its peer takes no more.
        let _answered = futures_util::poll!(read.as_mut());
        unpolled.push(read);
    }
    assert_eq!(readers.read(GRACE, Purpose::Call, count).await.unwrap(), 0);
}

#[tokio::test]
async fn a_query_without_end_is_interrupted_and_the_reader_goes_on() {
    let timeout = Duration::from_millis(50);
    let (readers, _folder) = readers(ReadLimits { readers: 1, timeout, ..ReadLimits::default() });
    let endless = |connection: &Connection| {
        let sql = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
        Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?)
    };
    let error = readers.read(ADA, Purpose::Call, endless).await.unwrap_err();
    assert!(matches!(error, StoreError::TookTooLong), "{error}");
    assert_eq!(readers.read(ADA, Purpose::Call, count).await.unwrap(), 0);
}

#[tokio::test]
async fn a_query_that_panics_fails_alone() {
    let (readers, _folder) = readers(ReadLimits { readers: 1, ..ReadLimits::default() });
    let panics = |_: &Connection| -> Result<(), StoreError> { panic!("on purpose") };
    let error = readers.read(ADA, Purpose::Call, panics).await.unwrap_err();
    assert!(matches!(error, StoreError::Panicked), "{error}");
    assert_eq!(readers.read(ADA, Purpose::Call, count).await.unwrap(), 0);
}

#[tokio::test]
async fn so_much_may_wait_for_each_and_others_still_get_a_place() {
    let limits = ReadLimits { readers: 1, queued_per_user: 2, ..ReadLimits::default() };
    let (readers, _folder) = readers(limits);
    let (query, begun, release) = blocking();
    let running = spawn_call(&readers, query);
    has_begun(begun).await;
    let mut reads =
        vec![spawn_count(&readers, ADA, Purpose::Call), spawn_count(&readers, ADA, Purpose::Call)];
    until_waiting(&readers, 2).await;

    assert!(matches!(readers.read(ADA, Purpose::Call, count).await, Err(StoreError::Busy)));
    reads.push(spawn_count(&readers, ADA, Purpose::Stream));
    reads.push(spawn_count(&readers, GRACE, Purpose::Call));
    until_waiting(&readers, 4).await;

    drop(release);
    running.await.unwrap().unwrap();
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap(), 0);
    }
}

#[tokio::test]
async fn when_all_places_are_taken_whoever_asks_for_much_makes_room_for_who_asks_for_little() {
    let (readers, _folder) = readers(ReadLimits { readers: 1, queued: 6, ..ReadLimits::default() });
    let (query, begun, release) = blocking();
    let running = spawn_call(&readers, query);
    has_begun(begun).await;
    let mut reads = Vec::new();
    for waiting in 0..6 {
        reads.push(spawn_count(&readers, ADA, Purpose::Call));
        until_waiting(&readers, waiting + 1).await;
    }

    assert!(matches!(readers.read(ADA, Purpose::Call, count).await, Err(StoreError::Busy)));
    let mut others = Vec::new();
    for displaced in [5, 4] {
        others.push(spawn_count(&readers, GRACE, Purpose::Call));
        let newest = reads.pop().unwrap().await.unwrap();
        assert!(matches!(newest, Err(StoreError::Busy)), "the read {displaced} was not displaced");
    }
    drop(release);
    running.await.unwrap().unwrap();
    for read in reads.into_iter().chain(others) {
        assert_eq!(read.await.unwrap().unwrap(), 0);
    }
}

#[tokio::test]
async fn a_read_whose_caller_has_left_is_not_run() {
    let (readers, _folder) = readers(ReadLimits { readers: 1, ..ReadLimits::default() });
    let (query, begun, release) = blocking();
    let running = spawn_call(&readers, query);
    has_begun(begun).await;
    let (left, ran) = mpsc::channel();
    let leaver = {
        let readers = readers.clone();
        tokio::spawn(
            async move { readers.read(GRACE, Purpose::Call, move |_| Ok(left.send(()).is_ok())).await },
        )
    };
    until_waiting(&readers, 1).await;
    leaver.abort();
    assert!(leaver.await.unwrap_err().is_cancelled());
    drop(release);
    running.await.unwrap().unwrap();

    assert_eq!(readers.read(ADA, Purpose::Call, count).await.unwrap(), 0);
    assert!(ran.try_recv().is_err(), "the query was run for nobody");
}

#[tokio::test]
async fn closing_runs_what_waits_and_refuses_what_comes() {
    let (readers, _folder) = readers(ReadLimits { readers: 1, ..ReadLimits::default() });
    let (query, begun, release) = blocking();
    let running = spawn_call(&readers, query);
    has_begun(begun).await;
    let waiting = spawn_count(&readers, GRACE, Purpose::Call);
    until_waiting(&readers, 1).await;
    let closing = {
        let readers = readers.clone();
        tokio::spawn(async move { readers.close().await })
    };
    while !lock(&readers.queue.waiting).closed {
        tokio::task::yield_now().await;
    }
    assert!(matches!(readers.read(ADA, Purpose::Call, count).await, Err(StoreError::Closed)));
    drop(release);
    closing.await.unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), 0);
}

#[test]
fn a_database_that_cannot_be_opened_is_known_at_the_start() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(Readers::open(&folder.path().join("missing")), Err(OpenError::Sqlite(_))));
}

#[tokio::test]
async fn a_caller_does_not_wait_for_ever_for_readers_that_are_held_up() {
    let answer_timeout = Duration::from_millis(50);
    let (readers, _folder) = readers(ReadLimits { readers: 1, answer_timeout, ..ReadLimits::default() });
    let (query, begun, release) = blocking();
    let running = spawn_call(&readers, query);
    has_begun(begun).await;

    assert!(matches!(readers.read(GRACE, Purpose::Call, count).await, Err(StoreError::TookTooLong)));
    assert!(matches!(running.await.unwrap(), Err(StoreError::TookTooLong)));
    drop(release);
    // The reader is free again; how soon is the system's business.
    while readers.read(GRACE, Purpose::Call, count).await.is_err() {}
}
