//! Logs with each kind of fault, and without.

use super::*;

/// Two senders of the room 0, and one of the room 1.
fn senders() -> Vec<Sent> {
    let sent = |user: &str, room, acknowledged: &[u64], attempted| Sent {
        user_id: user.to_owned(),
        room,
        acknowledged: acknowledged.to_vec(),
        attempted,
    };
    // The last message of the first was stored, and its acknowledgement was lost.
    vec![sent("ada", 0, &[2, 4], 3), sent("grace", 0, &[3, 5], 2), sent("mary", 1, &[2], 1)]
}

fn event(seq: u64, author: &str, sender: u32, number: u64) -> pb::Event {
    pb::Event {
        room_id: "general".to_owned(),
        seq,
        created_at_ms: 0,
        author: Some(pb::User { id: author.to_owned(), name: String::new() }),
        operation_id: operation_id(sender, number).into(),
        body: Some(Body::MessagePosted(pb::MessagePosted { text: text(sender, number) })),
    }
}

fn good_log() -> Vec<pb::Event> {
    let made = pb::Event {
        seq: 1,
        body: Some(Body::RoomCreated(pb::RoomCreated { name: "General".to_owned() })),
        ..Default::default()
    };
    vec![
        made,
        event(2, "ada", 0, 0),
        event(3, "grace", 1, 0),
        event(4, "ada", 0, 1),
        event(5, "grace", 1, 1),
        event(6, "ada", 0, 2),
    ]
}

/// Lost, twice, out of order, foreign.
fn faults(log: &[pb::Event]) -> [u64; 4] {
    let senders = senders();
    let mut check = LogCheck::new(0, &senders);
    log.iter().for_each(|event| check.event(event));
    let (verdict, short) = check.end();
    assert_eq!(short.len(), log.len());
    assert_eq!(verdict.is_good(), verdict.findings.is_empty(), "{verdict:?}");
    [verdict.lost, verdict.twice, verdict.out_of_order, verdict.foreign]
}

/// `log` with sequence numbers 1, 2, 3, ...
fn numbered(mut log: Vec<pb::Event>) -> Vec<pb::Event> {
    (1..).zip(&mut log).for_each(|(seq, event)| event.seq = seq);
    log
}

#[test]
fn a_good_log_may_contain_unacknowledged_messages() {
    assert_eq!(faults(&good_log()), [0; 4]);
    assert_eq!(faults(&good_log()[..5]), [0; 4]);
}

#[test]
fn a_missing_acknowledged_message_at_the_end_is_lost() {
    assert_eq!(faults(&good_log()[..4]), [1, 0, 0, 0]);
    assert_eq!(faults(&[]), [4, 0, 0, 0]);
}

#[test]
fn a_missing_acknowledged_message_in_the_middle_is_lost() {
    let mut log = good_log();
    log.remove(2);
    // The message, and the gap in the numbers.
    assert_eq!(faults(&log), [2, 0, 0, 0]);
    // Renumbered, the message and the later ones have other numbers than acknowledged.
    assert_eq!(faults(&numbered(log)), [3, 0, 0, 0]);
}

#[test]
fn a_doubled_message_is_reported() {
    let mut log = good_log();
    log.push(event(7, "grace", 1, 0));
    assert_eq!(faults(&log), [0, 1, 0, 0]);
}

#[test]
fn a_doubled_number_is_reported() {
    let mut log = good_log();
    log[5].seq = 5;
    assert_eq!(faults(&log), [0, 1, 0, 0]);
}

#[test]
fn messages_of_one_sender_in_another_order_are_reported() {
    let mut log = good_log();
    log.swap(1, 3);
    let log = numbered(log);
    // Neither has its acknowledged number.
    assert_eq!(faults(&log), [2, 0, 1, 0]);
}

#[test]
fn numbers_in_another_order_are_reported() {
    let mut log = good_log();
    log.swap(4, 5);
    assert_eq!(faults(&log), [1, 0, 1, 0]);
}

#[test]
fn an_event_that_is_older_than_the_one_before_it_is_reported() {
    let mut log = good_log();
    (1..).zip(&mut log).for_each(|(ms, event)| event.created_at_ms = ms);
    log[3].created_at_ms = 3;
    assert_eq!(faults(&log), [0; 4]);
    log[3].created_at_ms = 2;
    assert_eq!(faults(&log), [0, 0, 1, 0]);
}

#[test]
fn an_event_that_nobody_sent_is_foreign() {
    let never_tried = event(7, "ada", 0, 3);
    let of_somebody_else = event(7, "mallory", 0, 2);
    let of_another_room = event(7, "mary", 2, 0);
    let by_nobody = event(7, "ada", 99, 0);
    let mut another_operation = event(7, "ada", 0, 2);
    another_operation.operation_id = operation_id(0, 1).into();
    let mut other_words = event(7, "ada", 0, 2);
    other_words.body = Some(Body::MessagePosted(pb::MessagePosted { text: "Hello".to_owned() }));
    let made_again = pb::Event { seq: 7, ..good_log().remove(0) };
    for foreign in [
        never_tried,
        of_somebody_else,
        of_another_room,
        by_nobody,
        another_operation,
        other_words,
        made_again,
    ] {
        let mut log = good_log();
        log.push(foreign);
        assert_eq!(faults(&log), [0, 0, 0, 1], "{:?}", log[6]);
    }
}

#[test]
fn a_stream_must_equal_the_log() {
    let log: Vec<_> = good_log().iter().map(written).collect();
    let faults = |followed: &[Written]| {
        let mut verdict = Verdict::default();
        check_stream(&mut verdict, 0, 0, followed, &log);
        [verdict.lost, verdict.twice, verdict.out_of_order, verdict.foreign]
    };
    assert_eq!(faults(&log), [0; 4]);
    assert_eq!(faults(&log[..4]), [2, 0, 0, 0]);
    assert_eq!(faults(&[&log[..], &[Written::Foreign]].concat()), [0, 0, 0, 1]);
    let mut swapped = log.clone();
    swapped.swap(2, 3);
    assert_eq!(faults(&swapped), [0, 0, 1, 0]);
}
