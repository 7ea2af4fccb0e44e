//! SIGKILL at any moment while many send and one follows: no acknowledged message is lost, duplicated or out of order.
//!
//! `CHINWAG_KILLS` and `CHINWAG_MESSAGES` extend it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proto::chat::v1 as pb;
use proto::chat::v1::subscribe_response::Frame;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::Code;

use crate::chat_client::{Person, operation_id, text_of};
use crate::support::ChildServer;

/// Number of concurrent senders.
const SENDERS: u64 = 16;

/// Delay before a sender or the follower retries.
const RETRY: Duration = Duration::from_millis(5);

/// An acknowledged message.
#[derive(Debug)]
struct Acknowledged {
    sender: u64,
    number: u64,
    seq: u64,
}

/// Counts of violations.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    lost: u64,
    duplicated: u64,
    out_of_order: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_duplicates_and_reorders_no_acknowledged_message() {
    let kills = from_env("CHINWAG_KILLS", 5);
    let messages = from_env("CHINWAG_MESSAGES", 2_000);
    let started = Instant::now();
    let mut server = ChildServer::start().await;
    let (progress, mut acknowledged_so_far) = watch::channel(0_u64);
    let progress = Arc::new(progress);
    let repeats = Arc::new(AtomicU64::new(0));

    let follower = Person::join(server.channel(), "Follower").await;
    let following = tokio::spawn(follow(follower.clone(), messages));
    let mut senders = Vec::new();
    for sender in 0..SENDERS {
        let person = Person::join(server.channel(), &format!("Sender {sender}")).await;
        let share = messages / SENDERS + u64::from(sender < messages % SENDERS);
        senders.push(tokio::spawn(send_all(person, sender, share, progress.clone(), repeats.clone())));
    }
    for kill in 0..kills {
        // A random moment of the traffic, possibly within a transaction.
        let until = messages * (kill + 1) / (kills + 2) + fastrand::u64(0..(messages / (kills + 2)).max(1));
        acknowledged_so_far.wait_for(|count| *count >= until).await.unwrap();
        for _ in 0..fastrand::u32(0..2_000) {
            tokio::task::yield_now().await;
        }
        server.kill().await;
        server.restart().await;
    }
    let mut acknowledged = Vec::new();
    for sender in senders {
        acknowledged.extend(sender.await.unwrap());
    }
    let seen =
        timeout(Duration::from_secs(60), following).await.expect("the follower did not get all").unwrap();

    let log = follower.clone().log("general").await;
    let stored = judge_log(&log, &acknowledged);
    let followed = judge_stream(&seen, &log);
    let repeats = repeats.load(Ordering::Relaxed);
    println!(
        "kill -9: kills={kills} acknowledged={} log: {stored:?} stream: {followed:?} answered_again={repeats} in {:.1} s",
        acknowledged.len(),
        started.elapsed().as_secs_f64(),
    );
    assert_eq!(acknowledged.len() as u64, messages);
    assert_eq!(log.len() as u64, messages + 1);
    assert_eq!((stored, followed), Default::default());
}

/// Sends messages one after the other, and repeats each with the same operation id until it is acknowledged.
async fn send_all(
    mut person: Person,
    sender: u64,
    count: u64,
    progress: Arc<watch::Sender<u64>>,
    repeats: Arc<AtomicU64>,
) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    for number in 0..count {
        let receipt = loop {
            let id = operation_id(&person.user.id, number);
            match person.try_send("general", id, &format!("{sender} {number}")).await {
                Ok(receipt) => break receipt,
                Err(status) => {
                    assert!(is_broken_connection(status.code()), "{status:?}");
                    sleep(RETRY).await;
                }
            }
        };
        repeats.fetch_add(receipt.duplicate.into(), Ordering::Relaxed);
        acknowledged.push(Acknowledged { sender, number, seq: receipt.seq });
        progress.send_modify(|count| *count += 1);
    }
    acknowledged
}

/// Follows general by cursor across all restarts. Returns all events in the order of arrival.
async fn follow(mut person: Person, messages: u64) -> Vec<pb::Event> {
    let mut seen = Vec::new();
    let mut cursor: Option<pb::Cursor> = None;
    loop {
        let cursors = cursor.iter().cloned().collect();
        let Ok(mut frames) = person.subscribe(cursors, 0).await else {
            sleep(RETRY).await;
            continue;
        };
        while let Some(Ok(frame)) = frames.try_next().await {
            match frame {
                Frame::RoomState(state) => match state.recovery() {
                    pb::Recovery::Fresh => {
                        assert!(cursor.is_none(), "the cursor was not answered");
                        let room_id = state.room.unwrap().id;
                        let fingerprint = state.head_fingerprint;
                        cursor = Some(pb::Cursor {
                            room_id,
                            epoch: state.epoch,
                            seq: state.head_seq,
                            fingerprint,
                        });
                    }
                    recovery => assert_eq!(recovery, pb::Recovery::Full),
                },
                Frame::Events(events) => {
                    let cursor = cursor.as_mut().unwrap();
                    (cursor.seq, cursor.fingerprint) =
                        (events.events.last().unwrap().seq, events.fingerprint);
                    seen.extend(events.events);
                }
                _ => {}
            }
            if seen.last().is_some_and(|event| event.seq > messages) {
                return seen;
            }
        }
    }
}

fn judge_log(log: &[pb::Event], acknowledged: &[Acknowledged]) -> Tally {
    let mut tally = Tally::default();
    let mut places = std::collections::HashMap::new();
    for (index, event) in log.iter().enumerate() {
        tally.out_of_order += u64::from(event.seq != index as u64 + 1);
        if places.insert(text_of(event), event.seq).is_some() {
            tally.duplicated += 1;
        }
    }
    let mut last = [(0, None); SENDERS as usize];
    for Acknowledged { sender, number, seq } in acknowledged {
        let text = format!("{sender} {number}");
        tally.lost += u64::from(places.get(text.as_str()) != Some(seq));
        let (last_seq, last_number) = &mut last[*sender as usize];
        tally.out_of_order += u64::from(*seq <= *last_seq || Some(*number) <= *last_number);
        (*last_seq, *last_number) = (*seq, Some(*number));
    }
    tally
}

fn judge_stream(seen: &[pb::Event], log: &[pb::Event]) -> Tally {
    let mut tally = Tally::default();
    let mut last = 1;
    for event in seen {
        match event.seq {
            seq if seq == last + 1 => {}
            seq if seq > last => tally.lost += seq - last - 1,
            seq if seq == last => tally.duplicated += 1,
            _ => tally.out_of_order += 1,
        }
        last = last.max(event.seq);
        tally.out_of_order += u64::from(log.get(event.seq as usize - 1) != Some(event));
    }
    tally.lost += log.len() as u64 - last;
    tally
}

/// Whether a call may end with `code` when its server is killed.
fn is_broken_connection(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal)
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}
