//! What a stream promises: every event once and in order, wherever it begins and however slow it is.

use std::collections::BTreeMap;
use std::time::Instant;

use super::*;

/// What a client of the contract knows of each room: it checks every number.
#[derive(Default)]
struct Client {
    rooms: BTreeMap<String, Known>,
    streams: u32,
}

#[derive(Clone, Default)]
struct Known {
    epoch: u64,
    last: u64,
    /// Of the event `last`.
    fingerprint: u64,
    seen: Vec<u64>,
}

impl Client {
    fn cursors(&self) -> Vec<ClientCursor> {
        let cursor = |(id, known): (&String, &Known)| ClientCursor {
            room: RoomId::named(id.as_str()),
            epoch: known.epoch,
            seq: known.last,
            fingerprint: known.fingerprint,
        };
        self.rooms.iter().map(cursor).collect()
    }

    fn apply(&mut self, frame: Frame) {
        match frame {
            Frame::RoomState(state) => {
                let id = state.room.unwrap().id;
                match pb::Recovery::try_from(state.recovery).unwrap() {
                    pb::Recovery::Fresh => {
                        let known = Known {
                            epoch: state.epoch,
                            last: state.head_seq,
                            fingerprint: state.head_fingerprint,
                            seen: vec![state.head_seq],
                        };
                        assert!(self.rooms.insert(id, known).is_none(), "fresh twice");
                    }
                    pb::Recovery::Full => assert_eq!(self.rooms[&id].epoch, state.epoch),
                    other => panic!("{other:?}"),
                }
            }
            Frame::Events(events) => {
                let last = events.events.last().expect("a frame without events");
                assert_eq!(events.fingerprint, crate::chat::wire::fingerprint(&last.encode_to_vec()));
                for event in events.events {
                    let known = self.rooms.get_mut(&event.room_id).expect("an event of an unknown room");
                    if event.seq > known.last {
                        assert_eq!(event.seq, known.last + 1, "a gap in {}", event.room_id);
                        (known.last, known.fingerprint) = (event.seq, events.fingerprint);
                        known.seen.push(event.seq);
                    }
                }
            }
            Frame::Hello(_) => self.streams += 1,
            Frame::Heartbeat(beat) => {
                for head in beat.heads {
                    assert!(
                        self.rooms[&head.room_id].last >= head.seq,
                        "the heartbeat tells of a lost event"
                    );
                }
            }
            Frame::CaughtUp(_) | Frame::ReadMarker(_) => {}
            Frame::Goodbye(goodbye) => panic!("{goodbye:?}"),
        }
    }

    fn has_all(&self, heads: &[(String, u64)]) -> bool {
        heads.iter().all(|(id, head)| self.rooms.get(id).is_some_and(|known| known.last >= *head))
    }
}

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
async fn hello_comes_first_then_the_rooms_then_caught_up() {
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
async fn every_cursor_gets_the_answer_of_the_contract() {
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
async fn a_cursor_whose_event_is_another_one_is_lost() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let general = chat.general();
    send(&chat, &ada, &general, 0..9).await;
    let events = chat.log(&general).await;
    for event in &events {
        let known = crate::chat::wire::fingerprint(&event.encode_to_vec());
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
async fn the_position_is_taken_before_the_store_is_read() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let mut subscriber = chat.core().subscribe(ada.clone(), vec![], 0).await.unwrap();
    let begin = subscriber.position();
    send(&chat, &ada, &chat.general(), 0..3).await;
    // Hello, the room, CaughtUp: the store has been read, and what it had is above the position still.
    for _ in 0..3 {
        subscriber.next().await.unwrap().unwrap();
    }
    assert_eq!(subscriber.position(), begin);
    assert!(chat.core().shared.tail.end() > begin);
}

/// Writers in two rooms, rooms that come into being, and readers that begin, stop and resume at any time, all at
/// once; the tail is so small that everybody falls behind it again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_snapshot_to_live_nothing_is_lost_whatever_is_written_meanwhile() {
    let chat = Arc::new(TestChat::open_with(|options| {
        options.tail = TailLimits { frames: 3, bytes: 4_096 };
        options.heartbeat_interval = Duration::from_millis(20);
    }));
    let mut writers = Vec::new();
    for n in 0..4 {
        let chat = chat.clone();
        writers.push(tokio::spawn(async move {
            let session = chat.join(&format!("Writer {n}")).await;
            let name = RoomName::parse(&format!("Room {n}")).unwrap();
            send(&chat, &session, &chat.general(), 0..100).await;
            let room = chat.core().create_room(&session.user, name, operation(1_000, n)).await.unwrap();
            let room = chat.core().room(room.id.as_str()).unwrap();
            send(&chat, &session, &room, 100..200).await;
            send(&chat, &session, &chat.general(), 200..300).await;
        }));
    }
    let (done, finished) = tokio::sync::watch::channel(None::<Vec<(String, u64)>>);
    let mut readers = Vec::new();
    for n in 0..6 {
        let (chat, mut finished) = (chat.clone(), finished.clone());
        readers.push(tokio::spawn(async move {
            let session = chat.join(&format!("Reader {n}")).await;
            let mut client = Client::default();
            loop {
                let mut stream = frames(&chat, &session, client.cursors(), 0).await;
                // Some stay, some come and go.
                let patience = if n < 2 { usize::MAX } else { fastrand::usize(1..60) };
                for _ in 0..patience {
                    tokio::select! {
                        frame = stream.next() => client.apply(frame),
                        changed = finished.changed() => changed.unwrap(),
                    }
                    if finished.borrow().as_ref().is_some_and(|heads| client.has_all(heads)) {
                        return client;
                    }
                }
            }
        }));
    }
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
    let load = chat.chat.load();
    assert_eq!(load.streams, 0, "nothing outlives its stream");
    assert_eq!(load.holes, 0, "the tail continued every stream that had not fallen behind it");
}

#[tokio::test]
async fn a_tail_that_does_not_continue_is_noticed_and_the_store_is_read() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let mut stream = frames(&chat, &ada, vec![], 0).await;
    stream.until_caught_up().await;
    send(&chat, &ada, &chat.general(), 0..3).await;
    // The tail loses an entry, as a fault would make it.
    chat.core().shared.tail.lose_one_for_test();
    let mut got = Vec::new();
    while got.len() < 3 {
        got.extend(seqs(&[stream.next().await]));
    }
    assert_eq!(got, [2, 3, 4]);
    assert_eq!(chat.chat.load().holes, 1);
}

#[tokio::test]
async fn an_event_that_the_tail_never_had_comes_with_the_next_heartbeat() {
    let chat = TestChat::open_with(|options| options.heartbeat_interval = Duration::from_millis(30));
    let ada = chat.join("Ada").await;
    let mut stream = frames(&chat, &ada, vec![], 0).await;
    stream.until_caught_up().await;
    send(&chat, &ada, &chat.general(), 0..1).await;
    chat.core().shared.tail.forget_last_for_test();
    loop {
        match stream.next().await {
            Frame::Heartbeat(_) => {}
            frame => break assert_eq!(seqs(&[frame]), [2]),
        }
    }
}

#[tokio::test]
async fn a_moved_marker_reaches_every_stream_of_its_user_and_nobody_else() {
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
async fn a_quiet_stream_beats_with_the_heads_that_moved() {
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
async fn a_reader_that_took_nothing_while_events_waited_is_sent_away() {
    let chat = TestChat::open_with(|options| options.stall_timeout = Duration::from_millis(50));
    let ada = chat.join("Ada").await;
    let mut slow = frames(&chat, &ada, vec![], 0).await;
    slow.until_caught_up().await;
    let mut idle = frames(&chat, &ada, vec![], 0).await;
    idle.until_caught_up().await;
    // One asks for more and gets nothing, as there is nothing; the other does not ask.
    let idle = tokio::spawn(async move { idle.next().await });
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(60) {
        tokio::task::yield_now().await;
    }
    send(&chat, &ada, &chat.general(), 0..1).await;
    assert_eq!(seqs(&[idle.await.unwrap()]), [2], "waiting for events is not slow");
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(60) {
        tokio::task::yield_now().await;
    }
    let Frame::Goodbye(goodbye) = slow.next().await else { panic!("no goodbye") };
    assert_eq!((goodbye.reason(), goodbye.reconnect), (pb::GoodbyeReason::Slow, true));
    assert!((500..=5_000).contains(&goodbye.reconnect_after_ms));
    assert!(slow.0.next().await.is_none(), "and then it ends");
}

#[tokio::test]
async fn a_stream_ends_when_its_session_expires_and_goes_on_when_it_was_prolonged() {
    let chat = TestChat::open_with(|options| {
        options.heartbeat_interval = Duration::from_millis(20);
        options.session_lifetime = Duration::from_millis(300);
    });
    let ada = chat.join("Ada").await;
    let mut stream = frames(&chat, &ada, vec![], 0).await;
    stream.until_caught_up().await;
    let joined = Instant::now();
    let mut prolonged = false;
    let goodbye = loop {
        match stream.next().await {
            Frame::Heartbeat(_) if !prolonged => {
                chat.core().prolong(&ada).await.unwrap();
                prolonged = true;
            }
            Frame::Heartbeat(_) => {}
            Frame::Goodbye(goodbye) => break goodbye,
            frame => panic!("{frame:?}"),
        }
    };
    assert!(joined.elapsed() >= Duration::from_millis(300));
    assert_eq!((goodbye.reason(), goodbye.reconnect), (pb::GoodbyeReason::SignedOut, false));
    assert!(matches!(stream.0.next().await, Some(Err(ChatError::SessionEnded))));
}

#[tokio::test]
async fn an_idle_stream_costs_little() {
    let chat = TestChat::open();
    let ada = chat.join("Ada").await;
    let subscriber = chat.core().subscribe(ada, vec![], 0).await.unwrap();
    let state = size_of_val(&subscriber);
    let stream = size_of_val(&subscriber.into_stream());
    println!("{state} bytes, {stream} as a stream");
    // Cursors, a mailbox and a timer come to it, each about a hundred bytes.
    assert!(state <= 512 && stream <= 1_536, "{state} bytes, {stream} as a stream");
}
