//! Marks of bytes, looks at them, and what may be cancelled.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Full};

use super::*;

fn calls() -> Arc<Calls> {
    Arc::new(Calls::new(&ServeOptions::default(), false))
}

fn calls_of_proxy() -> Arc<Calls> {
    Arc::new(Calls::new(&ServeOptions::default(), true))
}

fn answer(call: &Arc<Call>, length: usize) -> Answer<Full<Bytes>> {
    Answer::new(Full::new(vec![0; length].into()), Arc::clone(call))
}

/// The next frame when there is one at once: its bytes, or nothing at the end.
fn next(body: &mut Answer<Full<Bytes>>) -> Option<Option<Untaken<Bytes>>> {
    let frame: Option<Result<_, Infallible>> = body.frame().now_or_never()?;
    Some(frame.map(|frame| frame.unwrap().into_data().unwrap()))
}

#[test]
fn the_end_of_a_large_answer_is_told_when_nearly_all_of_it_was_taken() {
    let call = calls().begin();
    let mut body = answer(&call, MAX_UNTAKEN_AT_END + 1);
    let mut bytes = next(&mut body).unwrap().unwrap();

    assert!(!body.is_end_stream());
    assert!(next(&mut body).is_none(), "the end was told too early");
    bytes.advance(1);
    assert!(body.is_end_stream());
    assert!(next(&mut body).unwrap().is_none());
}

#[test]
fn the_end_of_a_small_answer_is_told_with_its_bytes() {
    let call = calls().begin();
    let mut body = answer(&call, MAX_UNTAKEN_AT_END);

    let _untaken = next(&mut body).unwrap().unwrap();

    assert!(body.is_end_stream());
}

#[tokio::test]
async fn a_call_is_ended_after_so_many_looks_in_which_nothing_was_taken() {
    let calls = calls();
    let (idle, taking, stalled) = (calls.begin(), calls.begin(), calls.begin());
    let task = tokio::spawn(std::future::pending::<()>());
    calls.runs(task.abort_handle());
    let mut bytes = taking.give(Bytes::from_static(&[0; 100]));
    let _untaken = stalled.give(Bytes::from_static(&[0; 100]));

    // The first look sees that the bytes are new.
    for _ in 0..LOOKS {
        assert_eq!(calls.look(), Looked::default());
        bytes.advance(1);
    }
    assert_eq!(calls.look(), Looked { ended: 1, stuck: false });
    assert!(task.await.unwrap_err().is_cancelled());
    bytes.advance(1);
    // What its task has left behind is freed with the connection alone.
    assert_eq!(calls.look(), Looked { ended: 0, stuck: true });
    drop((idle, taking));
}

#[tokio::test]
async fn a_call_through_a_proxy_has_as_long_again_to_end_before_it_ends_the_connection() {
    let calls = calls_of_proxy();
    let call = calls.begin();
    let task = tokio::spawn(std::future::pending::<()>());
    calls.runs(task.abort_handle());
    let _untaken = call.give(Bytes::from_static(&[0; 100]));

    let looks: Vec<_> = (0..=2 * LOOKS).map(|_| calls.look()).collect();

    assert_eq!(looks.iter().position(|looked| looked.ended == 1), Some(4));
    assert_eq!(looks.iter().position(|looked| looked.stuck), Some(8));
}

#[test]
fn the_end_of_a_small_answer_through_a_proxy_is_told_when_all_of_it_was_taken() {
    let call = calls_of_proxy().begin();
    let mut body = answer(&call, 2);
    let mut bytes = next(&mut body).unwrap().unwrap();

    bytes.advance(1);
    assert!(!body.is_end_stream() && next(&mut body).is_none(), "the end was told too early");
    bytes.advance(1);
    assert!(body.is_end_stream());
}

#[test]
fn a_call_without_a_task_of_its_own_ends_with_the_connection() {
    let calls = calls();
    let call = calls.begin();
    let _untaken = call.give(Bytes::from_static(&[0; 100]));

    let looks: Vec<_> = (0..=LOOKS).map(|_| calls.look().stuck).collect();

    assert_eq!(looks, [false, false, false, false, true]);
}

#[test]
fn a_call_is_open_until_its_bytes_are_taken() {
    let calls = calls();
    let call = calls.begin();
    let mut bytes = call.give(Bytes::from_static(&[0; 100]));

    drop(call);
    assert!(!calls.is_empty());
    bytes.advance(99);
    drop(bytes);

    assert!(calls.is_empty());
}

#[test]
fn what_may_be_cancelled_comes_back_with_time() {
    let begin = Instant::now();
    let mut allowance = Allowance { left: 2, most: 2, per_second: 1, counted: begin };
    let mut taken_at = |millis| allowance.take(begin + Duration::from_millis(millis));

    assert!(taken_at(0) && taken_at(500) && !taken_at(999));
    assert!(taken_at(1_000) && !taken_at(1_999));
    assert!(taken_at(10_000) && taken_at(10_000) && !taken_at(10_000));
}
