//! The one that writes: a thread that takes what waits, makes it one transaction, and tells of it in the
//! order of the commits.
//!
//! Nothing is published or acknowledged before it is on disk.

mod group;
mod inputs;
mod upkeep;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use self::group::Group;
pub(super) use self::inputs::{CreateRoom, EndSession, Join, MarkRead, MarkUsed, Prolong, SendMessage};
use self::upkeep::Upkeep;
use super::Shared;
use super::error::ChatError;
use super::health::Fault;
use super::store::{OpenError, Opened, StoreError};

/// How many commands may wait for the writer. One more is refused with [`ChatError::TooManyWrites`]: nobody
/// waits for a place, so no place is ever held for a caller who has stopped asking.
const QUEUE: usize = 4_096;

/// The most commands in one transaction: a bound on how long the first of them waits for the last.
const GROUP: usize = 1_024;

/// One thing to be written: what it is, what came of it, and who waits for that.
#[derive(Debug)]
pub(super) struct Job<I: Input> {
    input: I,
    result: Option<Result<I::Output, ChatError>>,
    reply: oneshot::Sender<Result<I::Output, ChatError>>,
}

/// What can be written, and how.
pub(super) trait Input: Sized {
    /// What the caller gets back.
    type Output;

    /// Writes it as part of the group's transaction. [`ChatError::Store`] makes the writer undo the whole
    /// transaction; any other error means that nothing was written for this input.
    fn apply(&self, group: &mut Group) -> Result<Self::Output, ChatError>;
}

/// Everything that can be asked of the writer.
#[derive(Debug)]
pub(super) enum Command {
    Join(Job<Join>),
    Prolong(Job<Prolong>),
    MarkUsed(Job<MarkUsed>),
    EndSession(Job<EndSession>),
    CreateRoom(Job<CreateRoom>),
    SendMessage(Job<SendMessage>),
    MarkRead(Job<MarkRead>),
    /// Write what came before, then stop.
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
            fn apply(&mut self, group: &mut Group) -> Result<(), StoreError> {
                match self {
                    $(Self::$name(job) => job.apply(group),)*
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
commands!(Join, Prolong, MarkUsed, EndSession, CreateRoom, SendMessage, MarkRead);

impl<I: Input> Job<I> {
    fn apply(&mut self, group: &mut Group) -> Result<(), StoreError> {
        match self.input.apply(group) {
            Err(ChatError::Store(error)) => Err(error),
            result => {
                self.result = Some(result);
                Ok(())
            }
        }
    }

    fn answer(self) {
        // Without a result the reply is dropped, which the caller takes for a failure. That the caller has
        // left is no concern of the writer's: what was written stays written.
        if let Some(result) = self.result {
            self.reply.send(result).ok();
        }
    }

    fn fail(self, error: ChatError) {
        self.reply.send(Err(error)).ok();
    }
}

/// The way to the writer.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
}

/// The writer's thread, to be waited for.
#[derive(Debug)]
pub(super) struct WriterThread(JoinHandle<()>);

impl Writer {
    /// Starts the thread. It keeps the folder's lock until the database is closed. Sessions that nobody has used for
    /// `unused_lifetime` are removed.
    pub(super) fn start(
        opened: Opened,
        shared: Arc<Shared>,
        unused_lifetime: Duration,
    ) -> Result<(Self, WriterThread), OpenError> {
        let Opened { store, path, lock, head, .. } = opened;
        let mut group = Group::open(store, path, shared)?;
        let mut upkeep = Upkeep::new(head, unused_lifetime);
        let timer =
            runtime::Builder::new_current_thread().enable_time().build().map_err(OpenError::Thread)?;
        let (commands, mut waiting) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("chat-writer".to_owned())
            .spawn(move || {
                run(&mut group, &mut upkeep, &mut waiting, &timer);
                // Whoever still waits is told that the server shuts down.
                drop(waiting);
                upkeep.close(group);
                drop(lock);
            })
            .map_err(OpenError::Thread)?;
        Ok((Self { commands }, WriterThread(thread)))
    }

    /// Has `input` written and waits until it is on disk.
    pub(super) async fn write<I>(&self, input: I) -> Result<I::Output, ChatError>
    where
        I: Input,
        Command: From<Job<I>>,
    {
        let (reply, answer) = oneshot::channel();
        let job = Job { input, result: None, reply };
        self.commands.try_send(job.into()).map_err(|error| match error {
            TrySendError::Full(_) => ChatError::TooManyWrites,
            TrySendError::Closed(_) => ChatError::ShuttingDown,
        })?;
        answer.await.map_err(|_| ChatError::ShuttingDown)?
    }

    /// Tells the thread to stop when everything before is written.
    pub(super) async fn close(&self) {
        // It has stopped already when nobody listens.
        self.commands.send(Command::Close).await.ok();
    }
}

impl WriterThread {
    /// Waits for the thread's end; blocks.
    pub(super) fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the chat's writer ended by a panic");
        }
    }
}

/// Writes until it is told to stop. `timer` wakes it when nothing comes.
fn run(
    group: &mut Group,
    upkeep: &mut Upkeep,
    waiting: &mut mpsc::Receiver<Command>,
    timer: &runtime::Runtime,
) {
    let mut commands = Vec::with_capacity(GROUP);
    loop {
        // Everything that has come while the last transaction was written goes into the next one.
        let received = timer
            .block_on(async { timeout(upkeep::INTERVAL, waiting.recv_many(&mut commands, GROUP)).await });
        if received == Ok(0) {
            return;
        }
        let closing = commands.iter().any(|command| matches!(command, Command::Close));
        write(group, upkeep, &mut commands);
        if closing {
            return;
        }
        upkeep.run_if_due(group);
    }
}

/// Writes the commands as one transaction. When that fails because of one of them, each is tried by itself, so that
/// one that cannot be written does not take the others with it.
fn write(group: &mut Group, upkeep: &mut Upkeep, commands: &mut Vec<Command>) {
    if commands.is_empty() {
        return;
    }
    match try_write(group, upkeep, commands) {
        Ok(()) => commands.drain(..).for_each(Command::answer),
        // Trying each alone would fail as often as there are commands, and keep the disk busy.
        Err(Failure::Fault(fault)) => {
            commands.drain(..).for_each(|command| command.fail(ChatError::CannotStore(fault)));
        }
        Err(Failure::Statement(error)) => {
            tracing::warn!(%error, commands = commands.len(), "a group of writes failed: trying each alone");
            for command in commands.drain(..) {
                let mut alone = [command];
                let written = try_write(group, upkeep, &mut alone);
                let [command] = alone;
                match written {
                    Ok(()) => command.answer(),
                    Err(Failure::Fault(fault)) => command.fail(ChatError::CannotStore(fault)),
                    Err(Failure::Statement(error)) => command.fail(ChatError::Store(error)),
                }
            }
        }
    }
}

/// Why a transaction was not written.
enum Failure {
    /// Nothing can be written.
    Fault(Fault),
    /// Something in it cannot be written.
    Statement(StoreError),
}

fn try_write(group: &mut Group, upkeep: &mut Upkeep, commands: &mut [Command]) -> Result<(), Failure> {
    if let Some(fault) = upkeep.refusal(group) {
        return Err(Failure::Fault(fault));
    }
    match group.write(commands) {
        Ok(()) => {
            upkeep.stored(group);
            Ok(())
        }
        Err(error) => match error.fault() {
            Some(fault) => {
                upkeep.failed(group, fault, &error);
                Err(Failure::Fault(fault))
            }
            None => Err(Failure::Statement(error)),
        },
    }
}
