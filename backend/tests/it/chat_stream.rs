//! The live stream from outside: joining, resuming, slow readers, and the end.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use proto::chat::v1 as pb;
use proto::chat::v1::subscribe_response::Frame;
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::chat_client::{Person, cursor, events_in, eventually, refusal, seqs, states, text_of};
use crate::support::{ChildServer, TestServer};

/// Sends `count` messages over `connections`, up to 256 at a time.
async fn send_many(person: &Person, connections: &[Channel], count: u64, text: &str) {
    let people: Vec<_> = connections.iter().map(|channel| person.over(channel.clone())).collect();
    let mut running = FuturesUnordered::new();
    let mut numbers = 0..count;
    loop {
        while running.len() < 256
            && let Some(number) = numbers.next()
        {
            let mut person = people[number as usize % people.len()].clone();
            let id = u128::from(number).to_be_bytes().into();
            let text = format!("{number} {text}");
            running.push(async move { person.try_send("general", id, &text).await.unwrap() });
        }
        if running.next().await.is_none() {
            return;
        }
    }
}

#[tokio::test]
async fn late_joiner_gets_rooms_then_history_then_live_events() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    for text in ["one", "two", "three"] {
        ada.send("general", text).await;
    }
    let mut bob = Person::join(server.channel(), "Bob").await;
    let (first, mut live) = bob.follow(vec![]).await;
    let Frame::Hello(hello) = &first[0] else { panic!("{first:?}") };
    assert_eq!(hello.user.as_ref(), Some(&bob.user));
    let state = &states(&first)[0];
    assert_eq!((state.recovery(), state.head_seq), (pb::Recovery::Fresh, 4));
    assert_eq!((state.read_seq, state.unread), (4, 0), "what was said before is history, not unread");
    assert_eq!(first.len(), 2);

    // History up to the start of the stream, then the stream: no gap, no repeat.
    let page = bob.page("general", None, 100).await.unwrap();
    assert_eq!(page.as_of.unwrap(), cursor(state, 4));
    ada.send("general", "four").await;
    let mut texts: Vec<_> = page.events.iter().map(|event| text_of(event).to_owned()).collect();
    texts.extend(live.events().await.iter().map(|event| text_of(event).to_owned()));
    assert_eq!(texts, ["", "one", "two", "three", "four"]);
}

#[tokio::test]
async fn all_subscribers_see_the_order_of_the_log() {
    let server = TestServer::start().await;
    let mut people = Vec::new();
    for n in 0..4 {
        people.push(Person::join(server.channel(), &format!("Person {n}")).await);
    }
    let mut streams = Vec::new();
    for person in &mut people {
        streams.push(person.follow(vec![]).await.1);
    }
    let sends = people.iter().map(|person| {
        let mut person = person.clone();
        tokio::spawn(async move {
            for n in 0..50 {
                person.send("general", &format!("{} {n}", person.user.name)).await;
            }
        })
    });
    futures_util::future::join_all(sends).await;
    let log = people[0].log("general").await;
    assert_eq!(log.len(), 201);
    for stream in &mut streams {
        assert_eq!(stream.events_until(200).await, log[1..]);
    }
}

#[tokio::test]
async fn new_room_and_its_messages_reach_all_subscribers() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let mut bob = Person::join(server.channel(), "Bob").await;
    let (_, mut live) = bob.follow(vec![]).await;
    let tea = ada.create_room("Tea").await.unwrap();
    let room = tea.room.clone().unwrap();
    ada.send(&room.id, "hello").await;
    let told = pb::RoomState { recovery: pb::Recovery::Fresh.into(), ..tea };
    assert_eq!(live.next().await, Frame::RoomState(told));
    let events = live.events().await;
    assert_eq!((events[0].room_id.as_str(), events[0].seq), (room.id.as_str(), 2));
}

#[tokio::test]
async fn a_room_state_has_the_time_of_the_newest_event() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let tea = ada.create_room("Tea").await.unwrap();
    assert_eq!(tea.head_created_at_ms, tea.room.as_ref().unwrap().created_at_ms);
    ada.send("general", "hello").await;
    let newest = ada.log("general").await.pop().unwrap();
    let (first, _live) = ada.follow(vec![]).await;
    let general = states(&first).remove(0);
    assert_eq!((general.head_seq, general.head_created_at_ms), (newest.seq, newest.created_at_ms));
}

#[tokio::test]
async fn resuming_with_cursors_brings_exactly_the_missed_events() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let mut bob = Person::join(server.channel(), "Bob").await;
    let (first, live) = bob.follow(vec![]).await;
    let general = states(&first).remove(0);
    drop(live);
    for n in 0..3 {
        ada.send("general", &format!("{n}")).await;
    }
    let tea = ada.create_room("Tea").await.unwrap();

    let (again, mut live) = bob.follow(vec![cursor(&general, 1)]).await;
    let told: Vec<_> = states(&again).iter().map(|state| state.recovery()).collect();
    assert_eq!(told, [pb::Recovery::Full, pb::Recovery::Fresh]);
    assert_eq!(seqs(&events_in(&again)), [2, 3, 4]);
    ada.send("general", "live").await;
    assert_eq!(seqs(&live.events().await), [5]);

    let mut limited = bob.subscribe(vec![cursor(&general, 1), cursor(&tea, 1)], 2).await.unwrap();
    let limited = limited.until_caught_up().await;
    let told: Vec<_> = states(&limited).iter().map(|state| state.recovery()).collect();
    assert_eq!(told, [pb::Recovery::Limited, pb::Recovery::Full]);
    assert_eq!(seqs(&events_in(&limited)), [4, 5]);
}

#[tokio::test]
async fn cursors_survive_a_restart_and_lost_ones_have_a_reason() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let (first, live) = ada.follow(vec![]).await;
    let general = states(&first).remove(0);
    for n in 0..5 {
        ada.send("general", &format!("{n}")).await;
    }
    drop(live);
    let dir = server.shutdown_keeping_data().await;
    let server = TestServer::start_with(|config| config.data = dir.path().join("data")).await;
    let mut ada = ada.over(server.channel());
    let (again, live) = ada.follow(vec![cursor(&general, 3)]).await;
    assert_eq!(states(&again)[0].recovery(), pb::Recovery::Full);
    assert_eq!(seqs(&events_in(&again)), [4, 5, 6]);
    drop(live);

    let other_log = pb::RoomState { epoch: general.epoch ^ 1, ..general.clone() };
    for (cursor, reason) in
        [(cursor(&general, 7), pb::LostReason::Future), (cursor(&other_log, 3), pb::LostReason::Epoch)]
    {
        let (frames, mut live) = ada.follow(vec![cursor]).await;
        let state = &states(&frames)[0];
        assert_eq!((state.recovery(), state.lost_reason()), (pb::Recovery::Lost, reason));
        assert_eq!(events_in(&frames), []);
        let next = ada.send("general", "live").await.seq;
        assert_eq!((state.head_seq, seqs(&live.events().await)), (next - 1, vec![next]));
    }
}

#[tokio::test]
async fn contradictory_or_too_many_cursors_are_refused() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let general = ada.rooms().await.remove(0);
    let twice = vec![cursor(&general, 1), cursor(&general, 0)];
    let status = ada.subscribe(twice, 0).await.unwrap_err();
    assert_eq!(refusal(&status), "InvalidArgument [cursors] There can be one cursor for each room.");
    let many = |count: usize| {
        let cursor = |n| pb::Cursor {
            room_id: format!("a room that is not there {n}"),
            epoch: 1,
            seq: 1,
            fingerprint: 0,
        };
        (0..count).map(cursor).collect()
    };
    let status = ada.subscribe(many(1001), 0).await.unwrap_err();
    assert_eq!(refusal(&status), "InvalidArgument [cursors] There can be at most 1000 cursors.");
    ada.follow(many(1000)).await;
}

#[tokio::test]
async fn moved_marker_reaches_the_users_other_window() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let mut bob = Person::join(server.channel(), "Bob").await;
    bob.send("general", "hi").await;
    let (_, mut other_window) = ada.over(server.channel()).follow(vec![]).await;
    let request = pb::MarkReadRequest { room_id: "general".to_owned(), seq: 2 };
    ada.client.mark_read(request).await.unwrap();
    let marker = pb::ReadMarker { room_id: "general".to_owned(), read_seq: 2, unread: 0 };
    assert_eq!(other_window.next().await, Frame::ReadMarker(marker));
}

#[tokio::test]
async fn sign_out_ends_the_streams_of_that_session_at_once() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let (_, mut one) = ada.follow(vec![]).await;
    let (_, mut two) = ada.over(server.channel()).follow(vec![]).await;
    let mut bob = Person::join(server.channel(), "Bob").await;
    let (_, mut other) = bob.follow(vec![]).await;
    ada.client.sign_out(pb::SignOutRequest {}).await.unwrap();
    for stream in [&mut one, &mut two] {
        let Frame::Goodbye(goodbye) = stream.next().await else { panic!("no goodbye") };
        assert_eq!((goodbye.reason(), goodbye.reconnect), (pb::GoodbyeReason::SignedOut, false));
        let status = stream.try_next().await.unwrap().unwrap_err();
        assert_eq!(refusal(&status), "Unauthenticated [] You were signed out. Join again to go on.");
        assert!(stream.try_next().await.is_none());
    }
    bob.send("general", "still here").await;
    assert_eq!(seqs(&other.events().await), [2]);
}

#[tokio::test]
async fn streams_per_user_are_limited_and_freed_when_a_client_leaves() {
    let server = TestServer::start().await;
    let ada = Person::join(server.channel(), "Ada").await;
    // Each over its own connection, like browsers.
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(ada.over(server.channel()).follow(vec![]).await.1);
    }
    let mut one_more = ada.over(server.channel());
    let status = one_more.subscribe(vec![], 0).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        "ResourceExhausted [] You have as many live connections open as allowed (16). Close another window \
         first."
    );
    let mut bob = Person::join(server.channel(), "Bob").await;
    bob.follow(vec![]).await;

    // One stream is cancelled, and one connection is closed.
    streams.pop();
    eventually("the place is free again", || {
        let mut one_more = one_more.clone();
        async move { one_more.subscribe(vec![], 0).await.is_ok() }
    })
    .await;
    drop(streams);
    let (_, held) = ada.over(server.channel()).follow(vec![]).await;
    drop(held);
}

#[tokio::test]
async fn quiet_stream_sends_heartbeats() {
    let server =
        TestServer::start_with(|config| config.chat.heartbeat_interval = Duration::from_millis(50)).await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let (first, mut live) = ada.follow(vec![]).await;
    let Frame::Hello(hello) = &first[0] else { panic!("{first:?}") };
    assert_eq!(hello.heartbeat_interval_ms, 60, "the longest wait, a fifth above the interval");
    let Frame::Heartbeat(beat) = live.next().await else { panic!("no heartbeat") };
    assert!(beat.now_ms >= hello.now_ms && beat.heads.is_empty());
    ada.send("general", "hi").await;
    loop {
        match live.next().await {
            Frame::Heartbeat(beat) if !beat.heads.is_empty() => {
                assert_eq!(beat.heads, [cursor(&states(&first)[0], 2)]);
                break;
            }
            Frame::Heartbeat(_) | Frame::Events(_) => {}
            frame => panic!("{frame:?}"),
        }
    }
}

#[tokio::test]
async fn shutdown_sends_a_goodbye_with_a_reconnect_delay_on_every_stream() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(ada.follow(vec![]).await.1);
    }
    let stopping = tokio::spawn(server.shutdown());
    let mut times = std::collections::BTreeSet::new();
    for stream in &mut streams {
        let Frame::Goodbye(goodbye) = stream.next().await else { panic!("no goodbye") };
        assert_eq!((goodbye.reason(), goodbye.reconnect), (pb::GoodbyeReason::Shutdown, true));
        assert!((500..=5_000).contains(&goodbye.reconnect_after_ms));
        times.insert(goodbye.reconnect_after_ms);
        assert!(stream.try_next().await.is_none(), "and the stream ends well");
    }
    assert!(times.len() > 1, "not all at the same time");
    stopping.await.unwrap();
    let status = ada.try_send("general", vec![1; 16], "late").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn sigterm_closes_the_database_cleanly() {
    let mut server = ChildServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let (_, mut live) = ada.follow(vec![]).await;
    ada.send("general", "hi").await;
    assert_eq!(seqs(&live.events().await), [2]);
    let database = server.data_dir().join("chinwag.db");
    assert!(database.with_extension("db-wal").exists());
    assert!(server.terminate().await.success());
    let Frame::Goodbye(_) = live.next().await else { panic!("no goodbye") };
    assert!(!database.with_extension("db-wal").exists(), "everything is in the database file");
    server.restart().await;
    assert_eq!(ada.log("general").await.len(), 2);
}

#[tokio::test]
async fn second_server_on_the_same_folder_is_refused() {
    let server = TestServer::start().await;
    // A server that answers has locked its folder.
    Person::join(server.channel(), "Ada").await;
    let error = backend::chat::Chat::open(backend::chat::ChatOptions {
        data: server.data_dir(),
        ..Default::default()
    })
    .unwrap_err();
    assert!(error.to_string().starts_with("another server uses the data folder"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_reader_costs_no_memory_and_gets_everything_later() {
    // Few enough that they are sent before the stall timeout ends the stream of the reader, also on a busy machine.
    const MESSAGES: u64 = 12_000;
    let server = ChildServer::start().await;
    let ada = Person::join(server.channel(), "Ada").await;
    let connections: Vec<_> = (0..4).map(|_| server.channel()).collect();
    // Warm-up: let the server allocate what sending and storing need.
    send_many(&ada, &connections, 500, "warm").await;
    // A small window, so that the kernel's buffers do not read for the client.
    let narrow = Endpoint::from_shared(server.url()).unwrap().initial_stream_window_size(64 * 1024);
    let mut bob = Person::join(narrow.connect_lazy(), "Bob").await;
    let (first, mut live) = bob.follow(vec![]).await;
    let head = states(&first)[0].head_seq;
    let before = resident_kib(server.pid());

    let text = "x".repeat(1_000);
    let carol = Person::join(server.channel(), "Carol").await;
    send_many(&carol, &connections, MESSAGES, &text).await;
    let grown = resident_kib(server.pid()).saturating_sub(before);
    // 12,000 events of about 1,100 bytes are 13 MB. The tail holds 8 MiB, SQLite's caches some more.
    println!("12,000 messages passed a reader who did not read: the server grew by {grown} KiB");
    assert!(grown < 40 * 1024, "the server grew by {grown} KiB");

    let events = live.events_until(MESSAGES as usize).await;
    assert_eq!(seqs(&events), (head + 1..=head + MESSAGES).collect::<Vec<_>>());
}

#[tokio::test]
async fn closed_client_connections_are_noticed() {
    let server = ChildServer::start().await;
    let sockets = || open_sockets(server.pid());
    let mut ada = Person::join(server.channel(), "Ada").await;
    let idle = sockets();
    let streams: Vec<_> = {
        let mut streams = Vec::new();
        for _ in 0..5 {
            streams.push(ada.over(server.channel()).follow(vec![]).await.1);
        }
        streams
    };
    assert_eq!(sockets(), idle + 5);
    drop(streams);
    eventually("the sockets are closed", || async { sockets() == idle }).await;
    // The server still accepts connections.
    TcpStream::connect(server.addr).await.unwrap();
    ada.follow(vec![]).await;
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn open_sockets(pid: u32) -> usize {
    let fds = std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")).unwrap();
    let is_socket = |fd: std::io::Result<std::fs::DirEntry>| {
        let target = fd.ok().and_then(|fd| std::fs::read_link(fd.path()).ok());
        target.is_some_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    fds.map(is_socket).filter(|is_socket| *is_socket).count()
}
