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

fn kept(number: u128, author_id: &str, at_ms: i64) -> Kept {
    Kept {
        operation_id: id(number),
        author: Author { id: author_id.to_owned(), name: "Somebody".to_owned() },
        room_id: "general".to_owned(),
        at_ms,
        text: "text".to_owned(),
    }
}

#[test]
fn one_message_of_a_room_is_sent_at_a_time_in_the_order_of_writing() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    write(&mut outbox, 2, "a");
    write(&mut outbox, 3, "b");
    assert_eq!(due(&mut outbox), [1, 3]);
    assert_eq!(due(&mut outbox), []);
    outbox.stored(id(1), 7, 5);
    assert_eq!(due(&mut outbox), [2]);
}

#[test]
fn a_failure_that_may_pass_stops_everything_until_the_connection_is_back() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    write(&mut outbox, 2, "a");
    write(&mut outbox, 3, "b");
    assert_eq!(due(&mut outbox), [1, 3]);
    outbox.failed(id(1), &Status::unavailable("gone"), 0);
    assert_eq!(due(&mut outbox), []);
    outbox.stored(id(3), 7, 5);
    outbox.resume();
    assert_eq!(due(&mut outbox), [1], "the same message with the same id comes first again");
}

#[test]
fn every_code_that_may_pass_keeps_the_message_waiting() {
    for code in
        [Code::Unavailable, Code::DeadlineExceeded, Code::Unknown, Code::Internal, Code::Unauthenticated]
    {
        let mut outbox = Outbox::new("me");
        write(&mut outbox, 1, "a");
        due(&mut outbox);
        outbox.failed(id(1), &Status::new(code, "for now"), 0);
        assert_eq!(states(&outbox), [PendingState::Waiting], "{code:?}");
    }
}

#[test]
fn a_definite_refusal_is_not_sent_and_lets_the_others_pass() {
    for code in [Code::InvalidArgument, Code::NotFound, Code::PermissionDenied, Code::Unimplemented] {
        let mut outbox = Outbox::new("me");
        write(&mut outbox, 1, "a");
        write(&mut outbox, 2, "a");
        due(&mut outbox);
        outbox.failed(id(1), &Status::new(code, "no"), 0);
        let refusal = Refusal { code, message: "no".to_owned() };
        assert_eq!(states(&outbox)[0], PendingState::NotSent(Reason::Refused(refusal)));
        assert_eq!(due(&mut outbox), [2]);
    }
}

#[test]
fn a_message_that_the_server_cannot_digest_does_not_hold_up_the_others_for_ever() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    write(&mut outbox, 2, "a");
    for _ in 0..ATTEMPTS_MAX {
        assert_eq!(due(&mut outbox), [1]);
        outbox.failed(id(1), &Status::internal("no idea"), 0);
        outbox.resume();
    }
    assert!(matches!(states(&outbox)[0], PendingState::NotSent(_)));
    assert_eq!(due(&mut outbox), [2]);
}

#[test]
fn a_night_without_network_costs_no_message() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    for _ in 0..1_000 {
        assert_eq!(due(&mut outbox), [1]);
        outbox.failed(id(1), &Status::unavailable("gone"), 0);
        outbox.resume();
    }
    assert_eq!(states(&outbox), [PendingState::Waiting]);
}

#[test]
fn a_server_that_asks_to_wait_gets_nothing_before_that_time_and_no_attempt_is_counted() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    write(&mut outbox, 2, "b");
    let mut now_ms = 0;
    for _ in 0..ATTEMPTS_MAX * 2 {
        let due: Vec<_> = outbox.take_due(now_ms).iter().map(|p| p.operation_id.as_u128()).collect();
        assert!(due.contains(&1), "{due:?}");
        outbox.failed(id(1), &wait_ms(1_500), now_ms);
        outbox.resume();
        assert_eq!(outbox.take_due(now_ms + 1_499), [], "the other room waits too");
        assert_eq!(outbox.held_for_ms(now_ms + 1_000), Some(500));
        now_ms += 1_500;
        assert_eq!(outbox.held_for_ms(now_ms), None);
    }
    assert_eq!(outbox.all()[0].state, PendingState::Waiting);
}

#[test]
fn a_wait_that_a_server_asks_for_by_mistake_is_cut() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    due(&mut outbox);
    outbox.failed(id(1), &wait_ms(u32::MAX), 0);
    assert_eq!(outbox.held_for_ms(0), Some(LONGEST_HOLD_MS));
}

#[test]
fn a_wait_ends_when_this_machines_clock_is_set_back() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    let start = 10 * HOUR_MS;
    assert_eq!(outbox.take_due(start).len(), 1);
    outbox.failed(id(1), &wait_ms(2_000), start);
    assert_eq!(outbox.take_due(start + 1_000), []);
    assert_eq!(outbox.take_due(start - 3 * HOUR_MS).len(), 1);
    outbox.failed(id(1), &wait_ms(1_000), start - 3 * HOUR_MS);
    assert_eq!(outbox.held_for_ms(start - 3 * HOUR_MS), Some(1_000), "a new wait is one of the new clock");
}

#[test]
fn a_server_that_asks_for_no_wait_is_not_asked_again_at_once() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    due(&mut outbox);
    outbox.failed(id(1), &wait_ms(0), 0);
    assert_eq!(outbox.held_for_ms(0), Some(SHORTEST_HOLD_MS));
}

#[test]
fn a_refusal_that_cannot_pass_is_not_sent_whatever_wait_it_names() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    due(&mut outbox);
    let mut status = Status::invalid_argument("no");
    status.metadata_mut().insert("grpc-retry-pushback-ms", "1000".parse().unwrap());
    outbox.failed(id(1), &status, 0);
    assert!(matches!(states(&outbox)[0], PendingState::NotSent(_)));
}

fn wait_ms(millis: u32) -> Status {
    let mut status = Status::resource_exhausted("later");
    status.metadata_mut().insert("grpc-retry-pushback-ms", millis.into());
    status
}

#[test]
fn try_again_sends_with_the_same_id_and_discard_forgets() {
    let mut outbox = Outbox::new("me");
    for number in [1, 2] {
        write(&mut outbox, number, "a");
        due(&mut outbox);
        outbox.failed(id(number), &Status::invalid_argument("no"), 0);
    }
    outbox.take_changes();
    outbox.try_again(id(1), &me(), 5);
    assert_eq!(due(&mut outbox), [1]);
    assert!(matches!(&outbox.take_changes()[..], [Change::Keep(kept)] if kept.operation_id == id(1)));
    outbox.discard(id(1));
    assert_eq!(outbox.all().len(), 2, "what is being sent cannot be discarded");
    outbox.discard(id(2));
    assert_eq!(outbox.all().len(), 1);
    assert_eq!(outbox.take_changes(), [Change::Discard { author_id: "me".to_owned(), operation_id: id(2) }]);
}

#[test]
fn a_message_is_kept_until_it_is_stored_and_forgotten_once() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 1, "a");
    write(&mut outbox, 2, "a");
    let changes = outbox.take_changes();
    assert!(changes.iter().all(|change| matches!(change, Change::Keep(_))) && changes.len() == 2);
    let forget = |number| Change::Forget { author_id: "me".to_owned(), operation_id: id(number) };
    outbox.settle(id(1));
    outbox.settle(id(1));
    assert_eq!(outbox.take_changes(), [forget(1)]);
    outbox.stored(id(2), 7, 5);
    outbox.settle(id(2));
    assert_eq!(outbox.take_changes(), [forget(2)]);
}

#[test]
fn what_was_kept_is_sent_after_a_reload_in_its_order() {
    let mut outbox = Outbox::new("me");
    write(&mut outbox, 5, "general");
    outbox.restore([kept(3, "me", 0), kept(1, "me", 0), kept(5, "me", 0)], HOUR_MS);
    let ids: Vec<u128> = outbox.all().iter().map(|pending| pending.operation_id.as_u128()).collect();
    assert_eq!(ids, [1, 3, 5]);
    assert_eq!(due(&mut outbox), [1]);
    assert!(
        outbox
            .take_changes()
            .iter()
            .all(|change| matches!(change, Change::Keep(kept) if kept.operation_id == id(5)))
    );
}

#[test]
fn what_is_older_than_a_day_is_shown_and_not_sent() {
    let mut outbox = Outbox::new("me");
    outbox.restore([kept(1, "me", 0), kept(2, "me", 2 * HOUR_MS)], 25 * HOUR_MS);
    assert_eq!(states(&outbox), [PendingState::NotSent(Reason::TooOld), PendingState::Waiting]);
    assert_eq!(outbox.take_due(27 * HOUR_MS), [], "it grew too old while it waited");
    outbox.try_again(id(1), &me(), 27 * HOUR_MS);
    assert_eq!(outbox.take_due(27 * HOUR_MS).len(), 1);
}

#[test]
fn what_somebody_else_wrote_here_is_sent_only_when_asked_and_then_as_this_user() {
    let mut outbox = Outbox::new("me");
    outbox.restore([kept(1, "old", 0)], 0);
    assert_eq!(states(&outbox), [PendingState::NotSent(Reason::OtherUser)]);
    assert_eq!(due(&mut outbox), []);
    outbox.try_again(id(1), &me(), 0);
    assert_eq!(outbox.all()[0].author, me());
    let changes = outbox.take_changes();
    assert_eq!(changes[0], Change::Forget { author_id: "old".to_owned(), operation_id: id(1) });
    assert!(matches!(&changes[1], Change::Keep(pending) if pending.author.id == "me"));
    assert_eq!(due(&mut outbox), [1]);
}

#[test]
fn what_another_tab_discarded_is_gone_here_too() {
    let mut outbox = Outbox::new("me");
    outbox.restore([kept(1, "me", 0)], 0);
    outbox.discarded_elsewhere(id(1));
    assert!(outbox.all().is_empty());
}
