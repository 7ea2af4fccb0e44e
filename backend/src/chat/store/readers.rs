//! The threads that read the database, each on a connection of its own, and what waits for them.
//!
//! Knows no query. Nothing of a reader is ever held by a future: a read runs to its end on the reader's
//! thread, within a time limit, and the caller waits for the answer alone. A caller whose body is no longer
//! polled, because its peer takes nothing, holds up nobody.

mod fair_queue;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::os::raw::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use self::fair_queue::FairQueue;
use super::super::types::UserKey;
use super::{OpenError, StoreError, open_reader};

/// How many reads run at the same time. A page is read in about a millisecond, and more threads than cores
/// make none of them faster.
const READERS: usize = 4;

/// How many reads may wait, of all callers together. When there are as many, one more takes the place of the
/// newest read of the requester who has most waiting, which is refused with [`StoreError::Busy`]: many guests who ask
/// for much do not keep those out who ask for little.
const QUEUED_READS: usize = 4_096;

/// How many calls of one user may wait, and how many of their streams: a stream waits for one read at most,
/// and a page asks for a few at once. Above it a read is refused with [`StoreError::Busy`].
const QUEUED_READS_PER_USER: usize = 32;

/// How many reads may wait for one network: those that look for a session. After a restart everybody behind
/// a proxy comes back at once. Above it a read is refused with [`StoreError::Busy`].
const QUEUED_READS_PER_NETWORK: usize = 1_024;

/// How long one read may run; then it is interrupted with [`StoreError::TookTooLong`].
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a caller waits for an answer, the time in the queue included; then it is told
/// [`StoreError::TookTooLong`]. A disk that does not answer cannot be interrupted, and holds the readers up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How many steps of SQLite's machine are run between two looks at the clock: some microseconds.
const STEPS_BETWEEN_LOOKS: c_int = 10_000;

/// How often it is logged at most that reads take too long.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// No read runs, so none is late.
const IDLE: u64 = u64::MAX;

/// Whom a read is for. Requesters are served in turn, one read each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::chat) enum Requester {
    /// A user.
    User(UserKey),
    /// A network, as long as its user is not known.
    Network(IpAddr),
}

/// What a read is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Purpose {
    /// A call that somebody waits for.
    Call,
    /// A stream that catches up. All readers but one take calls first, and that one takes streams first, so
    /// that neither keeps the other waiting.
    Stream,
}

/// How much is read and may wait.
#[derive(Clone, Copy, Debug)]
struct ReadLimits {
    /// See [`READERS`].
    readers: usize,
    /// See [`QUEUED_READS`].
    queued: usize,
    /// See [`QUEUED_READS_PER_USER`].
    queued_per_user: usize,
    /// See [`QUEUED_READS_PER_NETWORK`].
    queued_per_network: usize,
    /// See [`READ_TIMEOUT`].
    timeout: Duration,
    /// See [`ANSWER_TIMEOUT`].
    answer_timeout: Duration,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            readers: READERS,
            queued: QUEUED_READS,
            queued_per_user: QUEUED_READS_PER_USER,
            queued_per_network: QUEUED_READS_PER_NETWORK,
            timeout: READ_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
        }
    }
}

/// The way to the readers. Dropping it lets the threads end.
#[derive(Debug)]
pub(in crate::chat) struct Readers {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// When it was last logged that reads take too long.
    warned: Mutex<Option<Instant>>,
}

impl Readers {
    /// Opens all connections, so that a lack of file descriptors shows at the start, and starts the threads.
    /// Blocks.
    pub(in crate::chat) fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, ReadLimits::default())
    }

    fn open_with(path: &Path, limits: ReadLimits) -> Result<Self, OpenError> {
        let queue = Arc::new(Queue { limits, waiting: Mutex::default(), bell: Condvar::new() });
        let readers = Self { queue: queue.clone(), threads: Mutex::default(), warned: Mutex::default() };
        for number in 0..limits.readers {
            let reader = Reader::open(path, limits.timeout)?;
            let first = if number == 0 { Purpose::Stream } else { Purpose::Call };
            let queue = queue.clone();
            let thread = thread::Builder::new()
                .name(format!("chat-reader-{number}"))
                .spawn(move || {
                    while let Some(job) = queue.next(first) {
                        job(&reader);
                    }
                })
                .map_err(OpenError::Thread)?;
            lock(&readers.threads).push(thread);
        }
        Ok(readers)
    }

    /// Has a reader run `query`, in turn with other requesters. The query is not run when its caller has left
    /// before that.
    pub(in crate::chat) async fn read<T: Send + 'static>(
        &self,
        requester: Requester,
        purpose: Purpose,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = move |reader: &Reader| {
            if !reply.is_closed() {
                // That the caller has left meanwhile is no concern of the reader's.
                reply.send(reader.run(query)).ok();
            }
        };
        self.queue.push(requester, purpose, Box::new(job))?;
        match tokio::time::timeout(self.queue.limits.answer_timeout, answer).await {
            Ok(Ok(Err(StoreError::TookTooLong))) | Err(_) => {
                self.warn();
                Err(StoreError::TookTooLong)
            }
            Ok(Ok(answer)) => answer,
            // Another read took its place.
            Ok(Err(_)) => Err(StoreError::Busy),
        }
    }

    fn warn(&self) {
        let mut warned = lock(&self.warned);
        if warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL) {
            *warned = Some(Instant::now());
            tracing::warn!(queue.len = self.queue.len(), "reads of the chat's database take too long");
        }
    }

    /// Refuses new reads, runs those that wait already, and closes all connections.
    pub(in crate::chat) async fn close(&self) {
        self.queue.close();
        let threads = std::mem::take(&mut *lock(&self.threads));
        let join = move || threads.into_iter().filter_map(|thread| thread.join().err()).count();
        if let Ok(panicked @ 1..) = tokio::task::spawn_blocking(join).await {
            tracing::error!(panicked, "readers of the chat ended by a panic");
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.close();
    }
}

type Job = Box<dyn FnOnce(&Reader) + Send>;

/// What waits for the readers.
#[derive(Debug)]
struct Queue {
    limits: ReadLimits,
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    calls: FairQueue<Requester, Job>,
    streams: FairQueue<Requester, Job>,
    closed: bool,
}

impl Queue {
    fn push(&self, requester: Requester, purpose: Purpose, job: Job) -> Result<(), StoreError> {
        let allowed = match requester {
            Requester::User(_) => self.limits.queued_per_user,
            Requester::Network(_) => self.limits.queued_per_network,
        };
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            return Err(StoreError::Closed);
        }
        let own = waiting.queue(purpose).waiting_for(&requester);
        if own >= allowed {
            return Err(StoreError::Busy);
        }
        let displaced = match waiting.len() {
            all if all < self.limits.queued => None,
            _ => Some(waiting.displace(own + 1).ok_or(StoreError::Busy)?),
        };
        waiting.queue(purpose).push(requester, job);
        drop(waiting);
        // Its caller is told by that.
        drop(displaced);
        self.bell.notify_one();
        Ok(())
    }

    /// The next job for a reader that prefers `first`; nothing when there is none left and none will come.
    fn next(&self, first: Purpose) -> Option<Job> {
        let second = if first == Purpose::Call { Purpose::Stream } else { Purpose::Call };
        let mut waiting = lock(&self.waiting);
        loop {
            if let Some(job) = waiting.queue(first).next() {
                return Some(job);
            }
            if let Some(job) = waiting.queue(second).next() {
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn len(&self) -> usize {
        lock(&self.waiting).len()
    }

    fn close(&self) {
        lock(&self.waiting).closed = true;
        self.bell.notify_all();
    }
}

impl Waiting {
    fn len(&self) -> usize {
        self.calls.len() + self.streams.len()
    }

    /// Takes out the newest job of the requester who has most waiting, if they have more than `least`.
    fn displace(&mut self, least: usize) -> Option<Job> {
        let longer =
            if self.calls.longest() >= self.streams.longest() { &mut self.calls } else { &mut self.streams };
        if longer.longest() > least { longer.take_newest_of_longest() } else { None }
    }

    fn queue(&mut self, purpose: Purpose) -> &mut FairQueue<Requester, Job> {
        match purpose {
            Purpose::Call => &mut self.calls,
            Purpose::Stream => &mut self.streams,
        }
    }
}

/// A connection whose reads end in time.
#[derive(Debug)]
struct Reader {
    connection: Connection,
    timeout: Duration,
    started: Instant,
    /// When the read that runs has to end, in milliseconds since `started`; [`IDLE`] when none runs.
    ends: Arc<AtomicU64>,
}

impl Reader {
    fn open(path: &Path, timeout: Duration) -> Result<Self, OpenError> {
        let mut connection = open_reader(path)?;
        // The first statement opens the write-ahead log, which takes a file descriptor too.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let (started, ends) = (Instant::now(), Arc::new(AtomicU64::new(IDLE)));
        let end = ends.clone();
        let is_late = move || millis_since(started) >= end.load(Ordering::Relaxed);
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_late))?;
        Ok(Self { connection, timeout, started, ends })
    }

    /// Runs `query` within the time limit.
    fn run<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let timeout = u64::try_from(self.timeout.as_millis()).unwrap_or(IDLE);
        self.ends.store(millis_since(self.started).saturating_add(timeout), Ordering::Relaxed);
        // The panic hook has written the message; the thread is needed by others.
        let result = catch_unwind(AssertUnwindSafe(|| query(&self.connection)));
        self.ends.store(IDLE, Ordering::Relaxed);
        match result {
            Ok(Err(StoreError::Sqlite(error)))
                if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) =>
            {
                Err(StoreError::TookTooLong)
            }
            Ok(result) => result,
            Err(_panic) => Err(StoreError::Panicked),
        }
    }
}

fn millis_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(IDLE)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
