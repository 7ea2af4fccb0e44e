//! Fairness, limits and shutdown of the readers.

use std::sync::{Arc, mpsc};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::super::{DATABASE_FILE, open};
use super::{
    Connection, Duration, OpenError, Purpose, QUEUED_READS_PER_USER, ReadLimits, Readers, Requester,
    StoreError, UserKey,
};

const ADA: Requester = Requester::User(UserKey(1));
const GRACE: Requester = Requester::User(UserKey(2));

/// Readers of a new database.
fn readers(limits: ReadLimits) -> (Arc<Readers>, TempDir) {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path(), None).unwrap());
    let readers = Readers::open_with(&folder.path().join(DATABASE_FILE), limits).unwrap();
    (Arc::new(readers), folder)
}

/// A query that reports its start and blocks until the returned sender is dropped.
fn blocking() -> (impl FnOnce(&Connection) -> Result<(), StoreError>, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begin, begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let query = move |_: &Connection| {
        begin.send(()).unwrap();
        // Fails when the sender is dropped.
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

/// A read that ends at once.
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
async fn read_that_is_not_polled_blocks_no_other_read() {
    let (readers, _folder) = readers(ReadLimits { readers: 1, ..ReadLimits::default() });
    let mut unpolled = Vec::new();
    for _ in 0..QUEUED_READS_PER_USER {
        let mut read = Box::pin(readers.read(ADA, Purpose::Stream, count));
        // Polled once, like a body whose client stops reading.
        let _answered = futures_util::poll!(read.as_mut());
        unpolled.push(read);
    }
    assert_eq!(readers.read(GRACE, Purpose::Call, count).await.unwrap(), 0);
}

#[tokio::test]
async fn endless_query_is_interrupted_and_the_reader_goes_on() {
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
async fn panic_of_a_query_fails_only_that_read() {
    let (readers, _folder) = readers(ReadLimits { readers: 1, ..ReadLimits::default() });
    let panics = |_: &Connection| -> Result<(), StoreError> { panic!("on purpose") };
    let error = readers.read(ADA, Purpose::Call, panics).await.unwrap_err();
    assert!(matches!(error, StoreError::Panicked), "{error}");
    assert_eq!(readers.read(ADA, Purpose::Call, count).await.unwrap(), 0);
}

#[tokio::test]
async fn queue_limit_of_a_requester_does_not_affect_others() {
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
async fn full_queue_displaces_reads_of_the_busiest_requester() {
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
async fn read_whose_caller_has_left_is_skipped() {
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
async fn closing_runs_queued_reads_and_refuses_new_ones() {
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
    while !readers.queue.waiting.lock().closed {
        tokio::task::yield_now().await;
    }
    assert!(matches!(readers.read(ADA, Purpose::Call, count).await, Err(StoreError::Closed)));
    drop(release);
    closing.await.unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), 0);
}

#[test]
fn missing_database_is_an_error_at_the_start() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(Readers::open(&folder.path().join("missing")), Err(OpenError::Sqlite(_))));
}

#[tokio::test(start_paused = true)]
async fn caller_times_out_while_readers_are_blocked() {
    let answer_timeout = Duration::from_millis(50);
    let (readers, _folder) = readers(ReadLimits { readers: 1, answer_timeout, ..ReadLimits::default() });
    let (query, begun, release) = blocking();
    let running = spawn_call(&readers, query);
    // Until then no time passes, however long the thread takes to begin.
    has_begun(begun).await;

    assert!(matches!(readers.read(GRACE, Purpose::Call, count).await, Err(StoreError::TookTooLong)));
    assert!(matches!(running.await.unwrap(), Err(StoreError::TookTooLong)));
    drop(release);
    tokio::time::resume();
    // The reader becomes free again at some time.
    while readers.read(GRACE, Purpose::Call, count).await.is_err() {}
}
