//! Tests of the connection's state and its strip.

use super::*;

fn live() -> Connection {
    let mut connection = Connection::new(true, 0.0);
    connection.set_link(Link::Live, 50.0);
    connection
}

fn waiting(until_ms: f64, cause: Cause) -> Link {
    Link::Waiting { until_ms, cause }
}

fn failing(cause: Cause, seconds: Option<u64>) -> Strip {
    Strip::Failing { cause, seconds }
}

#[test]
fn nothing_is_shown_while_connected() {
    assert_eq!(live().strip(0, 1_000_000.0), Strip::Nothing);
    assert_eq!(live().changes_in_ms(1_000_000.0), None);
}

#[test]
fn a_quick_connection_is_not_shown() {
    let mut connection = Connection::new(true, 0.0);
    assert_eq!(connection.strip(0, 999.0), Strip::Nothing);
    connection.set_link(Link::Live, 999.0);
    assert_eq!(connection.strip(0, 2_000.0), Strip::Nothing);
}

#[test]
fn a_slow_connection_is_shown_after_the_grace_time() {
    let connection = Connection::new(true, 0.0);
    assert_eq!(connection.changes_in_ms(100.0), Some(900.0));
    assert_eq!(connection.strip(0, 1_000.0), Strip::Connecting);
}

#[test]
fn the_grace_time_does_not_restart_with_each_attempt() {
    let mut connection = live();
    connection.set_link(waiting(1_200.0, Cause::Ended), 1_000.0);
    connection.set_link(Link::Connecting, 1_200.0);
    assert_eq!(connection.strip(0, 1_299.0), Strip::Nothing);
    assert_eq!(connection.strip(0, 1_300.0), Strip::Connecting);
}

#[test]
fn the_wait_is_counted_down_in_seconds() {
    let mut connection = live();
    connection.set_link(waiting(5_000.0, Cause::Ended), 1_000.0);
    assert_eq!(connection.strip(0, 1_400.0), failing(Cause::Ended, Some(4)));
    assert_eq!(connection.changes_in_ms(1_400.0), Some(600.0));
    assert_eq!(connection.strip(0, 2_000.5), failing(Cause::Ended, Some(3)));
    assert_eq!(connection.strip(0, 5_000.0), failing(Cause::Ended, None));
}

#[test]
fn the_cause_stays_in_the_strip_until_the_server_is_heard() {
    let mut connection = live();
    connection.set_link(waiting(2_000.0, Cause::Http(502)), 1_000.0);
    connection.set_link(Link::Connecting, 2_000.0);
    assert_eq!(connection.strip(0, 2_100.0), failing(Cause::Http(502), None));
    connection.set_link(Link::CatchingUp, 2_200.0);
    assert_eq!(connection.strip(7, 9_000.0), Strip::CatchingUp(7));
    connection.set_link(Link::Live, 9_100.0);
    assert_eq!(connection.strip(0, 9_100.0), Strip::Nothing);
}

#[test]
fn offline_is_shown_at_once_and_only_until_the_server_is_heard() {
    let mut connection = live();
    connection.set_online(false);
    assert_eq!(connection.strip(0, 1_000.0), Strip::Offline);
    assert!(connection.can_send(), "the report is a hint");
    connection.heard();
    assert_eq!(connection.strip(0, 1_000.0), Strip::Nothing, "the report was wrong");
    connection.set_link(waiting(9_000.0, Cause::Unreachable), 2_000.0);
    assert_eq!(connection.strip(0, 2_500.0), Strip::Offline);
    connection.set_online(true);
    assert_eq!(connection.strip(0, 2_500.0), failing(Cause::Unreachable, Some(7)));
}

#[test]
fn missed_events_are_counted() {
    let mut connection = live();
    connection.set_link(Link::Connecting, 1_000.0);
    connection.set_link(Link::CatchingUp, 1_000.0);
    assert_eq!(connection.strip(120, 1_100.0), Strip::Nothing);
    assert_eq!(connection.strip(120, 2_000.0), Strip::CatchingUp(120));
}

#[test]
fn failing_calls_are_shown_while_the_stream_works() {
    let mut connection = live();
    connection.call_failed(Cause::Http(404));
    assert_eq!(connection.strip(0, 1_000.0), failing(Cause::Http(404), None));
    connection.call_answered();
    assert_eq!(connection.strip(0, 1_000.0), Strip::Nothing);
}

#[test]
fn failing_calls_stay_in_the_strip_while_a_new_stream_is_made() {
    let mut connection = live();
    connection.call_failed(Cause::Http(404));
    connection.set_link(Link::Connecting, 1_000.0);
    assert_eq!(connection.strip(0, 1_000.0), failing(Cause::Http(404), None));
    connection.set_link(waiting(2_000.0, Cause::Http(404)), 1_010.0);
    assert_eq!(connection.strip(0, 1_010.0), failing(Cause::Http(404), Some(1)));
    connection.set_link(Link::Live, 2_050.0);
    assert_eq!(connection.strip(0, 2_050.0), Strip::Nothing);
}

#[test]
fn messages_wait_for_a_server_that_does_not_answer() {
    for (cause, sends) in [(Cause::Unreachable, false), (Cause::Http(403), false), (Cause::Busy, true)] {
        let mut connection = live();
        connection.set_link(waiting(5_000.0, cause), 1_000.0);
        assert_eq!(connection.can_send(), sends, "{cause:?}");
        connection.retry_now();
        assert!(connection.can_send(), "a person asked");
    }
}

#[test]
fn an_attempt_without_a_message_is_checked_by_short_calls() {
    let mut connection = live();
    connection.set_link(Link::Connecting, 1_000.0);
    assert!(!connection.take_check(2_400.0));
    assert!(connection.take_check(2_500.0));
    assert!(!connection.take_check(3_400.0));
    assert!(connection.take_check(3_500.0), "beside the first one");
    assert!(!connection.checked(Some(Cause::Silent), 4_500.0));
    assert_eq!(connection.strip(0, 4_500.0), failing(Cause::Silent, None));
    assert!(!connection.can_send());
}

#[test]
fn an_attempt_starts_again_when_the_server_answers_anew() {
    let mut connection = live();
    connection.set_link(Link::Connecting, 1_000.0);
    connection.take_check(2_500.0);
    connection.checked(Some(Cause::Silent), 4_500.0);
    assert!(connection.checked(None, 5_000.0), "the attempt's connection may stay dead");
    assert!(connection.can_send());
    connection.checked(Some(Cause::Silent), 5_500.0);
    assert!(connection.can_send(), "a check that began earlier says nothing new");
}

#[test]
fn a_stream_that_is_held_back_is_told_from_a_silent_server() {
    let mut connection = live();
    connection.set_link(Link::Connecting, 1_000.0);
    connection.take_check(2_500.0);
    assert!(!connection.checked(None, 2_600.0), "the attempt may only be slow");
    connection.set_link(waiting(7_000.0, Cause::Silent), 6_000.0);
    assert_eq!(connection.strip(0, 7_000.0), failing(Cause::StreamSilent, None));
    assert!(connection.can_send());
}

#[test]
fn another_tab_reads_the_same_state_from_the_numbers() {
    for cause in [Cause::Ended, Cause::StreamSilent, Cause::TooManyStreams, Cause::Http(502)] {
        let numbers = waiting(1_500.0, cause).to_numbers(1_000.0);
        assert_eq!(Link::from_numbers(numbers, 7_000.0), waiting(7_500.0, cause));
        assert_eq!(Cause::from_number(cause.to_number()), Some(cause));
    }
    for link in [Link::Connecting, Link::CatchingUp, Link::Live] {
        assert_eq!(Link::from_numbers(link.to_numbers(0.0), 0.0), link);
    }
    assert_eq!(Link::from_numbers([9.0, 99.0, 0.0], 0.0), Link::Connecting);
}

#[test]
fn too_many_tabs_are_said_whatever_the_stream_does() {
    let mut connection = live();
    connection.set_too_many_tabs(true);
    assert_eq!(connection.strip(0, 1_000.0), failing(Cause::TooManyTabs, None));
    connection.set_link(Link::Connecting, 1_000.0);
    assert_eq!(connection.strip(0, 1_000.0), failing(Cause::TooManyTabs, None));
    connection.set_too_many_tabs(false);
    assert_eq!(connection.strip(0, 1_000.0), Strip::Nothing);
}

#[test]
fn the_attempt_after_a_silent_one_is_checked_early() {
    let mut connection = live();
    connection.set_link(waiting(1_000.0, Cause::Silent), 1_000.0);
    connection.set_link(Link::Connecting, 1_000.0);
    assert!(connection.take_check(1_250.0));
    assert!(connection.checked(None, 1_300.0), "the attempt may be on a dead connection");
}
