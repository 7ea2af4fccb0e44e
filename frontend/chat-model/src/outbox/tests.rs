//! Tests of the outbox: order, failures, pushback, storage.

use super::*;

const HOUR_MS: i64 = 60 * 60 * 1_000;

fn me() -> Arc<Author> {
    Arc::new(Author { id: "me".to_owned(), name: "Me".to_owned() })
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn write(outbox: &mut Outbox, number: u128, room_id: &str) {
    outbox.add(id(number), me(), room_id, &format!("text {number}"), 0);
}

fn due(outbox: &mut Outbox) -> Vec<u128> {
    outbox.take_due(0).iter().map(|pending| pending.operation_id.as_u128()).collect()
}

fn states(outbox: &Outbox) -> Vec<PendingState> {
    outbox.all().iter().map(|pending| pending.state.clone()).collect()
}

fn stored(number: u128, author_id: &str, at_ms: i64) -> StoredMessage {
    StoredMessage {
        operation_id: id(number),
        author: Author { id: author_id.to_owned(), name: "Somebody".to_owned() },
        room_id: "general".to_owned(),
        at_ms,
        text: "text".to_owned(),
    }
}

#[test]
fn a_room_sends_one_message_at_a_time_in_order() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    write(&mut outbox, 2, "a");
    write(&mut outbox, 3, "b");
    assert_eq!(due(&mut outbox), [1, 3]);
    assert_eq!(due(&mut outbox), []);
    outbox.mark_stored(id(1), 7, 5);
    assert_eq!(due(&mut outbox), [2]);
}

#[test]
fn a_transient_failure_pauses_all_rooms_until_resumed() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    write(&mut outbox, 2, "a");
    write(&mut outbox, 3, "b");
    assert_eq!(due(&mut outbox), [1, 3]);
    outbox.mark_failed(id(1), &failure(Code::Unavailable, "gone"), 0);
    assert_eq!(due(&mut outbox), []);
    outbox.mark_stored(id(3), 7, 5);
    outbox.resume();
    assert_eq!(due(&mut outbox), [1], "the failed message comes first again");
}

#[test]
fn transient_codes_keep_the_message_waiting() {
    for code in
        [Code::Unavailable, Code::DeadlineExceeded, Code::Unknown, Code::Internal, Code::Unauthenticated]
    {
        let mut outbox = Outbox::new("me");
        write(&mut outbox, 1, "a");
        due(&mut outbox);
        outbox.mark_failed(id(1), &failure(code, "for now"), 0);
        assert_eq!(states(&outbox), [PendingState::Waiting], "{code:?}");
    }
}

#[test]
fn a_refused_message_does_not_block_the_next() {
    for code in [Code::InvalidArgument, Code::NotFound, Code::PermissionDenied, Code::Unimplemented] {
        let mut outbox = Outbox::new("me");
        write(&mut outbox, 1, "a");
        write(&mut outbox, 2, "a");
        due(&mut outbox);
        outbox.mark_failed(id(1), &failure(code, "no"), 0);
        let reason = NotSentReason::Refused { code, message: "no".to_owned() };
        assert_eq!(states(&outbox)[0], PendingState::NotSent(reason));
        assert_eq!(due(&mut outbox), [2]);
    }
}

#[test]
fn a_message_is_given_up_after_its_attempts() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    write(&mut outbox, 2, "a");
    for _ in 0..MAX_ATTEMPTS {
        assert_eq!(due(&mut outbox), [1]);
        outbox.mark_failed(id(1), &failure(Code::Internal, "no idea"), 0);
        outbox.resume();
    }
    assert!(matches!(states(&outbox)[0], PendingState::NotSent(_)));
    assert_eq!(due(&mut outbox), [2]);
}

#[test]
fn network_failures_do_not_count_as_attempts() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    for _ in 0..1_000 {
        assert_eq!(due(&mut outbox), [1]);
        outbox.mark_failed(id(1), &failure(Code::Unavailable, "gone"), 0);
        outbox.resume();
    }
    assert_eq!(states(&outbox), [PendingState::Waiting]);
}

#[test]
fn a_pushback_stops_all_rooms_and_counts_no_attempt() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    write(&mut outbox, 2, "b");
    let mut now_ms = 0;
    for _ in 0..MAX_ATTEMPTS * 2 {
        let due: Vec<_> = outbox.take_due(now_ms).iter().map(|p| p.operation_id.as_u128()).collect();
        assert!(due.contains(&1), "{due:?}");
        outbox.mark_failed(id(1), &pushback_ms(1_500), now_ms);
        outbox.resume();
        assert_eq!(outbox.take_due(now_ms + 1_499), [], "the other room waits too");
        assert_eq!(outbox.pushback_left_ms(now_ms + 1_000), Some(500));
        now_ms += 1_500;
        assert_eq!(outbox.pushback_left_ms(now_ms), None);
    }
    assert_eq!(outbox.all()[0].state, PendingState::Waiting);
}

#[test]
fn a_pushback_has_an_upper_limit() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    due(&mut outbox);
    outbox.mark_failed(id(1), &pushback_ms(u32::MAX), 0);
    assert_eq!(outbox.pushback_left_ms(0), Some(MAX_PUSHBACK_MS));
}

#[test]
fn a_pushback_ends_when_the_clock_is_set_back() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    let start = 10 * HOUR_MS;
    assert_eq!(outbox.take_due(start).len(), 1);
    outbox.mark_failed(id(1), &pushback_ms(2_000), start);
    assert_eq!(outbox.take_due(start + 1_000), []);
    assert_eq!(outbox.take_due(start - 3 * HOUR_MS).len(), 1);
    outbox.mark_failed(id(1), &pushback_ms(1_000), start - 3 * HOUR_MS);
    assert_eq!(
        outbox.pushback_left_ms(start - 3 * HOUR_MS),
        Some(1_000),
        "a new pushback uses the new clock"
    );
}

#[test]
fn a_pushback_has_a_lower_limit() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    due(&mut outbox);
    outbox.mark_failed(id(1), &pushback_ms(0), 0);
    assert_eq!(outbox.pushback_left_ms(0), Some(MIN_PUSHBACK_MS));
}

#[test]
fn a_pushback_does_not_make_a_refusal_transient() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    due(&mut outbox);
    let pushback = Some(Duration::from_secs(1));
    outbox.mark_failed(id(1), &SendFailure { pushback, ..failure(Code::InvalidArgument, "no") }, 0);
    assert!(matches!(states(&outbox)[0], PendingState::NotSent(_)));
}

fn pushback_ms(millis: u32) -> SendFailure {
    let pushback = Some(Duration::from_millis(millis.into()));
    SendFailure { pushback, ..failure(Code::ResourceExhausted, "later") }
}

fn failure(code: Code, message: &str) -> SendFailure {
    SendFailure { code, cause: None, message: message.to_owned(), pushback: None }
}

#[test]
fn try_again_keeps_the_operation_id_and_discard_removes() {
    let mut outbox = Outbox::new("me");
    for number in [1, 2] {
        write(&mut outbox, number, "a");
        due(&mut outbox);
        outbox.mark_failed(id(number), &failure(Code::InvalidArgument, "no"), 0);
    }
    outbox.take_changes();
    outbox.try_again(id(1), &me(), 5);
    assert_eq!(due(&mut outbox), [1]);
    assert!(
        matches!(&outbox.take_changes()[..], [StorageChange::Put(stored)] if stored.operation_id == id(1))
    );
    outbox.discard(id(1));
    assert_eq!(outbox.all().len(), 2, "a message on its way cannot be discarded");
    outbox.discard(id(2));
    assert_eq!(outbox.all().len(), 1);
    assert_eq!(
        outbox.take_changes(),
        [StorageChange::Discard { author_id: "me".to_owned(), operation_id: id(2) }]
    );
}

#[test]
fn a_message_is_in_storage_until_it_is_settled() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    write(&mut outbox, 2, "a");
    let changes = outbox.take_changes();
    assert!(changes.iter().all(|change| matches!(change, StorageChange::Put(_))) && changes.len() == 2);
    let forget = |number| StorageChange::Remove { author_id: "me".to_owned(), operation_id: id(number) };
    outbox.settle(id(1));
    outbox.settle(id(1));
    assert_eq!(outbox.take_changes(), [forget(1)]);
    outbox.mark_stored(id(2), 7, 5);
    outbox.settle(id(2));
    assert_eq!(outbox.take_changes(), [forget(2)]);
}

#[test]
fn restored_messages_are_sent_in_order() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 5, "general");
    outbox.restore([stored(3, "me", 0), stored(1, "me", 0), stored(5, "me", 0)], HOUR_MS);
    let ids: Vec<u128> = outbox.all().iter().map(|pending| pending.operation_id.as_u128()).collect();
    assert_eq!(ids, [1, 3, 5]);
    assert_eq!(due(&mut outbox), [1]);
    assert!(
        outbox
            .take_changes()
            .iter()
            .all(|change| matches!(change, StorageChange::Put(stored) if stored.operation_id == id(5)))
    );
}

#[test]
fn messages_older_than_a_day_are_not_sent() {
    let mut outbox = Outbox::new("me");
    outbox.restore([stored(1, "me", 0), stored(2, "me", 2 * HOUR_MS)], 25 * HOUR_MS);
    assert_eq!(states(&outbox), [PendingState::NotSent(NotSentReason::TooOld), PendingState::Waiting]);
    assert_eq!(outbox.take_due(27 * HOUR_MS), [], "it became too old while it waited");
    outbox.try_again(id(1), &me(), 27 * HOUR_MS);
    assert_eq!(outbox.take_due(27 * HOUR_MS).len(), 1);
}

#[test]
fn another_users_message_is_sent_on_request_as_this_user() {
    let mut outbox = Outbox::new("me");
    outbox.restore([stored(1, "old", 0)], 0);
    assert_eq!(states(&outbox), [PendingState::NotSent(NotSentReason::OtherUser)]);
    assert_eq!(due(&mut outbox), []);
    outbox.try_again(id(1), &me(), 0);
    assert_eq!(outbox.all()[0].author, me());
    let changes = outbox.take_changes();
    assert_eq!(changes[0], StorageChange::Remove { author_id: "old".to_owned(), operation_id: id(1) });
    assert!(matches!(&changes[1], StorageChange::Put(stored) if stored.author.id == "me"));
    assert_eq!(due(&mut outbox), [1]);
}

#[test]
fn a_message_discarded_in_another_tab_is_removed() {
    let mut outbox = Outbox::new("me");
    outbox.restore([stored(1, "me", 0)], 0);
    outbox.remove_discarded(id(1));
    assert!(outbox.all().is_empty());
}
