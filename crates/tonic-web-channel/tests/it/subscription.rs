//! A subscription on paused time: every connection is one that the test scripts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};
use tonic_web_channel::retry::Backoff;
use tonic_web_channel::{
    Error, NextAttempt, State, Subscription, SubscriptionHandle, SubscriptionOptions, Update,
};

type Message = Result<u32, Status>;

const SILENCE: Duration = Duration::from_secs(45);

/// What becomes of one attempt to connect.
enum Attempt {
    Refused(Status),
    /// Stays open for as long as the test holds the sender.
    Accepted(mpsc::Receiver<Message>),
    NoAnswer,
}

fn accepted() -> (mpsc::Sender<Message>, Attempt) {
    let (sender, receiver) = mpsc::channel(16);
    (sender, Attempt::Accepted(receiver))
}

fn unavailable() -> Attempt {
    Attempt::Refused(Status::unavailable("down"))
}

/// A subscription whose connections are `attempts`, one after the other; then it gets no answer.
fn subscribe(attempts: Vec<Attempt>) -> (Subscription<u32>, SubscriptionHandle) {
    let attempts = Arc::new(Mutex::new(VecDeque::from(attempts)));
    let mut options = SubscriptionOptions::default();
    options.backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(5) };
    options.silence_timeout = SILENCE;
    options.healthy_after = Duration::from_secs(10);
    Subscription::new(options, move || {
        let attempt = attempts.lock().unwrap().pop_front().unwrap_or(Attempt::NoAnswer);
        async move {
            match attempt {
                Attempt::Refused(status) => Err(status),
                Attempt::Accepted(messages) => Ok(Response::new(ReceiverStream::new(messages))),
                Attempt::NoAnswer => std::future::pending().await,
            }
        }
    })
}

/// The next update in a word.
async fn next(subscription: &mut Subscription<u32>) -> String {
    match subscription.next().await {
        None => "end".to_owned(),
        Some(Update::Message(number)) => number.to_string(),
        Some(Update::State(state)) => word(&state),
    }
}

fn word(state: &State) -> String {
    match state {
        State::Idle => "idle".to_owned(),
        State::Connecting => "connecting".to_owned(),
        State::Ready => "ready".to_owned(),
        State::TransientFailure { next: NextAttempt::At(_), attempt, status } => {
            format!("waiting {attempt} {:?}", status.code())
        }
        State::TransientFailure { next: NextAttempt::WhenOnline, attempt, status } => {
            format!("paused {attempt} {:?}", status.code())
        }
        State::Shutdown { status } => format!("shutdown {:?}", status.code()),
    }
}

/// How long until the next attempt, in whole seconds.
fn seconds_left(state: &State) -> u64 {
    let State::TransientFailure { next, .. } = state else { panic!("it does not wait: {state:?}") };
    next.left().unwrap().as_secs()
}

async fn expect(subscription: &mut Subscription<u32>, updates: &[&str]) {
    for expected in updates {
        assert_eq!(next(subscription).await, *expected);
    }
}

#[tokio::test(start_paused = true)]
async fn it_carries_messages_and_comes_back_after_each_failure() {
    let (first, first_attempt) = accepted();
    let (second, second_attempt) = accepted();
    let (mut updates, _handle) = subscribe(vec![first_attempt, unavailable(), unavailable(), second_attempt]);

    first.send(Ok(1)).await.unwrap();
    first.send(Err(Status::internal("cut"))).await.unwrap();
    second.send(Ok(2)).await.unwrap();
    expect(
        &mut updates,
        &[
            "connecting",
            "ready",
            "1",
            "waiting 1 Internal",
            "connecting",
            "waiting 2 Unavailable",
            "connecting",
            "waiting 3 Unavailable",
            "connecting",
            "ready",
            "2",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_wait_is_longer_than_the_backoff_allows_and_long_failure_waits_long() {
    let (mut updates, _handle) = subscribe((0..40).map(|_| unavailable()).collect());
    let mut longest = Duration::ZERO;
    for attempt in 0..40_u32 {
        expect(&mut updates, &["connecting"]).await;
        let before = Instant::now().into_std();
        let Some(Update::State(State::TransientFailure { next: NextAttempt::At(at), .. })) =
            updates.next().await
        else {
            panic!("it was refused");
        };
        let retry_in = at - before;
        let ceiling = Duration::from_millis(100 << attempt.min(10)).min(Duration::from_secs(5));
        assert!(retry_in <= ceiling, "attempt {attempt}: {retry_in:?}");
        longest = longest.max(retry_in);
    }
    assert!(longest > Duration::from_secs(2), "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_stays_ends_it() {
    let (mut updates, handle) = subscribe(vec![Attempt::Refused(Status::unauthenticated("no session"))]);

    expect(&mut updates, &["connecting", "shutdown Unauthenticated", "end", "end"]).await;
    // Whoever watches learns of it although the subscription itself is still held.
    let states = timeout(SILENCE, handle.states().map(|state| word(&state)).collect::<Vec<_>>());
    assert_eq!(states.await.unwrap(), ["shutdown Unauthenticated"]);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_expire_while_it_is_open_are_renewed_once() {
    let expired = || Err(Status::unauthenticated("expired"));
    let once = ["connecting", "ready", "waiting 1 Unauthenticated", "connecting"];
    let (first, first_attempt) = accepted();
    let (second, second_attempt) = accepted();
    let (third, third_attempt) = accepted();
    let (mut updates, _handle) = subscribe(vec![first_attempt, second_attempt, third_attempt]);

    first.send(expired()).await.unwrap();
    expect(&mut updates, &once).await;
    // The next holds for a while, and its end is a new one.
    expect(&mut updates, &["ready"]).await;
    tokio::time::advance(Duration::from_secs(11)).await;
    second.send(expired()).await.unwrap();
    expect(&mut updates, &["waiting 1 Unauthenticated", "connecting"]).await;
    // A server that accepts and refuses is not called for ever.
    third.send(expired()).await.unwrap();
    expect(&mut updates, &["ready", "shutdown Unauthenticated", "end"]).await;

    // Neither is one that refuses at once what was renewed.
    let (first, attempt) = accepted();
    let refused = Attempt::Refused(Status::unauthenticated("no session"));
    let (mut updates, _handle) = subscribe(vec![attempt, refused]);
    first.send(expired()).await.unwrap();
    expect(&mut updates, &once).await;
    expect(&mut updates, &["shutdown Unauthenticated", "end"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_s_token_that_is_cancelled_ends_it() {
    let cancelled = Status::from(Error::Cancelled);
    let (mut updates, _handle) = subscribe(vec![Attempt::Refused(cancelled)]);
    expect(&mut updates, &["connecting", "shutdown Cancelled", "end"]).await;

    // What the server calls cancelled may pass.
    let (mut updates, _handle) = subscribe(vec![Attempt::Refused(Status::cancelled("by the server"))]);
    expect(&mut updates, &["connecting", "waiting 1 Cancelled", "connecting"]).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_is_a_loss_that_it_comes_back_from() {
    let (first, attempt) = accepted();
    let (mut updates, _handle) = subscribe(vec![attempt]);
    expect(&mut updates, &["connecting", "ready"]).await;

    drop(first);

    expect(&mut updates, &["waiting 1 Unavailable", "connecting"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_healthy_time_resets_the_count_of_failures() {
    let (healthy, attempt) = accepted();
    let (mut updates, _handle) = subscribe(vec![unavailable(), unavailable(), attempt]);
    expect(
        &mut updates,
        &[
            "connecting",
            "waiting 1 Unavailable",
            "connecting",
            "waiting 2 Unavailable",
            "connecting",
            "ready",
        ],
    )
    .await;

    tokio::time::advance(Duration::from_secs(11)).await;
    drop(healthy);

    expect(&mut updates, &["waiting 1 Unavailable"]).await;
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_connection_and_messages_keep_it() {
    let (messages, attempt) = accepted();
    let (mut updates, _handle) = subscribe(vec![attempt]);
    expect(&mut updates, &["connecting", "ready"]).await;
    for number in 0..5 {
        tokio::time::advance(SILENCE - Duration::from_secs(1)).await;
        messages.send(Ok(number)).await.unwrap();
        expect(&mut updates, &[&number.to_string()]).await;
    }

    let last = Instant::now();
    expect(&mut updates, &["waiting 1 Unavailable"]).await;
    assert_eq!(last.elapsed().as_secs(), SILENCE.as_secs());
    // The server is told, too: its side is dropped with the connection.
    messages.closed().await;
}

#[tokio::test(start_paused = true)]
async fn who_looks_late_does_not_find_silence_but_waits_for_it() {
    let (messages, attempt) = accepted();
    let (mut updates, handle) = subscribe(vec![attempt]);
    expect(&mut updates, &["connecting", "ready"]).await;
    messages.send(Ok(1)).await.unwrap();
    expect(&mut updates, &["1"]).await;

    tokio::time::advance(2 * SILENCE).await;
    // As from a browser, the first look finds nothing, and then something is there.
    assert!(updates.next().now_or_never().is_none());
    messages.send(Ok(2)).await.unwrap();
    expect(&mut updates, &["2"]).await;

    tokio::time::advance(2 * SILENCE).await;
    let probed = Instant::now();
    handle.probe(Duration::from_secs(5));
    expect(&mut updates, &["waiting 1 Unavailable"]).await;
    assert_eq!(probed.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn silence_may_last_for_ever() {
    let mut options = SubscriptionOptions::default();
    options.silence_timeout = Duration::MAX;
    let (mut updates, handle) =
        Subscription::<u32>::new(options, || async { Ok(Response::new(futures_util::stream::pending())) });
    expect(&mut updates, &["connecting", "ready"]).await;
    handle.probe(Duration::MAX);
    assert!(updates.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up_on() {
    let (mut updates, _handle) = subscribe(vec![Attempt::NoAnswer]);
    let start = Instant::now();

    expect(&mut updates, &["connecting", "waiting 1 Unavailable"]).await;
    assert_eq!(start.elapsed().as_secs(), SILENCE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_probe_finds_a_dead_connection_soon_and_leaves_a_living_one() {
    let (living, attempt) = accepted();
    let (mut updates, handle) = subscribe(vec![attempt]);
    expect(&mut updates, &["connecting", "ready"]).await;

    handle.probe(Duration::from_secs(5));
    living.send(Ok(1)).await.unwrap();
    expect(&mut updates, &["1"]).await;

    let probed = Instant::now();
    handle.probe(Duration::from_secs(5));
    expect(&mut updates, &["waiting 1 Unavailable"]).await;
    assert_eq!(probed.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn try_now_ends_the_wait_at_once() {
    let attempts: Vec<_> = (0..12).map(|_| unavailable()).collect();
    let (mut updates, handle) = subscribe(attempts);
    let start = Instant::now();
    for attempt in 1..=12 {
        expect(&mut updates, &["connecting", &format!("waiting {attempt} Unavailable")]).await;
        handle.retry_now();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_goodbye_is_left_and_visited_when_it_asked_for() {
    let (messages, attempt) = accepted();
    let (mut updates, handle) = subscribe(vec![attempt]);
    expect(&mut updates, &["connecting", "ready"]).await;

    handle.reconnect_after(Duration::from_secs(3));
    let left = Instant::now();
    expect(&mut updates, &["waiting 0 Unavailable", "connecting"]).await;

    assert_eq!(left.elapsed().as_secs(), 3);
    messages.closed().await;

    // Also when the next connection is on the way by then.
    handle.reconnect_after(Duration::from_secs(4));
    expect(&mut updates, &["waiting 0 Unavailable", "connecting"]).await;
    assert_eq!(left.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_again_while_it_is_waited_for_gets_its_way() {
    let (mut updates, handle) = subscribe(vec![unavailable()]);
    expect(&mut updates, &["connecting", "waiting 1 Unavailable"]).await;

    handle.reconnect_after(Duration::from_secs(60));

    expect(&mut updates, &["waiting 1 Unavailable"]).await;
    assert_eq!(seconds_left(&handle.state()), 60);
    let start = Instant::now();
    expect(&mut updates, &["connecting"]).await;
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_tried_without_a_network_and_everything_at_once_when_it_is_back() {
    let (_open, attempt) = accepted();
    let (mut updates, handle) = subscribe(vec![attempt]);
    handle.set_online(false);
    expect(&mut updates, &["paused 0 Unavailable"]).await;

    let start = Instant::now();
    tokio::select! {
        biased;
        update = next(&mut updates) => panic!("{update} came without a network"),
        () = tokio::time::sleep(Duration::from_secs(3_600)) => handle.set_online(true),
    }

    expect(&mut updates, &["connecting", "ready"]).await;
    assert_eq!(start.elapsed().as_secs(), 3_600);
}

#[tokio::test(start_paused = true)]
async fn what_fails_without_a_network_is_not_counted_against_the_server() {
    let (first, attempt) = accepted();
    let (mut updates, handle) = subscribe(vec![attempt, unavailable(), unavailable()]);
    expect(&mut updates, &["connecting", "ready"]).await;

    handle.set_online(false);
    drop(first);
    expect(&mut updates, &["paused 0 Unavailable"]).await;
    // A person who insists gets an attempt.
    handle.retry_now();
    expect(&mut updates, &["connecting", "paused 0 Unavailable"]).await;

    handle.set_online(true);
    expect(&mut updates, &["connecting", "waiting 1 Unavailable"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_network_that_goes_while_it_waits_pauses_it() {
    let (mut updates, handle) = subscribe(vec![unavailable()]);
    expect(&mut updates, &["connecting", "waiting 1 Unavailable"]).await;

    handle.set_online(false);
    expect(&mut updates, &["paused 1 Unavailable"]).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    handle.set_online(true);

    expect(&mut updates, &["connecting"]).await;
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_server_asked_for_holds_over_a_lost_network_and_a_sleep() {
    let (_open, attempt) = accepted();
    let (mut updates, handle) = subscribe(vec![attempt]);
    expect(&mut updates, &["connecting", "ready"]).await;
    handle.reconnect_after(Duration::from_secs(30));
    expect(&mut updates, &["waiting 0 Unavailable"]).await;

    handle.set_online(false);
    expect(&mut updates, &["paused 0 Unavailable"]).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    handle.set_online(true);
    handle.wake();
    expect(&mut updates, &["waiting 0 Unavailable"]).await;
    assert_eq!(seconds_left(&handle.state()), 20);

    let start = Instant::now();
    expect(&mut updates, &["connecting"]).await;
    assert_eq!(start.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn waking_ends_a_wait_and_makes_an_open_connection_prove_itself() {
    let (open, attempt) = accepted();
    let (mut updates, handle) = subscribe(vec![unavailable(), attempt]);
    expect(&mut updates, &["connecting", "waiting 1 Unavailable"]).await;
    let start = Instant::now();
    handle.wake();
    expect(&mut updates, &["connecting", "ready"]).await;
    assert_eq!(start.elapsed(), Duration::ZERO);

    handle.wake();
    open.send(Ok(1)).await.unwrap();
    expect(&mut updates, &["1"]).await;
    let woken = Instant::now();
    handle.wake();
    expect(&mut updates, &["waiting 2 Unavailable"]).await;
    assert_eq!(woken.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn whoever_holds_the_handle_sees_every_state_and_the_end() {
    let (open, attempt) = accepted();
    let (mut updates, handle) = subscribe(vec![attempt]);
    let mut states = handle.states();
    let mut seen = Vec::new();
    for expected in ["connecting", "ready", "waiting 1 Internal"] {
        seen.push(word(&states.next().await.unwrap()));
        assert_eq!(next(&mut updates).await, expected);
        if expected == "ready" {
            open.send(Err(Status::internal("cut"))).await.unwrap();
        }
    }
    seen.push(word(&states.next().await.unwrap()));
    assert!(seconds_left(&handle.state()) <= 5);

    drop(updates);

    seen.extend(states.map(|state| word(&state)).collect::<Vec<_>>().await);
    assert_eq!(seen, ["idle", "connecting", "ready", "waiting 1 Internal", "shutdown Cancelled"]);
    assert_eq!(word(&handle.state()), "shutdown Cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_names_a_time_in_its_trailers_is_called_again_then_and_not_before() {
    let mut later = Status::unavailable("busy");
    later.metadata_mut().insert("grpc-retry-pushback-ms", "90000".parse().unwrap());
    let mut never = later.clone();
    never.metadata_mut().insert("grpc-retry-pushback-ms", "-1".parse().unwrap());
    let (mut updates, handle) = subscribe(vec![Attempt::Refused(later), Attempt::Refused(never)]);
    expect(&mut updates, &["connecting", "waiting 1 Unavailable"]).await;
    assert_eq!(seconds_left(&handle.state()), 90);

    let start = Instant::now();
    handle.wake();
    expect(&mut updates, &["connecting"]).await;
    assert_eq!(start.elapsed().as_secs(), 90);

    expect(&mut updates, &["shutdown Unavailable", "end"]).await;
}
