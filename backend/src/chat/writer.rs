//! The writer: one thread that evaluates everything that waits into changes, commits them as one transaction (group commit), and
//! publishes them in the order of the commits.
//!
//! Nothing is published or acknowledged before it is durable: on this server's disk, or in the log that several servers share. With
//! a log, the thread also applies the entries of the other servers.

mod commit;
mod effects;
mod group;
mod maintenance;
mod mutations;
mod order;
mod replica;
mod session_mutations;
mod undo;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use self::commit::Wake;
use self::group::Group;
use self::maintenance::Maintenance;
pub(super) use self::mutations::{ConfirmEnd, CreateRoom, MarkRead, SendMessage};
pub(super) use self::session_mutations::{
    EndSession, ExtendSession, Join, MarkUsed, Recover, SetRecoveryCode, StartSession,
};
use super::Shared;
use super::error::ChatError;
use super::health::Fault;
use super::log::{Log, Record};
use super::store::{OpenError, Opened, StoreError};
use crate::error_chain::ErrorChain;

/// Maximum number of queued commands. Further ones are refused with [`ChatError::TooManyWrites`]. Nobody waits for a place
/// in the queue, so that a caller who is no longer polled cannot hold one.
const QUEUE: usize = 4_096;

/// Maximum number of commands per transaction: bounds the time that the first of them waits for the last.
const GROUP: usize = 1_024;

/// Longest wait of a caller for a write, when the log does not answer. The write goes on: a repeat with the same operation id gets
/// its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same once the log has been silent for some seconds: a page that is loaded then should not wait for long.
const PATIENCE_IN_SILENCE: Duration = Duration::from_secs(1);

/// A queued mutation with its result and its caller.
#[derive(Debug)]
pub(super) struct Job<I: Mutation> {
    mutation: I,
    result: Option<Result<I::Output, ChatError>>,
    reply: oneshot::Sender<Result<I::Output, ChatError>>,
}

/// A command that is evaluated against the database.
pub(super) trait Mutation: Sized {
    /// The caller's result.
    type Output;

    /// Makes the changes that it takes, in the group's transaction. [`ChatError::Store`] rolls the whole transaction back; any
    /// other error is the caller's result, and the group goes on.
    fn evaluate(&self, group: &mut Group) -> Result<Self::Output, ChatError>;
}

/// The commands of the writer.
#[derive(Debug)]
pub(super) enum Command {
    Join(Job<Join>),
    Recover(Job<Recover>),
    SetRecoveryCode(Job<SetRecoveryCode>),
    ExtendSession(Job<ExtendSession>),
    MarkUsed(Job<MarkUsed>),
    EndSession(Job<EndSession>),
    CreateRoom(Job<CreateRoom>),
    SendMessage(Job<SendMessage>),
    MarkRead(Job<MarkRead>),
    ConfirmEnd(Job<ConfirmEnd>),
    /// Commit everything before, then stop.
    Close,
}

macro_rules! commands {
    ($($name:ident),*) => {
        $(impl From<Job<$name>> for Command {
            fn from(job: Job<$name>) -> Self {
                Self::$name(job)
            }
        })*

        impl Command {
            fn evaluate(&mut self, group: &mut Group) -> Result<(), StoreError> {
                match self {
                    $(Self::$name(job) => job.evaluate(group),)*
                    Self::Close => Ok(()),
                }
            }

            fn answer(self) {
                match self {
                    $(Self::$name(job) => job.answer(),)*
                    Self::Close => {}
                }
            }

            fn fail(self, error: ChatError) {
                match self {
                    $(Self::$name(job) => job.fail(error),)*
                    Self::Close => {}
                }
            }
        }
    };
}
commands!(
    Join,
    Recover,
    SetRecoveryCode,
    ExtendSession,
    MarkUsed,
    EndSession,
    CreateRoom,
    SendMessage,
    MarkRead,
    ConfirmEnd
);

impl<I: Mutation> Job<I> {
    fn evaluate(&mut self, group: &mut Group) -> Result<(), StoreError> {
        match self.mutation.evaluate(group) {
            Err(ChatError::Store(error)) => Err(error),
            result => {
                self.result = Some(result);
                Ok(())
            }
        }
    }

    fn answer(self) {
        // Without a result the reply is dropped, which the caller takes for a failure. A caller that has left does not
        // matter: the write stays.
        if let Some(result) = self.result {
            self.reply.send(result).ok();
        }
    }

    fn fail(self, error: ChatError) {
        self.reply.send(Err(error)).ok();
    }
}

/// A handle to the writer.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

/// A writer that has started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) writer: Writer,
    pub(super) thread: WriterThread,
    /// The database's id.
    pub(super) database_id: String,
}

/// The writer's thread.
#[derive(Debug)]
pub(super) struct WriterThread(JoinHandle<()>);

impl Writer {
    /// Starts the thread, which holds the folder's lock until the database is closed, and waits until the database has everything
    /// that `log` has. Sessions that were not used within `unused_lifetime` after `Join` are removed. Blocks.
    pub(super) fn start(
        opened: Opened,
        shared: Arc<Shared>,
        log: Option<Arc<dyn Log>>,
        unused_lifetime: Duration,
    ) -> Result<Started, OpenError> {
        let Opened { store, path, lock, head, .. } = opened;
        let (commands, mut waiting) = mpsc::channel(QUEUE);
        let writer = Self { commands, shared: shared.clone() };
        let (begun, begin) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("chat-writer".to_owned())
            .spawn(move || {
                let mut maintenance = Maintenance::new(head, unused_lifetime);
                let opened = Group::open(store, path, shared, log)
                    .and_then(|group| Ok((group.store.database_id()?, group)));
                let mut group = match opened {
                    Ok((database_id, group)) => {
                        begun.send(Ok(database_id)).ok();
                        group
                    }
                    Err(error) => {
                        // The folder may be opened again at once.
                        drop(lock);
                        begun.send(Err(error)).ok();
                        return;
                    }
                };
                run(&mut group, &mut maintenance, &mut waiting);
                // Callers that still wait get ShuttingDown.
                drop(waiting);
                maintenance.close(group);
                drop(lock);
            })
            .map_err(OpenError::Thread)?;
        // It sends one of the two, unless it panics.
        let ended = || OpenError::Thread(io::Error::other("the writer's thread has ended"));
        let database_id = begin.recv().unwrap_or_else(|_| Err(ended()))?;
        Ok(Started { writer, thread: WriterThread(thread), database_id })
    }

    /// Commands that wait.
    pub(super) fn queued(&self) -> usize {
        self.commands.max_capacity() - self.commands.capacity()
    }

    /// Queues `mutation` and waits until it is on disk.
    pub(super) async fn write<I>(&self, mutation: I) -> Result<I::Output, ChatError>
    where
        I: Mutation,
        Command: From<Job<I>>,
    {
        let (reply, answer) = oneshot::channel();
        let job = Job { mutation, result: None, reply };
        self.commands.try_send(job.into()).map_err(|error| match error {
            TrySendError::Full(_) => ChatError::TooManyWrites,
            TrySendError::Closed(_) => ChatError::ShuttingDown,
        })?;
        let answered = match self.patience() {
            None => answer.await,
            Some(patience) => timeout(patience, answer).await.map_err(|_| ChatError::LogUnavailable)?,
        };
        answered.map_err(|_| ChatError::ShuttingDown)?
    }

    /// `None` without a log.
    fn patience(&self) -> Option<Duration> {
        let current = &self.shared.current;
        let patience = if current.is_silent() { PATIENCE_IN_SILENCE } else { PATIENCE };
        current.is_shared().then_some(patience)
    }

    /// Tells the thread to stop after the queued commands.
    pub(super) async fn close(&self) {
        // Without a receiver it has stopped already.
        self.commands.send(Command::Close).await.ok();
    }
}

impl WriterThread {
    /// Waits for the end of the thread; blocks.
    pub(super) fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the chat's writer ended by a panic");
        }
    }
}

/// Commits commands, and follows the log, until it is told to stop.
fn run(group: &mut Group, maintenance: &mut Maintenance, waiting: &mut mpsc::Receiver<Command>) {
    let mut commands = Vec::with_capacity(GROUP);
    loop {
        // Everything that was queued during the last transaction goes into the next one.
        let follows = maintenance.refusal(group).is_none();
        match group.wait(waiting, &mut commands, maintenance::INTERVAL, follows) {
            Wake::Due => {}
            Wake::Entry(record) => follow(group, maintenance, &record),
            Wake::Lost(error) => report(group, maintenance, &error),
            Wake::Closed => return,
        }
        if write(group, maintenance, &mut commands, waiting) {
            return;
        }
        maintenance.run_if_due(group);
    }
}

/// Applies the entry of another node.
fn follow(group: &mut Group, maintenance: &mut Maintenance, record: &Record) {
    match group.apply_entry(record) {
        Ok(()) => maintenance.write_succeeded(group),
        Err(error) => report(group, maintenance, &error),
    }
}

fn report(group: &Group, maintenance: &mut Maintenance, error: &StoreError) {
    if let Some(fault) = error.fault() {
        maintenance.write_failed(group, fault, error);
    }
}

/// Commits the commands as one transaction, or as few as possible. If one of them makes it fail, each is retried alone, so that it
/// does not take the others with it. Takes those of `waiting` that come meanwhile, too. Returns whether it was told to stop.
fn write(
    group: &mut Group,
    maintenance: &mut Maintenance,
    commands: &mut Vec<Command>,
    waiting: &mut mpsc::Receiver<Command>,
) -> bool {
    let (mut closing, mut more) = (false, Some(waiting));
    while !commands.is_empty() {
        // Once, so that this ends.
        let tried = try_write(group, maintenance, commands, more.take());
        closing |= commands.iter().any(|command| matches!(command, Command::Close));
        answer_some(group, maintenance, commands, tried);
    }
    closing
}

fn answer_some(
    group: &mut Group,
    maintenance: &mut Maintenance,
    commands: &mut Vec<Command>,
    tried: Result<usize, Failure>,
) {
    match tried {
        Ok(taken) => commands.drain(..taken).for_each(Command::answer),
        // Retrying each alone would fail as often as there are commands, and keep the disk busy.
        Err(Failure::Fault(fault)) => {
            commands.drain(..).for_each(|command| command.fail(ChatError::CannotStore(fault)));
        }
        Err(Failure::Statement(error)) => {
            let error = ErrorChain(&error);
            tracing::warn!(%error, commands = commands.len(), "a group of writes failed: retrying each alone");
            for command in commands.drain(..) {
                let mut alone = vec![command];
                let written = try_write(group, maintenance, &mut alone, None);
                let Some(command) = alone.pop() else { continue };
                match written {
                    Ok(_) => command.answer(),
                    Err(Failure::Fault(fault)) => command.fail(ChatError::CannotStore(fault)),
                    Err(Failure::Statement(error)) => command.fail(ChatError::Store(error)),
                }
            }
        }
    }
}

/// Why a transaction failed.
enum Failure {
    /// Nothing can be stored.
    Fault(Fault),
    /// One of its statements failed.
    Statement(StoreError),
}

fn try_write(
    group: &mut Group,
    maintenance: &mut Maintenance,
    commands: &mut Vec<Command>,
    more: Option<&mut mpsc::Receiver<Command>>,
) -> Result<usize, Failure> {
    if let Some(fault) = maintenance.refusal(group) {
        return Err(Failure::Fault(fault));
    }
    match group.write(commands, more) {
        Ok(taken) => {
            maintenance.write_succeeded(group);
            Ok(taken)
        }
        Err(error) => match error.fault() {
            Some(fault) => {
                maintenance.write_failed(group, fault, &error);
                Err(Failure::Fault(fault))
            }
            None => Err(Failure::Statement(error)),
        },
    }
}
