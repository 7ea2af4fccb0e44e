//! The one that writes: a thread that takes what waits, makes it one transaction, and tells of it in the
//! order of the commits.
//!
//! Nothing is published or acknowledged before it is on disk.

mod group;
mod inputs;

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use self::group::Group;
pub(super) use self::inputs::{CreateRoom, EndSession, Join, MarkRead, Prolong, SendMessage};
use super::Shared;
use super::error::ChatError;
use super::store::{FolderLock, OpenError, StoreError, WriteStore};

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

            fn fail(self, error: StoreError) {
                match self {
                    $(Self::$name(job) => job.fail(error),)*
                    Self::Close => {}
                }
            }
        }
    };
}
commands!(Join, Prolong, EndSession, CreateRoom, SendMessage, MarkRead);

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

    fn fail(self, error: StoreError) {
        self.reply.send(Err(ChatError::Store(error))).ok();
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
    /// Starts the thread. It keeps `lock` until the database is closed.
    pub(super) fn start(
        store: WriteStore,
        lock: FolderLock,
        shared: Arc<Shared>,
    ) -> Result<(Self, WriterThread), OpenError> {
        let mut group = Group::open(store, shared)?;
        let (commands, mut waiting) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("chat-writer".to_owned())
            .spawn(move || {
                run(&mut group, &mut waiting);
                // Whoever still waits is told that the server shuts down.
                drop(waiting);
                group.close();
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

fn run(group: &mut Group, waiting: &mut mpsc::Receiver<Command>) {
    let mut commands = Vec::with_capacity(GROUP);
    loop {
        // Everything that has come while the last transaction was written goes into the next one.
        if waiting.blocking_recv_many(&mut commands, GROUP) == 0 {
            return;
        }
        let closing = commands.iter().any(|command| matches!(command, Command::Close));
        write(group, &mut commands);
        if closing {
            return;
        }
    }
}

/// Writes the commands as one transaction. When that fails, each is tried by itself, so that one that cannot be
/// written does not take the others with it.
fn write(group: &mut Group, commands: &mut Vec<Command>) {
    match group.write(commands) {
        Ok(()) => commands.drain(..).for_each(Command::answer),
        Err(error) => {
            tracing::warn!(%error, commands = commands.len(), "a group of writes failed: trying each alone");
            for command in commands.drain(..) {
                let mut alone = [command];
                let written = group.write(&mut alone);
                let [command] = alone;
                match written {
                    Ok(()) => command.answer(),
                    Err(error) => command.fail(error),
                }
            }
        }
    }
}
