//! The chat's core on a real database, without gRPC.

mod client;
mod log;
mod nodes;
mod stream;
mod time;

use std::path::Path;

use futures_util::{Stream, StreamExt};
use prost::Message;
use proto::chat::v1::subscribe_response::Frame;
use proto::chat::v1::{self as pb};
use proto::limits::chat::{MAX_MESSAGE_CHARS, MAX_PAGE_EVENTS, MAX_ROOMS};
use tempfile::TempDir;

use super::credentials::JoinAttempt;
use super::device::Device;
use super::directory::Room;
use super::error::ChatError;
use super::operations::Joined;
use super::session::{Session, Token, TokenHash};
use super::store::Requester;
use super::types::{
    ClientCursor, MessageText, OperationId, PageRange, Receipt, RoomId, RoomName, User, UserKey, UserName,
};
use super::*;

/// A requester for reads that no test depends on.
const SOMEBODY: Requester = Requester::User(UserKey(0));

fn nobody() -> User {
    User { key: UserKey(0), id: "nobody".into(), name: "Nobody".into() }
}

/// A chat with its own data folder.
struct TestChat {
    chat: Chat,
    folder: TempDir,
}

impl TestChat {
    fn open() -> Self {
        Self::open_with(|_| {})
    }

    fn open_with(change: impl FnOnce(&mut ChatOptions)) -> Self {
        let folder = TempDir::new().unwrap();
        let chat = open_in(folder.path(), change);
        Self { chat, folder }
    }

    /// Closes the chat and opens it again.
    async fn reopen(self) -> Self {
        let Self { chat, folder } = self;
        chat.close().await;
        let chat = open_in(folder.path(), |_| {});
        Self { chat, folder }
    }

    fn core(&self) -> &Arc<Core> {
        &self.chat.core
    }

    async fn join(&self, name: &str) -> Arc<Session> {
        let Joined { token, .. } = self.join_unused(name).await.unwrap();
        self.core().session(&TokenHash::of(token.as_str()), SOMEBODY).await.unwrap()
    }

    /// Joins without using the session.
    async fn join_unused(&self, name: &str) -> Result<Joined, ChatError> {
        self.core().join(UserName::parse(name).unwrap(), None, Device::default()).await
    }

    fn general(&self) -> Arc<Room> {
        self.core().shared.directory.find(RoomId::GENERAL).unwrap()
    }

    /// All events of a room.
    async fn log(&self, room: &Room) -> Vec<pb::Event> {
        let mut events = Vec::new();
        loop {
            let after = PageRange::After(events.len() as u64);
            let page = self.core().page(&nobody(), room, after, MAX_PAGE_EVENTS).await.unwrap();
            events.extend(page.events);
            if !page.has_later {
                return events;
            }
        }
    }
}

fn open_in(folder: &Path, change: impl FnOnce(&mut ChatOptions)) -> Chat {
    let mut options = ChatOptions { data: folder.to_owned(), ..ChatOptions::default() };
    change(&mut options);
    Chat::open(options).unwrap()
}

fn operation(author: u64, number: u64) -> OperationId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&author.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    OperationId::parse(&bytes).unwrap()
}

fn text(text: impl Into<String>) -> MessageText {
    MessageText::parse(text.into()).unwrap()
}

fn text_of(event: &pb::Event) -> &str {
    match &event.body {
        Some(pb::event::Body::MessagePosted(posted)) => &posted.text,
        _ => "",
    }
}

fn assert_dense(events: &[pb::Event]) {
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.seq, index as u64 + 1);
    }
    for pair in events.windows(2) {
        assert!(pair[0].created_at_ms <= pair[1].created_at_ms, "time went back at {}", pair[1].seq);
    }
}

/// A stream's frames, decoded.
struct Frames<S>(S);

impl<S, E> Frames<S>
where
    S: Stream<Item = Result<proto::EncodedSubscribeResponse, E>> + Unpin,
    E: std::fmt::Debug,
{
    async fn next(&mut self) -> Frame {
        let next = tokio::time::timeout(Duration::from_secs(20), self.0.next());
        let encoded = next.await.expect("no frame came").expect("the stream ended").unwrap();
        pb::SubscribeResponse::decode(encoded.as_bytes().clone()).unwrap().frame.unwrap()
    }

    /// All frames before CaughtUp.
    async fn until_caught_up(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            match self.next().await {
                Frame::CaughtUp(_) => return frames,
                frame => frames.push(frame),
            }
        }
    }
}

#[tokio::test]
async fn general_exists_from_the_first_start_and_survives_a_restart() {
    let chat = TestChat::open();
    let (before, epoch) = (chat.log(&chat.general()).await, chat.general().epoch);
    let chat = chat.reopen().await;

    assert_eq!(chat.log(&chat.general()).await, before);
    assert_eq!(chat.general().epoch, epoch);
    assert_eq!(before.len(), 1);
    assert_eq!(before[0].author, None);
    assert!(matches!(&before[0].body, Some(pb::event::Body::RoomCreated(room)) if room.name == "general"));
}

#[tokio::test]
async fn name_is_free_after_its_session_ended_or_expired() {
    let chat = TestChat::open_with(|options| options.session_lifetime = Duration::from_secs(3600));
    let ada = chat.join("Ada").await;
    assert!(matches!(chat.join_unused("aDA").await, Err(ChatError::NameInUse)));
    chat.core().sign_out(&ada).await.unwrap();
    assert!(matches!(chat.core().session(&ada.token, SOMEBODY).await, Err(ChatError::NoSession)));
    let Joined { user: second, token, .. } = chat.join_unused("Ada").await.unwrap();
    assert_ne!(second.id, ada.user.id);

    // Let the session expire now.
    let database = rusqlite::Connection::open(chat.folder.path().join(DATABASE_FILE)).unwrap();
    database.execute("UPDATE sessions SET expires_at_ms = ?1", [now_ms()]).unwrap();
    assert!(matches!(
        chat.core().session(&TokenHash::of(token.as_str()), SOMEBODY).await,
        Err(ChatError::NoSession)
    ));
    chat.join_unused("Ada").await.unwrap();
    assert!(matches!(chat.join_unused("Ada").await, Err(ChatError::NameInUse)));
}

#[tokio::test]
async fn session_is_extended_in_memory_and_on_disk_and_never_shortened() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let stored = || {
        let database = rusqlite::Connection::open(chat.folder.path().join(DATABASE_FILE)).unwrap();
        database.query_row("SELECT expires_at_ms FROM sessions", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let database = rusqlite::Connection::open(chat.folder.path().join(DATABASE_FILE)).unwrap();
    database.execute("UPDATE sessions SET expires_at_ms = ?1", [now_ms() + 1_000]).unwrap();
    chat.core().extend_session(&ada).await.unwrap();
    let extended = stored();
    assert!(extended > now_ms() + 89 * 24 * 3600 * 1000);
    assert!(!ada.is_expired(extended - 1));
    assert!(ada.is_expired(extended));
}

#[tokio::test]
async fn closing_stores_accepted_writes_and_refuses_new_ones() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let general = chat.general();
    let sends: Vec<_> = (0..100)
        .map(|n| {
            let (core, ada, general) = (chat.core().clone(), ada.clone(), general.clone());
            tokio::spawn(async move {
                core.send(&ada.user, &general, operation(1, n), text(format!("{n}"))).await
            })
        })
        .collect();
    chat.chat.clone().close().await;
    let mut acknowledged = 0;
    for send in sends {
        match send.await.unwrap() {
            Ok(_) => acknowledged += 1,
            Err(error) => assert!(matches!(error, ChatError::ShuttingDown), "{error}"),
        }
    }
    let late = chat.core().send(&ada.user, &general, operation(2, 1), text("late")).await;
    assert!(matches!(late, Err(ChatError::ShuttingDown)));
    assert!(matches!(chat.core().rooms(&ada.user).await, Err(ChatError::ShuttingDown)));
    // A clean close removes the write-ahead log.
    assert!(!chat.folder.path().join("chinwag.db-wal").exists());

    let chat = chat.reopen().await;
    assert_eq!(chat.log(&chat.general()).await.len(), acknowledged + 1);
}

#[test]
fn only_the_adapter_and_the_errors_name_tonic() {
    fn files(folder: &Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chat");
    let naming = files(&folder).into_iter().filter(|file| {
        let source = std::fs::read_to_string(file).unwrap();
        source.contains("use tonic") || source.contains("tonic::") || source.contains("chat_service_server")
    });
    let mut naming: Vec<_> = naming.map(|file| file.strip_prefix(&folder).unwrap().to_owned()).collect();
    naming.sort();
    // This file names it in these lines.
    assert_eq!(naming, ["error.rs", "service.rs", "tests.rs"].map(std::path::PathBuf::from));
}
