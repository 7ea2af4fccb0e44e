//! The reader threads, each with its own connection, and the queue of reads.
//!
//! Knows no query. A future never holds a reader: a read runs to its end on the reader's thread, within a time limit, and
//! the future only waits for the result. So a caller that is no longer polled, because its client takes nothing, blocks
//! nobody.

mod fair_queue;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::os::raw::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use proto::limits::chat::MAX_WAITING_PAGES_PER_USER;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use self::fair_queue::FairQueue;
use super::super::types::UserKey;
use super::{OpenError, StoreError, open_reader};

/// Number of reader threads. A page takes about a millisecond to read, and more threads than cores are no faster.
const READERS: usize = 4;

/// Maximum number of queued reads of all requesters. At the limit, a new read displaces the newest read of the requester
/// with the most reads, which fails with [`StoreError::Busy`]: requesters with many reads do not block those with few.
const QUEUED_READS: usize = 4_096;

/// Maximum number of queued calls of one user, and of their streams. A stream queues at most one read, and a page of the
/// browser a few. Further reads are refused with [`StoreError::Busy`].
const QUEUED_READS_PER_USER: usize = MAX_WAITING_PAGES_PER_USER;

/// Maximum number of queued session look-ups of one network. After a restart everybody behind a proxy returns at once.
/// Further reads are refused with [`StoreError::Busy`].
const QUEUED_READS_PER_NETWORK: usize = 1_024;

/// Time limit of one read. Then it is interrupted with [`StoreError::TookTooLong`].
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait of a caller, the time in the queue included. Then it gets [`StoreError::TookTooLong`]. Reads from a disk
/// that does not respond cannot be interrupted, and block the readers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Number of SQLite's virtual machine steps between two checks of the deadline: some microseconds.
const STEPS_BETWEEN_CHECKS: c_int = 10_000;

/// Minimum interval between two log lines about slow reads.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The deadline while no read runs.
const IDLE: u64 = u64::MAX;

/// The requester of a read. Requesters are served in turn, one read each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::chat) enum Requester {
    /// A user.
    User(UserKey),
    /// A network whose user is not known yet.
    Network(IpAddr),
}

/// The purpose of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Purpose {
    /// A call.
    Call,
    /// A stream that catches up. One reader prefers streams and the others prefer calls, so that neither blocks the
    /// other.
    Stream,
}

/// Limits of the readers.
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

/// A handle to the readers. Dropping it ends the threads.
#[derive(Debug)]
pub(in crate::chat) struct Readers {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Time of the last log line about slow reads.
    last_warning: Mutex<Option<Instant>>,
}

impl Readers {
    /// Opens all connections, so that a lack of file descriptors shows at the start, and starts the threads. Blocks.
    pub(in crate::chat) fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, ReadLimits::default())
    }

    fn open_with(path: &Path, limits: ReadLimits) -> Result<Self, OpenError> {
        let queue = Arc::new(Queue { limits, waiting: Mutex::default(), not_empty: Condvar::new() });
        let readers =
            Self { queue: queue.clone(), threads: Mutex::default(), last_warning: Mutex::default() };
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
            readers.threads.lock().push(thread);
        }
        Ok(readers)
    }

    /// Runs `query` on a reader, in turn with other requesters. A query whose caller has left while it was queued is
    /// skipped.
    pub(in crate::chat) async fn read<T: Send + 'static>(
        &self,
        requester: Requester,
        purpose: Purpose,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = move |reader: &Reader| {
            if !reply.is_closed() {
                // The caller may have left meanwhile.
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
            // The read was displaced.
            Ok(Err(_)) => Err(StoreError::Busy),
        }
    }

    fn warn(&self) {
        let mut last_warning = self.last_warning.lock();
        if last_warning.is_none_or(|last_warning| last_warning.elapsed() >= WARNING_INTERVAL) {
            *last_warning = Some(Instant::now());
            tracing::warn!(queue.len = self.queue.len(), "reads of the chat's database take too long");
        }
    }

    /// Refuses new reads, runs the queued ones, and closes all connections.
    pub(in crate::chat) async fn close(&self) {
        self.queue.close();
        let threads = std::mem::take(&mut *self.threads.lock());
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

/// The queued reads.
#[derive(Debug)]
struct Queue {
    limits: ReadLimits,
    waiting: Mutex<Waiting>,
    not_empty: Condvar,
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
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(StoreError::Closed);
        }
        let own = waiting.queue(purpose).len_of(&requester);
        if own >= allowed {
            return Err(StoreError::Busy);
        }
        let displaced = match waiting.len() {
            all if all < self.limits.queued => None,
            _ => Some(waiting.displace(own + 1).ok_or(StoreError::Busy)?),
        };
        waiting.queue(purpose).push(requester, job);
        drop(waiting);
        // Dropping its reply channel fails it.
        drop(displaced);
        self.not_empty.notify_one();
        Ok(())
    }

    /// The next job for a reader that prefers `first`. Blocks until there is one; `None` after closing.
    fn next(&self, first: Purpose) -> Option<Job> {
        let second = if first == Purpose::Call { Purpose::Stream } else { Purpose::Call };
        let mut waiting = self.waiting.lock();
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
            self.not_empty.wait(&mut waiting);
        }
    }

    fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    fn close(&self) {
        self.waiting.lock().closed = true;
        self.not_empty.notify_all();
    }
}

impl Waiting {
    fn len(&self) -> usize {
        self.calls.len() + self.streams.len()
    }

    /// Removes the newest job of the requester with the most jobs, if they have more than `least`.
    fn displace(&mut self, least: usize) -> Option<Job> {
        let longer = if self.calls.longest_queue() >= self.streams.longest_queue() {
            &mut self.calls
        } else {
            &mut self.streams
        };
        if longer.longest_queue() > least { longer.take_newest_of_longest() } else { None }
    }

    fn queue(&mut self, purpose: Purpose) -> &mut FairQueue<Requester, Job> {
        match purpose {
            Purpose::Call => &mut self.calls,
            Purpose::Stream => &mut self.streams,
        }
    }
}

/// A connection whose reads have a time limit.
#[derive(Debug)]
struct Reader {
    connection: Connection,
    timeout: Duration,
    started: Instant,
    /// Deadline of the running read, milliseconds since `started`; [`IDLE`] if none runs.
    deadline: Arc<AtomicU64>,
}

impl Reader {
    fn open(path: &Path, timeout: Duration) -> Result<Self, OpenError> {
        let mut connection = open_reader(path)?;
        // The first statement opens the write-ahead log, which needs a file descriptor.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let (started, deadline) = (Instant::now(), Arc::new(AtomicU64::new(IDLE)));
        let limit = deadline.clone();
        let is_late = move || millis_since(started) >= limit.load(Ordering::Relaxed);
        connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(is_late))?;
        Ok(Self { connection, timeout, started, deadline })
    }

    /// Runs `query` within the time limit.
    fn run<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let timeout = u64::try_from(self.timeout.as_millis()).unwrap_or(IDLE);
        self.deadline.store(millis_since(self.started).saturating_add(timeout), Ordering::Relaxed);
        // The panic hook has printed the message; the thread goes on.
        let result = catch_unwind(AssertUnwindSafe(|| query(&self.connection)));
        self.deadline.store(IDLE, Ordering::Relaxed);
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
