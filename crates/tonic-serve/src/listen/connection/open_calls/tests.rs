//! Progress of calls, checks for stalls, and cancellations.

use std::convert::Infallible;

use bytes::{Buf as _, Bytes};
use futures_util::FutureExt as _;
use http::Request;
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};

use super::super::response_body::{ResponseBody, ResponseChunk};
use super::*;
use crate::budget::{Budget, OpenCall};

fn open_call() -> OpenCall {
    let budget = Budget::new(&ServeOptions::default(), Box::new(|_| false));
    let permit = budget.admit([192, 0, 2, 1].into()).unwrap();
    permit.peer().open_call(&mut Request::get("/").body(()).unwrap())
}

/// The account of a call on a new connection.
pub(in crate::listen::connection) fn test_account() -> Arc<CallAccount> {
    Arc::clone(open_call().account())
}

fn calls() -> Arc<OpenCalls> {
    Arc::new(OpenCalls::new(&ServeOptions::default(), false))
}

fn calls_of_proxy() -> Arc<OpenCalls> {
    Arc::new(OpenCalls::new(&ServeOptions::default(), true))
}

fn begin(calls: &Arc<OpenCalls>) -> Arc<CallProgress> {
    calls.begin(test_account())
}

fn chunk(call: &Arc<CallProgress>) -> ResponseChunk {
    ResponseChunk::new(Bytes::from_static(&[0; 100]), call)
}

fn response(calls: &Arc<OpenCalls>, length: usize) -> ResponseBody<Full<Bytes>> {
    let open = open_call();
    let call = calls.begin(Arc::clone(open.account()));
    ResponseBody::new(Full::new(vec![0; length].into()), open, call, None)
}

/// The next frame, if it is there at once: a chunk, or `None` at the end.
fn next(body: &mut ResponseBody<Full<Bytes>>) -> Option<Option<ResponseChunk>> {
    let frame: Option<Result<_, Infallible>> = body.frame().now_or_never()?;
    Some(frame.map(|frame| frame.unwrap().into_data().unwrap()))
}

#[test]
fn the_end_of_a_large_response_is_withheld_until_nearly_all_is_sent() {
    let mut body = response(&calls(), MAX_UNSENT_AT_END + 1);
    let mut chunk = next(&mut body).unwrap().unwrap();

    assert!(!body.is_end_stream());
    assert!(next(&mut body).is_none(), "the end came too early");
    chunk.advance(1);
    assert!(body.is_end_stream());
    assert!(next(&mut body).unwrap().is_none());
}

#[test]
fn the_end_of_a_small_response_comes_with_its_bytes() {
    let mut body = response(&calls(), MAX_UNSENT_AT_END);

    let _unsent = next(&mut body).unwrap().unwrap();

    assert!(body.is_end_stream());
}

#[tokio::test]
async fn a_call_is_ended_after_enough_checks_without_progress() {
    let calls = calls();
    let (idle, reading, stalled) = (begin(&calls), begin(&calls), begin(&calls));
    let task = tokio::spawn(std::future::pending::<()>());
    calls.set_task(task.abort_handle());
    let mut bytes = chunk(&reading);
    let _unsent = chunk(&stalled);

    // The first check sees that the bytes are new.
    for _ in 0..STALLED_CHECKS {
        assert_eq!(calls.check_stalls(), StallCheck::default());
        bytes.advance(1);
    }
    assert_eq!(calls.check_stalls(), StallCheck { ended: 1, must_close: false });
    assert!(task.await.unwrap_err().is_cancelled());
    bytes.advance(1);
    // Bytes that outlive the task are freed only with the connection.
    assert_eq!(calls.check_stalls(), StallCheck { ended: 0, must_close: true });
    drop((idle, reading));
}

#[tokio::test]
async fn a_stalled_call_closes_a_proxys_connection_only_after_twice_the_time() {
    let calls = calls_of_proxy();
    let call = begin(&calls);
    let task = tokio::spawn(std::future::pending::<()>());
    calls.set_task(task.abort_handle());
    let _unsent = chunk(&call);

    let checks: Vec<_> = (0..=2 * STALLED_CHECKS).map(|_| calls.check_stalls()).collect();

    assert_eq!(checks.iter().position(|check| check.ended == 1), Some(4));
    assert_eq!(checks.iter().position(|check| check.must_close), Some(8));
}

#[test]
fn the_end_of_a_response_through_a_proxy_is_withheld_until_all_is_sent() {
    let mut body = response(&calls_of_proxy(), 2);
    let mut chunk = next(&mut body).unwrap().unwrap();

    chunk.advance(1);
    assert!(!body.is_end_stream() && next(&mut body).is_none(), "the end came too early");
    chunk.advance(1);
    assert!(body.is_end_stream());
}

#[test]
fn a_stalled_call_without_a_task_closes_the_connection() {
    let calls = calls();
    let call = begin(&calls);
    let _unsent = chunk(&call);

    let checks: Vec<_> = (0..=STALLED_CHECKS).map(|_| calls.check_stalls().must_close).collect();

    assert_eq!(checks, [false, false, false, false, true]);
}

#[test]
fn a_call_is_open_until_its_bytes_are_sent() {
    let calls = calls();
    let call = begin(&calls);
    let mut bytes = chunk(&call);

    drop(call);
    assert!(!calls.is_empty());
    bytes.advance(99);
    drop(bytes);

    assert!(calls.is_empty());
}

#[test]
fn the_allowance_of_cancellations_is_refilled_each_second() {
    let begin = Instant::now();
    let mut allowance = Allowance { left: 2, max: 2, per_second: 1, counted: begin };
    let mut taken_at = |millis| allowance.take(begin + Duration::from_millis(millis));

    assert!(taken_at(0) && taken_at(500) && !taken_at(999));
    assert!(taken_at(1_000) && !taken_at(1_999));
    assert!(taken_at(10_000) && taken_at(10_000) && !taken_at(10_000));
}
