//! Time: guests who left are removed, and a jump of the system's clock has no effect.

use std::sync::atomic::AtomicI64;

use super::clock::{Clock, Reading};
use super::*;

/// A clock that a test controls.
#[derive(Clone, Default)]
struct TestTime {
    wall_ms: Arc<AtomicI64>,
    monotonic_ms: Arc<AtomicU64>,
}

impl TestTime {
    fn start() -> Self {
        let time = Self::default();
        time.wall_ms.store(now_ms(), Ordering::Relaxed);
        time
    }

    fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::new(move || Reading {
            wall_ms: time.wall_ms.load(Ordering::Relaxed),
            monotonic: Duration::from_millis(time.monotonic_ms.load(Ordering::Relaxed)),
        })
    }

    fn pass(&self, duration: Duration) {
        let ms = duration.as_millis() as u64;
        self.wall_ms.fetch_add(ms as i64, Ordering::Relaxed);
        self.monotonic_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// Names of the users in the database.
fn users(chat: &TestChat) -> Vec<String> {
    let database = rusqlite::Connection::open(chat.folder.path().join(DATABASE_FILE)).unwrap();
    let mut statement = database.prepare("SELECT name FROM users ORDER BY key").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

async fn users_become(chat: &TestChat, expected: &[&str]) {
    let poll = async {
        while users(chat) != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(20), poll).await;
    assert!(done.is_ok(), "{:?} are left, and not {expected:?}", users(chat));
}

async fn join_without_use(chat: &TestChat, name: &str) -> Token {
    chat.join_unused(name).await.unwrap().token
}

#[tokio::test]
async fn unused_session_frees_its_name_after_ten_minutes() {
    let time = TestTime::start();
    let chat = TestChat::open_with(|options| options.clock = time.clock());
    let lost = join_without_use(&chat, "Lost").await;
    chat.join("Used").await;
    time.pass(9 * MINUTE);
    let late = join_without_use(&chat, "Late").await;
    assert!(matches!(chat.join_unused("Lost").await, Err(ChatError::NameInUse)));

    time.pass(MINUTE);

    users_become(&chat, &["Used", "Late"]).await;
    let session = chat.core().session(&TokenHash::of(lost.as_str()), SOMEBODY).await;
    assert!(matches!(session, Err(ChatError::NoSession)));
    chat.join("Lost").await;
    // A session that is used in time stays, even after a restart.
    chat.core().session(&TokenHash::of(late.as_str()), SOMEBODY).await.unwrap();
    time.pass(9 * MINUTE);
    let TestChat { chat, folder } = chat;
    chat.close().await;
    let chat = open_in(folder.path(), |options| options.clock = time.clock());
    let chat = TestChat { chat, folder };
    time.pass(30 * MINUTE);
    join_without_use(&chat, "Last").await;
    users_become(&chat, &["Used", "Late", "Lost", "Last"]).await;
    assert!(chat.core().session(&TokenHash::of(late.as_str()), SOMEBODY).await.is_ok());
}

#[tokio::test]
async fn join_can_be_repeated_for_ten_minutes() {
    let time = TestTime::start();
    let chat = TestChat::open_with(|options| options.clock = time.clock());
    let attempt = JoinAttempt::parse(&[1; 16], &[2; 16]).unwrap();
    let join = || chat.core().join(UserName::parse("Ada").unwrap(), attempt, Device::default());
    let first = join().await.unwrap();
    chat.core().session(&TokenHash::of(first.token.as_str()), SOMEBODY).await.unwrap();
    time.pass(9 * MINUTE);
    assert_eq!(join().await.unwrap().user, first.user);
    time.pass(2 * MINUTE);
    assert!(matches!(join().await, Err(ChatError::NameInUse)));
}

#[tokio::test]
async fn repeated_join_ends_the_sessions_that_nobody_has_used_and_no_others() {
    let chat = TestChat::open();
    let attempt = JoinAttempt::parse(&[1; 16], &[2; 16]).unwrap();
    let join = async || {
        let joined = chat.core().join(UserName::parse("Ada").unwrap(), attempt, Device::default()).await;
        TokenHash::of(joined.unwrap().token.as_str())
    };
    let used = join().await;
    chat.core().session(&used, SOMEBODY).await.unwrap();
    let lost = join().await;
    let last = join().await;

    assert!(matches!(chat.core().session(&lost, SOMEBODY).await, Err(ChatError::NoSession)));
    for kept in [used, last] {
        let session = chat.core().session(&kept, SOMEBODY).await.unwrap();
        assert_eq!(chat.core().sessions(&session.user).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn use_of_a_session_is_recorded_every_ten_minutes() {
    let time = TestTime::start();
    let chat = TestChat::open_with(|options| options.clock = time.clock());
    let ada = chat.join("Ada").await;
    let last_used = async || chat.core().sessions(&ada.user).await.unwrap()[0].last_used_ms;
    let joined_ms = last_used().await;
    time.pass(9 * MINUTE);
    chat.core().record_use(&ada);
    time.pass(MINUTE);
    chat.core().record_use(&ada);
    let recorded = async {
        while last_used().await == joined_ms {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), recorded).await.expect("it is not recorded in time");
    assert_eq!(last_used().await, time.wall_ms.load(Ordering::Relaxed));
}

#[tokio::test]
async fn guests_who_left_are_removed_unless_they_have_written() {
    let time = TestTime::start();
    let chat = TestChat::open_with(|options| options.clock = time.clock());
    let (writer, maker, reader) =
        (chat.join("Writer").await, chat.join("Maker").await, chat.join("Reader").await);
    let general = chat.general();
    chat.core().send(&writer.user, &general, operation(1, 1), text("hello")).await.unwrap();
    let room = RoomName::parse("Mine").unwrap();
    chat.core().create_room(&maker.user, room, operation(1, 2)).await.unwrap();
    chat.core().mark_read(&reader.user, &general, 2).await.unwrap();
    let expiring = chat.join("Expiring").await;
    chat.core().sign_out(&writer).await.unwrap();
    chat.core().sign_out(&maker).await.unwrap();
    chat.core().sign_out(&reader).await.unwrap();
    let last = chat.join("Last").await;
    users_become(&chat, &["Writer", "Maker", "Expiring", "Last"]).await;

    time.pass(SESSION_LIFETIME / 2);
    chat.core().extend_session(&last).await.unwrap();
    time.pass(SESSION_LIFETIME / 2 + MINUTE);

    users_become(&chat, &["Writer", "Maker", "Last"]).await;
    assert!(expiring.is_expired(chat.core().shared.clock.now_ms()));
    let TestChat { chat, folder } = chat;
    chat.close().await;
    assert_eq!(check(folder.path()).unwrap().findings, [""; 0]);
}

#[tokio::test]
async fn unused_guests_are_removed_in_batches() {
    let time = TestTime::start();
    let chat = TestChat::open_with(|options| options.clock = time.clock());
    let names: Vec<_> = (0..600).map(|number| format!("Guest {number}")).collect();
    futures_util::future::join_all(names.iter().map(|name| join_without_use(&chat, name))).await;
    chat.join("Here").await;
    time.pass(11 * MINUTE);
    users_become(&chat, &["Here"]).await;
}

#[tokio::test]
async fn jump_of_the_system_clock_affects_neither_messages_nor_sessions() {
    let time = TestTime::start();
    let chat = TestChat::open_with(|options| options.clock = time.clock());
    let ada = chat.join("Ada").await;
    let jump = 100 * 24 * 3_600 * 1_000;
    let general = chat.general();
    for number in 0..40 {
        time.pass(MINUTE);
        let true_ms = time.wall_ms.load(Ordering::Relaxed);
        if (10..30).contains(&number) {
            time.wall_ms.fetch_add(jump, Ordering::Relaxed);
        }
        let receipt =
            chat.core().send(&ada.user, &general, operation(1, number), text("tick")).await.unwrap();
        assert_eq!(receipt.created_at_ms, true_ms, "minute {number}");
        assert!(chat.core().session(&ada.token, SOMEBODY).await.is_ok());
        time.wall_ms.store(true_ms, Ordering::Relaxed);
    }
}
