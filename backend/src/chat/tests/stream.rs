//! Properties of streams: every event once and in order, from any start, at any speed.

use std::time::Instant;

use tokio::sync::watch;

use super::client::Client;
use super::*;

async fn frames(
    chat: &TestChat,
    session: &Arc<Session>,
    cursors: Vec<ClientCursor>,
    limit: u32,
) -> Frames<impl Stream<Item = Result<proto::EncodedSubscribeResponse, ChatError>> + Unpin + use<>> {
    let subscriber = chat.core().subscribe(session.clone(), cursors, limit).await.unwrap();
    Frames(Box::pin(subscriber.into_stream()))
}

async fn send(chat: &TestChat, session: &Session, room: &Room, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let id = operation(session.user.key.0 as u64, n);
        chat.core().send(&session.user, room, id, text(format!("{n}"))).await.unwrap();
    }
}

fn states<'a>(frames: &'a [Frame]) -> Vec<&'a pb::RoomState> {
    let state = |frame: &'a Frame| match frame {
        Frame::RoomState(state) => Some(state),
        _ => None,
    };
    frames.iter().filter_map(state).collect()
}

fn seqs(frames: &[Frame]) -> Vec<u64> {
    let events = |frame: &Frame| match frame {
        Frame::Events(events) => events.events.iter().map(|event| event.seq).collect(),
        _ => Vec::new(),
    };
    frames.iter().flat_map(events).collect()
}

#[tokio::test]
async fn stream_begins_with_hello_rooms_and_caught_up() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let name = RoomName::parse("Tea").unwrap();
    chat.core().create_room(&ada.user, name, operation(0, 1)).await.unwrap();
    let mut stream = frames(&chat, &ada, vec![], 0).await;
    let first = stream.until_caught_up().await;
    assert!(matches!(&first[0], Frame::Hello(hello)
        if hello.user.as_ref().unwrap().name == "Ada" && hello.heartbeat_interval_ms == 24_000));
    let names: Vec<_> =
        states(&first).iter().map(|state| state.room.as_ref().unwrap().name.clone()).collect();
    assert_eq!(names, ["general", "Tea"]);
    assert_eq!(first.len(), 3);
}

#[tokio::test]
async fn every_cursor_gets_its_recovery() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let general = chat.general();
    send(&chat, &ada, &general, 0..9).await;
    let epoch = general.epoch;
    type Row = (u64, u64, u32, pb::Recovery, pb::LostReason, &'static [u64]);
    let table: &[Row] = &[
        (epoch, 10, 0, pb::Recovery::Full, pb::LostReason::Unspecified, &[]),
        (epoch, 7, 0, pb::Recovery::Full, pb::LostReason::Unspecified, &[8, 9, 10]),
        (epoch, 7, 3, pb::Recovery::Full, pb::LostReason::Unspecified, &[8, 9, 10]),
        (epoch, 6, 3, pb::Recovery::Limited, pb::LostReason::Unspecified, &[8, 9, 10]),
        (epoch, 0, 1, pb::Recovery::Limited, pb::LostReason::Unspecified, &[10]),
        (epoch, 0, 0, pb::Recovery::Full, pb::LostReason::Unspecified, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (epoch, 11, 0, pb::Recovery::Lost, pb::LostReason::Future, &[]),
        (epoch, u64::MAX, 1, pb::Recovery::Lost, pb::LostReason::Future, &[]),
        (epoch ^ 1, 5, 0, pb::Recovery::Lost, pb::LostReason::Epoch, &[]),
        (epoch ^ 1, 11, 0, pb::Recovery::Lost, pb::LostReason::Epoch, &[]),
    ];
    for &(epoch, seq, limit, recovery, reason, replayed) in table {
        let cursor = ClientCursor { room: general.id.clone(), epoch, seq, fingerprint: 0 };
        let mut stream = frames(&chat, &ada, vec![cursor], limit).await;
        let first = stream.until_caught_up().await;
        let state = states(&first)[0];
        assert_eq!(
            (state.recovery(), state.lost_reason(), state.head_seq),
            (recovery, reason, 10),
            "{seq} {limit}"
        );
        assert_eq!(seqs(&first), replayed, "{seq} {limit}");
    }
    let mut stream = frames(&chat, &ada, vec![], 0).await;
    let first = stream.until_caught_up().await;
    assert_eq!(states(&first)[0].recovery(), pb::Recovery::Fresh);
    send(&chat, &ada, &general, 9..10).await;
    assert_eq!(seqs(&[stream.next().await]), [11], "live begins above the head");
}

#[tokio::test]
async fn cursor_with_another_fingerprint_is_lost() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let general = chat.general();
    send(&chat, &ada, &general, 0..9).await;
    let events = chat.log(&general).await;
    for event in &events {
        let known = crate::chat::encoding::fingerprint(&event.encode_to_vec());
        for (fingerprint, expected) in [
            (known, (pb::Recovery::Full, pb::LostReason::Unspecified)),
            (known ^ 1, (pb::Recovery::Lost, pb::LostReason::History)),
        ] {
            let (room, epoch) = (general.id.clone(), general.epoch);
            let cursor = ClientCursor { room, epoch, seq: event.seq, fingerprint };
            let first = frames(&chat, &ada, vec![cursor], 0).await.until_caught_up().await;
            let state = states(&first)[0];
            assert_eq!((state.recovery(), state.lost_reason()), expected, "{}", event.seq);
            let replayed = if expected.0 == pb::Recovery::Full { 10 - event.seq as usize } else { 0 };
            assert_eq!(seqs(&first).len(), replayed, "{}", event.seq);
        }
    }
}

#[tokio::test]
async fn tail_position_is_taken_before_the_store_is_read() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let mut subscriber = chat.core().subscribe(ada.clone(), vec![], 0).await.unwrap();
    let begin = subscriber.position();
    send(&chat, &ada, &chat.general(), 0..3).await;
    // Hello, the room, CaughtUp: the store was read, but the position is still below what it had.
    for _ in 0..3 {
        subscriber.next().await.unwrap().unwrap();
    }
    assert_eq!(subscriber.position(), begin);
    assert!(chat.core().shared.tail.end() > begin);
}

/// Room ids with their heads.
type Heads = Vec<(String, u64)>;

async fn write_in_two_rooms(chat: Arc<TestChat>, n: u64) {
    let session = chat.join(&format!("Writer {n}")).await;
    let name = RoomName::parse(&format!("Room {n}")).unwrap();
    send(&chat, &session, &chat.general(), 0..100).await;
    let room = chat.core().create_room(&session.user, name, operation(1_000, n)).await.unwrap();
    let room = chat.core().room(room.id.as_str()).await.unwrap();
    send(&chat, &session, &room, 100..200).await;
    send(&chat, &session, &chat.general(), 200..300).await;
}

/// Reads until the client has all events below the heads that `finished` announces. Two readers keep their stream, the
/// others reconnect.
async fn read_until(chat: Arc<TestChat>, n: u64, mut finished: watch::Receiver<Option<Heads>>) -> Client {
    let session = chat.join(&format!("Reader {n}")).await;
    let mut client = Client::default();
    loop {
        let mut stream = frames(&chat, &session, client.cursors(), 0).await;
        let frames_until_reconnect = if n < 2 { usize::MAX } else { fastrand::usize(1..60) };
        for _ in 0..frames_until_reconnect {
            tokio::select! {
                frame = stream.next() => client.apply(frame),
                changed = finished.changed() => changed.unwrap(),
            }
            if finished.borrow().as_ref().is_some_and(|heads| client.has_all(heads)) {
                return client;
            }
        }
    }
}

/// Concurrent writers in several rooms, new rooms, and readers that start, stop and resume at any time. The tail is so small
/// that all readers fall behind it repeatedly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_lost_under_concurrent_writes_and_resumes() {
    let chat = Arc::new(TestChat::open_with(|options| {
        options.tail = TailLimits { frames: 3, bytes: 4_096 };
        options.heartbeat_interval = Duration::from_millis(20);
    }));
    let writers: Vec<_> = (0..4).map(|n| tokio::spawn(write_in_two_rooms(chat.clone(), n))).collect();
    let (done, finished) = watch::channel(None);
    let readers: Vec<_> =
        (0..6).map(|n| tokio::spawn(read_until(chat.clone(), n, finished.clone()))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let heads = chat.core().shared.directory.heads();
    let id = |key| chat.core().shared.directory.get(key).unwrap().id.as_str().to_owned();
    let heads: Vec<_> = heads.into_iter().map(|(key, head)| (id(key), head)).collect();
    assert_eq!(heads[0], ("general".to_owned(), 801));
    assert_eq!(heads.len(), 5);
    done.send(Some(heads.clone())).unwrap();
    for reader in readers {
        let client = reader.await.unwrap();
        for (id, head) in &heads {
            let seen = &client.rooms[id].seen;
            let expected: Vec<u64> = (seen[0]..=*head).collect();
            assert_eq!(seen, &expected);
        }
    }
    let stats = chat.chat.stats();
    assert_eq!(stats.streams, 0, "nothing outlives its stream");
    assert_eq!(stats.tail_gaps, 0, "the tail continued every stream that had not fallen behind it");
}

#[tokio::test]
async fn gap_in_the_tail_is_noticed_and_read_from_the_store() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let mut stream = frames(&chat, &ada, vec![], 0).await;
    stream.until_caught_up().await;
    send(&chat, &ada, &chat.general(), 0..3).await;
    // The oldest entry is the room, which this stream has.
    chat.core().shared.tail.lose_for_test(1);
    let mut got = Vec::new();
    while got.len() < 3 {
        got.extend(seqs(&[stream.next().await]));
    }
    assert_eq!(got, [2, 3, 4]);
    assert_eq!(chat.chat.stats().tail_gaps, 1);
}

#[tokio::test]
async fn event_missing_in_the_tail_is_sent_with_the_next_heartbeat() {
    let chat = TestChat::open_with(|options| options.heartbeat_interval = Duration::from_millis(30));
    let ada = chat.join("Ada").await;
    let mut stream = frames(&chat, &ada, vec![], 0).await;
    stream.until_caught_up().await;
    send(&chat, &ada, &chat.general(), 0..1).await;
    chat.core().shared.tail.drop_newest_for_test();
    loop {
        match stream.next().await {
            Frame::Heartbeat(_) => {}
            frame => break assert_eq!(seqs(&[frame]), [2]),
        }
    }
}

#[tokio::test]
async fn moved_marker_reaches_all_streams_of_its_user_only() {
    let chat = TestChat::open();
    let (ada, bob) = (chat.join("Ada").await, chat.join("Bob").await);
    let general = chat.general();
    send(&chat, &bob, &general, 0..5).await;
    let (mut one, mut two) = (frames(&chat, &ada, vec![], 0).await, frames(&chat, &ada, vec![], 0).await);
    let mut other = frames(&chat, &bob, vec![], 0).await;
    let first = one.until_caught_up().await;
    assert_eq!((states(&first)[0].read_seq, states(&first)[0].unread), (1, 5));
    two.until_caught_up().await;
    other.until_caught_up().await;
    chat.core().mark_read(&ada.user, &general, 3).await.unwrap();
    chat.core().mark_read(&ada.user, &general, 2).await.unwrap();
    for stream in [&mut one, &mut two] {
        let expected = pb::ReadMarker { room_id: "general".to_owned(), read_seq: 3, unread: 3 };
        assert_eq!(stream.next().await, Frame::ReadMarker(expected));
    }
    send(&chat, &bob, &general, 5..6).await;
    for stream in [&mut one, &mut other] {
        assert_eq!(seqs(&[stream.next().await]), [7]);
    }
}

#[tokio::test]
async fn heartbeats_contain_the_heads_that_moved() {
    let chat = TestChat::open_with(|options| options.heartbeat_interval = Duration::from_millis(30));
    let ada = chat.join("Ada").await;
    let mut stream = frames(&chat, &ada, vec![], 0).await;
    stream.until_caught_up().await;
    let Frame::Heartbeat(quiet) = stream.next().await else { panic!("no heartbeat") };
    assert_eq!(quiet.heads, []);
    assert!(quiet.now_ms > 1_600_000_000_000);
    send(&chat, &ada, &chat.general(), 0..2).await;
    let mut got = Vec::new();
    let beat = loop {
        match stream.next().await {
            Frame::Heartbeat(beat) if !beat.heads.is_empty() => break beat,
            Frame::Heartbeat(_) => {}
            frame => got.extend(seqs(&[frame])),
        }
    };
    let head =
        pb::Cursor { room_id: "general".to_owned(), epoch: chat.general().epoch, seq: 3, fingerprint: 0 };
    assert_eq!((got, beat.heads), (vec![2, 3], vec![head]));
    let Frame::Heartbeat(quiet) = stream.next().await else { panic!("no heartbeat") };
    assert_eq!(quiet.heads, []);
}

#[tokio::test]
async fn stalled_reader_gets_a_goodbye() {
    let chat = TestChat::open_with(|options| options.stall_timeout = Duration::from_millis(500));
    let ada = chat.join("Ada").await;
    let mut slow = frames(&chat, &ada, vec![], 0).await;
    slow.until_caught_up().await;
    let mut idle = frames(&chat, &ada, vec![], 0).await;
    idle.until_caught_up().await;
    // This one polls and gets nothing, because there is nothing; the other does not poll.
    let idle = tokio::spawn(async move { idle.next().await });
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(600) {
        tokio::task::yield_now().await;
    }
    send(&chat, &ada, &chat.general(), 0..1).await;
    assert_eq!(seqs(&[idle.await.unwrap()]), [2], "waiting for events is not slow");
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(600) {
        tokio::task::yield_now().await;
    }
    let Frame::Goodbye(goodbye) = slow.next().await else { panic!("no goodbye") };
    assert_eq!((goodbye.reason(), goodbye.reconnect), (pb::GoodbyeReason::Slow, true));
    assert!((500..=5_000).contains(&goodbye.reconnect_after_ms));
    assert!(slow.0.next().await.is_none(), "and then it ends");
}

#[tokio::test]
async fn stream_ends_when_its_session_expires_unless_it_was_extended() {
    let chat = TestChat::open_with(|options| {
        options.heartbeat_interval = Duration::from_millis(20);
        options.session_lifetime = Duration::from_secs(1);
    });
    let ada = chat.join("Ada").await;
    let mut stream = frames(&chat, &ada, vec![], 0).await;
    stream.until_caught_up().await;
    let joined = Instant::now();
    let mut extended = false;
    let goodbye = loop {
        match stream.next().await {
            Frame::Heartbeat(_) if !extended => {
                chat.core().extend_session(&ada).await.unwrap();
                extended = true;
            }
            Frame::Heartbeat(_) => {}
            Frame::Goodbye(goodbye) => break goodbye,
            frame => panic!("{frame:?}"),
        }
    };
    assert!(joined.elapsed() >= Duration::from_secs(1));
    assert_eq!((goodbye.reason(), goodbye.reconnect), (pb::GoodbyeReason::SignedOut, false));
    assert!(matches!(stream.0.next().await, Some(Err(ChatError::SessionEnded))));
}

#[tokio::test]
async fn idle_stream_takes_little_memory() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let subscriber = chat.core().subscribe(ada, vec![], 0).await.unwrap();
    let state = size_of_val(&subscriber);
    let stream = size_of_val(&subscriber.into_stream());
    println!("{state} bytes, {stream} as a stream");
    // Without cursors, mailbox and timer, about a hundred bytes each.
    assert!(state <= 512 && stream <= 1_536, "{state} bytes, {stream} as a stream");
}
