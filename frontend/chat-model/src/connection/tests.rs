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

fn failing(cause: Cause, retry: Retry) -> Strip {
    Strip::Failing { cause, retry }
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
    assert_eq!(connection.strip(0, 1_300.0), failing(Cause::Ended, Retry::Soon));
}

#[test]
fn the_wait_is_counted_down_in_seconds() {
    let mut connection = live();
    connection.set_link(waiting(5_000.0, Cause::Ended), 1_000.0);
    assert_eq!(connection.strip(0, 1_400.0), failing(Cause::Ended, Retry::After(4)));
    assert_eq!(connection.changes_in_ms(1_400.0), Some(600.0));
    assert_eq!(connection.strip(0, 2_000.5), failing(Cause::Ended, Retry::After(3)));
    assert_eq!(connection.strip(0, 4_000.5), failing(Cause::Ended, Retry::After(1)));
    assert_eq!(connection.strip(0, 5_000.0), failing(Cause::Ended, Retry::Soon));
}

#[test]
fn a_short_wait_is_not_counted_down_and_its_sentence_stays_for_the_attempt() {
    let mut connection = live();
    connection.set_link(waiting(3_900.0, Cause::Unreachable), 1_000.0);
    let soon = failing(Cause::Unreachable, Retry::Soon);
    assert_eq!(connection.changes_in_ms(2_000.0), None);
    for now_ms in [1_400.0, 2_000.0, 3_800.0] {
        assert_eq!(connection.strip(0, now_ms), soon);
    }
    connection.set_link(Link::Connecting, 3_900.0);
    assert_eq!(connection.strip(0, 4_000.0), soon);
}

#[test]
fn a_wait_of_another_tab_is_counted_down_to_its_end() {
    let mut connection = live();
    connection.set_link(waiting(5_000.0, Cause::Unreachable), 1_000.0);
    // Told again, by another clock.
    connection.set_link(waiting(5_003.0, Cause::Unreachable), 3_000.0);
    assert_eq!(connection.strip(0, 3_100.0), failing(Cause::Unreachable, Retry::After(2)));
}

#[test]
fn the_cause_stays_in_the_strip_until_the_server_is_heard() {
    let mut connection = live();
    connection.set_link(waiting(2_000.0, Cause::Http(502)), 1_000.0);
    connection.set_link(Link::Connecting, 2_000.0);
    assert_eq!(connection.strip(0, 2_100.0), failing(Cause::Http(502), Retry::Soon));
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
    assert_eq!(connection.strip(0, 2_500.0), failing(Cause::Unreachable, Retry::After(7)));
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
    assert_eq!(connection.strip(0, 1_000.0), failing(Cause::Http(404), Retry::None));
    connection.call_answered();
    assert_eq!(connection.strip(0, 1_000.0), Strip::Nothing);
}

#[test]
fn failing_calls_stay_in_the_strip_while_a_new_stream_is_made() {
    let mut connection = live();
    connection.call_failed(Cause::Http(404));
    connection.set_link(Link::Connecting, 1_000.0);
    assert_eq!(connection.strip(0, 1_000.0), failing(Cause::Http(404), Retry::Soon));
    connection.set_link(waiting(2_000.0, Cause::Http(404)), 1_010.0);
    assert_eq!(connection.strip(0, 1_010.0), failing(Cause::Http(404), Retry::Soon));
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
    assert_eq!(connection.take_due(2_400.0), None);
    assert_eq!(connection.take_due(2_500.0), Some(Due::Check));
    assert_eq!(connection.take_due(3_400.0), None);
    assert_eq!(connection.take_due(3_500.0), Some(Due::Check), "beside the first one");
    assert!(!connection.checked(Some(Cause::Silent), 4_500.0));
    assert_eq!(connection.strip(0, 4_500.0), failing(Cause::Silent, Retry::Soon));
    assert!(!connection.can_send());
}

#[test]
fn an_attempt_starts_again_when_the_server_answers_anew() {
    let mut connection = live();
    connection.set_link(Link::Connecting, 1_000.0);
    connection.take_due(2_500.0);
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
    connection.take_due(2_500.0);
    assert!(!connection.checked(None, 2_600.0), "the attempt may only be slow");
    connection.set_link(waiting(7_000.0, Cause::Silent), 6_000.0);
    assert_eq!(connection.strip(0, 7_000.0), failing(Cause::StreamSilent, Retry::Soon));
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
    assert_eq!(connection.strip(0, 1_000.0), failing(Cause::TooManyTabs, Retry::None));
    connection.set_link(Link::Connecting, 1_000.0);
    assert_eq!(connection.strip(0, 1_000.0), failing(Cause::TooManyTabs, Retry::None));
    connection.set_too_many_tabs(false);
    assert_eq!(connection.strip(0, 1_000.0), Strip::Nothing);
}

#[test]
fn the_attempt_after_a_silent_one_is_checked_early() {
    let mut connection = live();
    connection.set_link(waiting(1_000.0, Cause::Silent), 1_000.0);
    connection.set_link(Link::Connecting, 1_000.0);
    assert_eq!(connection.take_due(1_250.0), Some(Due::Check));
    assert!(connection.checked(None, 1_300.0), "the attempt may be on a dead connection");
}

/// A connection whose stream a proxy has held back until now, 10 s, when the next attempt begins.
fn held_back() -> Connection {
    let mut connection = live();
    connection.set_link(Link::Connecting, 1_000.0);
    connection.take_due(2_500.0);
    connection.checked(None, 2_510.0);
    connection.set_link(waiting(10_000.0, Cause::Silent), 10_000.0);
    connection.set_link(Link::Connecting, 10_000.0);
    connection
}

/// An attempt that begins at `began_ms`, is checked 250 ms later and ends as its subscription's timeout or replacement does, `after_ms`
/// after the answer to the check.
fn hold_back(connection: &mut Connection, began_ms: f64, after_ms: f64) -> f64 {
    assert_eq!(connection.take_due(began_ms + 250.0), Some(Due::Check));
    assert!(!connection.checked(None, began_ms + 270.0), "the network works");
    let now_ms = began_ms + 270.0 + after_ms;
    assert_eq!(connection.take_due(now_ms - 70.0), None);
    assert_eq!(connection.changes_in_ms(now_ms - 270.0), Some(270.0));
    assert_eq!(connection.take_due(now_ms), Some(Due::Replacement));
    now_ms
}

#[test]
fn attempts_that_a_proxy_holds_back_are_replaced_less_and_less_often() {
    let mut connection = held_back();
    let mut began_ms = 10_000.0;
    for after_ms in [4_000.0, 8_000.0, 16_000.0, 30_000.0, 30_000.0] {
        let now_ms = hold_back(&mut connection, began_ms, after_ms);
        // The sentence stays, whatever the subscription says of its end.
        connection.set_link(waiting(now_ms, Cause::Ended), now_ms);
        connection.set_link(Link::Connecting, now_ms);
        assert_eq!(connection.strip(0, now_ms), failing(Cause::StreamSilent, Retry::Soon));
        assert!(connection.can_send());
        began_ms = now_ms;
    }
}

#[test]
fn an_attempt_without_an_answered_check_ends_the_row_of_those_held_back() {
    let mut connection = held_back();
    let now_ms = hold_back(&mut connection, 10_000.0, 4_000.0);
    connection.set_link(waiting(now_ms, Cause::Ended), now_ms);
    connection.set_link(Link::Connecting, now_ms);
    connection.set_link(waiting(20_000.0, Cause::Unreachable), 15_000.0);
    connection.set_link(Link::Connecting, 20_000.0);
    assert_eq!(connection.take_due(21_500.0), Some(Due::Check));
    connection.checked(None, 21_510.0);
    assert_eq!(connection.take_due(25_510.0), Some(Due::Replacement));
}

#[test]
fn an_attempt_over_a_slow_network_gets_more_time() {
    let mut connection = held_back();
    assert_eq!(connection.take_due(10_250.0), Some(Due::Check));
    connection.take_due(11_250.0);
    assert!(!connection.checked(None, 11_750.0));
    assert_eq!(connection.take_due(17_700.0), None);
    assert!(!connection.checked(None, 12_750.0), "the second check");
    assert_eq!(connection.take_due(17_750.0), Some(Due::Replacement));
}

#[test]
fn a_replacement_that_nobody_makes_is_due_again_later() {
    let mut connection = held_back();
    connection.take_due(10_250.0);
    connection.checked(None, 10_260.0);
    assert_eq!(connection.take_due(14_260.0), Some(Due::Replacement));
    assert_eq!(connection.take_due(18_200.0), None);
    assert_eq!(connection.take_due(18_260.0), Some(Due::Replacement));
}

#[test]
fn a_frame_ends_the_sentence_of_a_stream_that_was_held_back() {
    let mut connection = held_back();
    connection.set_link(Link::CatchingUp, 10_100.0);
    connection.set_link(waiting(10_300.0, Cause::Ended), 10_200.0);
    assert_eq!(connection.strip(0, 10_600.0), failing(Cause::Ended, Retry::Soon));
}
