//! Properties of the log under concurrent writers: dense, unique, ordered, idempotent.

use std::collections::HashMap;
use std::task::Poll;

use proptest::collection::vec;
use proptest::prelude::*;

use super::types::InvalidField;
use super::*;

/// One action of a sender.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Sends a new message to a room.
    Send { room: usize },
    /// Sends an earlier message again.
    Repeat { earlier: usize },
    /// Marks a part of a room as read.
    Read { room: usize, part: f64 },
    /// Yields to others.
    Pause,
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..3_usize).prop_map(|room| Act::Send { room }),
        2 => any::<usize>().prop_map(|earlier| Act::Repeat { earlier }),
        2 => (0..3_usize, 0.0..=1.0).prop_map(|(room, part)| Act::Read { room, part }),
        1 => Just(Act::Pause),
    ]
}

/// A sender's acknowledged messages in order, and read markers.
pub(super) struct Account {
    session: Arc<Session>,
    sent: Vec<(usize, String, Receipt)>,
    read: [u64; 3],
}

pub(super) async fn carry_out(
    core: Arc<Core>,
    session: Arc<Session>,
    rooms: Vec<Arc<Room>>,
    acts: Vec<Act>,
) -> Account {
    let mut account = Account { session: session.clone(), sent: Vec::new(), read: [0; 3] };
    // New users start at the heads.
    for (read, view) in account.read.iter_mut().zip(core.rooms(&session.user).await.unwrap()) {
        *read = view.read;
        assert!(view.read >= 1);
    }
    for (number, act) in acts.into_iter().enumerate() {
        match act {
            Act::Send { room } => {
                let words = format!("{} {number}", session.user.name);
                let id = operation(session.user.key.0 as u64, number as u64);
                let receipt = core.send(&session.user, &rooms[room], id, text(&words)).await.unwrap();
                assert!(!receipt.duplicate);
                account.sent.push((room, words, receipt));
            }
            Act::Repeat { .. } if account.sent.is_empty() => {}
            Act::Repeat { earlier } => {
                let (room, words, first) = &account.sent[earlier % account.sent.len()];
                let number: u64 = words.rsplit(' ').next().unwrap().parse().unwrap();
                let id = operation(session.user.key.0 as u64, number);
                let again = core.send(&session.user, &rooms[*room], id, text(words)).await.unwrap();
                assert_eq!(again, Receipt { duplicate: true, ..*first });
                let other = core.send(&session.user, &rooms[*room], id, text("other")).await;
                assert!(matches!(other, Err(ChatError::Invalid(InvalidField { field: "operation_id", .. }))));
            }
            Act::Read { room, part } => {
                let seq = (rooms[room].head() as f64 * part) as u64;
                let marker = core.mark_read(&session.user, &rooms[room], seq).await.unwrap();
                account.read[room] = account.read[room].max(seq);
                assert_eq!(marker.read, account.read[room]);
            }
            Act::Pause => tokio::task::yield_now().await,
        }
    }
    account
}

pub(super) async fn check_accounts(chat: &TestChat, rooms: &[Arc<Room>], accounts: &[Account]) {
    let mut logs = Vec::new();
    for room in rooms {
        let events = chat.log(room).await;
        assert_dense(&events);
        assert_eq!(room.head(), events.len() as u64);
        logs.push(events);
    }
    let sent: usize = accounts.iter().map(|account| account.sent.len()).sum();
    assert_eq!(logs.iter().map(|log| log.len() - 1).sum::<usize>(), sent, "stored once each");
    for account in accounts {
        let mut last = [0; 3];
        for (room, words, receipt) in &account.sent {
            let event = &logs[*room][receipt.seq as usize - 1];
            assert_eq!((text_of(event), event.created_at_ms), (words.as_str(), receipt.created_at_ms));
            assert!(receipt.seq > last[*room], "one sender's messages keep their order");
            last[*room] = receipt.seq;
        }
        let views = chat.core().rooms(&account.session.user).await.unwrap();
        for (index, view) in views.iter().enumerate() {
            let me = &*account.session.user.id;
            let by_others = |event: &&pb::Event| {
                event.seq > account.read[index]
                    && !text_of(event).is_empty()
                    && event.author.as_ref().is_some_and(|author| author.id != me)
            };
            let unread = logs[index].iter().filter(by_others).count();
            assert_eq!((view.read, view.unread as usize), (account.read[index], unread));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_of_senders_gives_a_dense_unique_ordered_log(
        plans in vec(vec(act(), 1..25), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let chat = TestChat::open();
            let maker = chat.join("Maker").await;
            let mut rooms = vec![chat.general()];
            for n in 0..2 {
                let name = RoomName::parse(&format!("Room {n}")).unwrap();
                let view = chat.core().create_room(&maker.user, name, operation(0, n)).await.unwrap();
                rooms.push(chat.core().room(view.id.as_str()).await.unwrap());
            }
            let mut senders = Vec::new();
            for (n, acts) in plans.into_iter().enumerate() {
                let session = chat.join(&format!("Sender {n}")).await;
                let (core, rooms) = (chat.core().clone(), rooms.clone());
                senders.push(tokio::spawn(carry_out(core, session, rooms, acts)));
            }
            let mut accounts = Vec::new();
            for sender in senders {
                accounts.push(sender.await.unwrap());
            }
            check_accounts(&chat, &rooms, &accounts).await;
            let chat = chat.reopen().await;
            let find = |room: &Arc<Room>| chat.core().shared.directory.find(room.id.as_str()).unwrap();
            let rooms: Vec<_> = rooms.iter().map(find).collect();
            check_accounts(&chat, &rooms, &accounts).await;
        });
    }
}

#[tokio::test]
async fn failed_write_does_not_affect_the_rest_of_its_group() {
    let chat = TestChat::open();
    let database = rusqlite::Connection::open(chat.folder.path().join(DATABASE_FILE)).unwrap();
    database
        .execute_batch(
            "CREATE TRIGGER poison BEFORE INSERT ON events WHEN instr(NEW.event, CAST('poison' AS BLOB))
             BEGIN SELECT RAISE(ROLLBACK, 'poisoned'); END",
        )
        .unwrap();
    let ada = chat.join("Ada").await;
    let general = chat.general();
    let mut sends = Vec::new();
    for n in 0..200 {
        let (core, ada, general) = (chat.core().clone(), ada.clone(), general.clone());
        let words = if n % 50 == 7 { format!("poison {n}") } else { format!("water {n}") };
        sends.push(async move { core.send(&ada.user, &general, operation(1, n), text(words)).await });
    }
    let mut failed = Vec::new();
    for (n, result) in futures_util::future::join_all(sends).await.into_iter().enumerate() {
        match result {
            Ok(_) => {}
            Err(ChatError::Store(_)) => failed.push(n),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(failed, [7, 57, 107, 157]);
    let events = chat.log(&general).await;
    assert_dense(&events);
    assert_eq!(events.len(), 1 + 196);

    // Nothing of the failed writes was stored: without the trigger they succeed.
    database.execute_batch("DROP TRIGGER poison").unwrap();
    let again = chat.core().send(&ada.user, &general, operation(1, 7), text("poison 7")).await.unwrap();
    assert_eq!((again.seq, again.duplicate), (198, false));
}

#[tokio::test]
async fn operation_id_belongs_to_one_author_and_one_action() {
    let chat = TestChat::open();
    let (ada, bob) = (chat.join("Ada").await, chat.join("Bob").await);
    let general = chat.general();
    let core = chat.core();
    let reused = |result: Result<(), ChatError>| match result {
        Err(ChatError::Invalid(invalid)) => assert_eq!(invalid.field, "operation_id"),
        other => panic!("{other:?}"),
    };
    let id = operation(1, 1);
    let first = core.send(&ada.user, &general, id, text("hi")).await.unwrap();
    assert_eq!(
        core.send(&ada.user, &general, id, text("hi")).await.unwrap(),
        Receipt { duplicate: true, ..first }
    );
    assert!(!core.send(&bob.user, &general, id, text("hi")).await.unwrap().duplicate);
    reused(core.send(&ada.user, &general, id, text("ho")).await.map(drop));

    let name = |name: &str| RoomName::parse(name).unwrap();
    reused(core.create_room(&ada.user, name("Tea"), id).await.map(drop));
    let tea = core.create_room(&ada.user, name("Tea"), operation(1, 2)).await.unwrap();
    assert_eq!(core.create_room(&ada.user, name(" Tea "), operation(1, 2)).await.unwrap(), tea);
    reused(core.create_room(&ada.user, name("Coffee"), operation(1, 2)).await.map(drop));
    reused(core.send(&ada.user, &general, operation(1, 2), text("hi")).await.map(drop));
    let tea = core.room(tea.id.as_str()).await.unwrap();
    reused(core.send(&ada.user, &tea, id, text("hi")).await.map(drop));
    assert!(matches!(
        core.create_room(&bob.user, name("tEA"), operation(1, 3)).await,
        Err(ChatError::RoomNameInUse)
    ));
}

#[tokio::test]
async fn repeats_in_one_group_are_stored_once() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let general = chat.general();
    let sends = (0..300).map(|n| {
        let (core, ada, general) = (chat.core().clone(), ada.clone(), general.clone());
        async move { core.send(&ada.user, &general, operation(1, n % 3), text(format!("{}", n % 3))).await }
    });
    let mut by_seq: HashMap<u64, (usize, usize)> = HashMap::new();
    for receipt in futures_util::future::join_all(sends).await {
        let receipt = receipt.unwrap();
        let count = by_seq.entry(receipt.seq).or_default();
        if receipt.duplicate { count.1 += 1 } else { count.0 += 1 }
    }
    assert_eq!(by_seq.len(), 3);
    assert!(by_seq.values().all(|counts| *counts == (1, 99)), "{by_seq:?}");
    assert_eq!(chat.log(&general).await.len(), 4);
}

#[tokio::test]
async fn number_of_rooms_is_limited() {
    let chat = TestChat::open_with(|options| options.rooms_per_user = MAX_ROOMS);
    let ada = chat.join("Ada").await;
    let make = |n: u64| {
        let (core, ada) = (chat.core().clone(), ada.clone());
        let name = RoomName::parse(&format!("Room {n}")).unwrap();
        async move { core.create_room(&ada.user, name, operation(1, n)).await }
    };
    let made = futures_util::future::join_all((1..MAX_ROOMS as u64).map(make)).await;
    assert!(made.iter().all(Result::is_ok));
    assert!(matches!(make(MAX_ROOMS as u64).await, Err(ChatError::TooManyRooms)));
    assert_eq!(make(5).await.unwrap().name.as_ref(), "Room 5", "a repeat is still answered");
    let views = chat.core().rooms(&ada.user).await.unwrap();
    assert_eq!(views.len(), MAX_ROOMS);
    assert!(views.iter().enumerate().all(|(index, view)| view.key == types::RoomKey::from_index(index)));
}

#[tokio::test]
async fn full_writer_queue_refuses_commands_and_accepted_ones_are_written() {
    let chat = TestChat::open();
    let (ada, general) = (chat.join("Ada").await, chat.general());
    // The writer has to wait for this lock.
    let database = rusqlite::Connection::open(chat.folder.path().join(DATABASE_FILE)).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut accepted = Vec::new();
    let refused = loop {
        let mut marked = Box::pin(chat.core().mark_read(&ada.user, &general, 1));
        match futures_util::poll!(marked.as_mut()) {
            Poll::Pending => accepted.push(marked),
            Poll::Ready(refused) => break refused,
        }
    };
    assert!(matches!(refused, Err(ChatError::TooManyWrites)), "{refused:?}");
    assert!(accepted.len() >= 4_096, "{} were accepted", accepted.len());

    database.execute_batch("ROLLBACK").unwrap();
    for marked in accepted {
        marked.await.unwrap();
    }
    chat.core().mark_read(&ada.user, &general, 1).await.unwrap();
}

#[tokio::test]
async fn checkpoints_by_the_writer_are_not_mistaken_for_foreign_writes() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let general = chat.general();
    let long = "界".repeat(MAX_MESSAGE_CHARS);
    for group in 0..30 {
        let sends = (0..100).map(|number| {
            let id = operation(group, number);
            chat.core().send(&ada.user, &general, id, text(long.as_str()))
        });
        for receipt in futures_util::future::join_all(sends).await {
            receipt.unwrap();
        }
    }
    let size = |name: &str| chat.folder.path().join(name).metadata().unwrap().len();
    // 36 MB were written; a checkpoint is due after each 16 MiB.
    assert!(size(DATABASE_FILE) > 16 << 20, "{} bytes", size(DATABASE_FILE));
    assert!(size("chinwag.db-wal") < 24 << 20, "{} bytes", size("chinwag.db-wal"));
    assert_eq!(*chat.chat.health().borrow(), None);
}
