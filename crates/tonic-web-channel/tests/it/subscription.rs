//! Subscriptions on paused time, mostly over scripted connections.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_web_channel::retry::{Backoff, RetryPolicy};
use tonic_web_channel::{
    Error, NextAttempt, State, Subscription, SubscriptionHandle, SubscriptionOptions, Update,
};

use crate::support::TestServer;
use crate::support::canned::{Canned, Reply, Sent, reply};

type Message = Result<u32, Status>;

const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// The outcome of one attempt.
enum Attempt {
    Refused(Status),
    /// Stays open until the test drops the sender.
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

fn options() -> SubscriptionOptions {
    SubscriptionOptions::new()
        .backoff(Backoff { base: Duration::from_millis(100), max: Duration::from_secs(5) })
        .idle_timeout(IDLE_TIMEOUT)
        .healthy_after(Duration::from_secs(10))
}

/// A subscription whose connections are `attempts`, one after the other. Further attempts get no answer.
fn subscribe(attempts: Vec<Attempt>) -> (Subscription<u32>, SubscriptionHandle) {
    subscribe_with(options(), attempts)
}

fn subscribe_with(
    options: SubscriptionOptions,
    attempts: Vec<Attempt>,
) -> (Subscription<u32>, SubscriptionHandle) {
    let mut attempts = VecDeque::from(attempts);
    Subscription::new(options, (), move |()| {
        let attempt = attempts.pop_front().unwrap_or(Attempt::NoAnswer);
        async move {
            match attempt {
                Attempt::Refused(status) => Err(status),
                Attempt::Accepted(messages) => Ok(Response::new(ReceiverStream::new(messages))),
                Attempt::NoAnswer => std::future::pending().await,
            }
        }
    })
}

/// The next update as a short text.
async fn next<T: Debug + 'static>(subscription: &mut Subscription<T>) -> String {
    match subscription.next().await {
        None => "end".to_owned(),
        Some(Update::Message(message)) => format!("{message:?}"),
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

/// The time until the next attempt, in whole seconds.
fn seconds_left(state: &State) -> u64 {
    let State::TransientFailure { next, .. } = state else { panic!("no attempt is planned: {state:?}") };
    next.left().unwrap().as_secs()
}

async fn expect<T: Debug + 'static>(subscription: &mut Subscription<T>, updates: &[&str]) {
    for expected in updates {
        assert_eq!(next(subscription).await, *expected);
    }
}

#[tokio::test(start_paused = true)]
async fn reconnects_after_each_failure() {
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
async fn delays_grow_up_to_the_limit_of_the_backoff() {
    let (mut updates, _handle) = subscribe((0..40).map(|_| unavailable()).collect());
    let mut longest = Duration::ZERO;
    for attempt in 0..40_u32 {
        expect(&mut updates, &["connecting"]).await;
        let before = Instant::now().into_std();
        let Some(Update::State(State::TransientFailure { next: NextAttempt::At(at), .. })) =
            updates.next().await
        else {
            panic!("the subscription ended");
        };
        let retry_in = at - before;
        let ceiling = Duration::from_millis(100 << attempt.min(10)).min(Duration::from_secs(5));
        assert!(retry_in <= ceiling, "attempt {attempt}: {retry_in:?}");
        longest = longest.max(retry_in);
    }
    assert!(longest > Duration::from_secs(2), "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn final_status_ends_the_subscription() {
    let (mut updates, handle) = subscribe(vec![Attempt::Refused(Status::unauthenticated("no session"))]);

    expect(&mut updates, &["connecting", "shutdown Unauthenticated", "end", "end"]).await;
    // Handles see the end although the subscription itself still exists.
    let states = timeout(IDLE_TIMEOUT, handle.states().map(|state| word(&state)).collect::<Vec<_>>());
    assert_eq!(states.await.unwrap(), ["shutdown Unauthenticated"]);
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_renewed_once() {
    let expired = || Err(Status::unauthenticated("expired"));
    let once = ["connecting", "ready", "waiting 1 Unauthenticated", "connecting"];
    let (first, first_attempt) = accepted();
    let (second, second_attempt) = accepted();
    let (third, third_attempt) = accepted();
    let (mut updates, _handle) = subscribe(vec![first_attempt, second_attempt, third_attempt]);

    first.send(expired()).await.unwrap();
    expect(&mut updates, &once).await;
    // A healthy connection allows the next renewal.
    expect(&mut updates, &["ready"]).await;
    tokio::time::advance(Duration::from_secs(11)).await;
    second.send(expired()).await.unwrap();
    expect(&mut updates, &["waiting 1 Unauthenticated", "connecting"]).await;
    // A second refusal without a healthy connection in between is final.
    third.send(expired()).await.unwrap();
    expect(&mut updates, &["ready", "shutdown Unauthenticated", "end"]).await;

    // So is a refusal of the renewed credentials at the opening.
    let (first, attempt) = accepted();
    let refused = Attempt::Refused(Status::unauthenticated("no session"));
    let (mut updates, _handle) = subscribe(vec![attempt, refused]);
    first.send(expired()).await.unwrap();
    expect(&mut updates, &once).await;
    expect(&mut updates, &["shutdown Unauthenticated", "end"]).await;
}

#[tokio::test(start_paused = true)]
async fn cancellation_by_the_caller_ends_the_subscription() {
    let cancelled = Status::from(Error::Cancelled);
    let (mut updates, _handle) = subscribe(vec![Attempt::Refused(cancelled)]);
    expect(&mut updates, &["connecting", "shutdown Cancelled", "end"]).await;

    // CANCELLED from the server is transient.
    let (mut updates, _handle) = subscribe(vec![Attempt::Refused(Status::cancelled("by the server"))]);
    expect(&mut updates, &["connecting", "waiting 1 Cancelled", "connecting"]).await;
}

#[tokio::test(start_paused = true)]
async fn stream_that_ends_with_ok_is_called_again_by_default() {
    let (first, attempt) = accepted();
    let (mut updates, _handle) = subscribe(vec![attempt]);
    expect(&mut updates, &["connecting", "ready"]).await;

    drop(first);

    expect(&mut updates, &["waiting 1 Unavailable", "connecting"]).await;
}

#[tokio::test(start_paused = true)]
async fn healthy_connection_resets_the_failure_count() {
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
async fn idle_timeout_ends_a_connection_without_messages() {
    let (messages, attempt) = accepted();
    let (mut updates, _handle) = subscribe(vec![attempt]);
    expect(&mut updates, &["connecting", "ready"]).await;
    for number in 0..5 {
        tokio::time::advance(IDLE_TIMEOUT - Duration::from_secs(1)).await;
        messages.send(Ok(number)).await.unwrap();
        expect(&mut updates, &[&number.to_string()]).await;
    }

    let last = Instant::now();
    expect(&mut updates, &["waiting 1 Unavailable"]).await;
    assert_eq!(last.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
    // The call is cancelled: its sender is closed.
    messages.closed().await;
}

#[tokio::test(start_paused = true)]
async fn idle_timeout_starts_when_the_reader_waits() {
    let (messages, attempt) = accepted();
    let (mut updates, handle) = subscribe(vec![attempt]);
    expect(&mut updates, &["connecting", "ready"]).await;
    messages.send(Ok(1)).await.unwrap();
    expect(&mut updates, &["1"]).await;

    tokio::time::advance(2 * IDLE_TIMEOUT).await;
    // As in a browser, the first poll finds nothing, and then a message arrives.
    assert!(updates.next().now_or_never().is_none());
    messages.send(Ok(2)).await.unwrap();
    expect(&mut updates, &["2"]).await;

    tokio::time::advance(2 * IDLE_TIMEOUT).await;
    let probed = Instant::now();
    handle.probe(Duration::from_secs(5));
    expect(&mut updates, &["waiting 1 Unavailable"]).await;
    assert_eq!(probed.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn idle_timeout_may_be_unlimited() {
    let options = SubscriptionOptions::new().idle_timeout(Duration::MAX);
    let (mut updates, handle) = Subscription::<u32>::new(options, (), |()| async {
        Ok(Response::new(futures_util::stream::pending()))
    });
    expect(&mut updates, &["connecting", "ready"]).await;
    handle.probe(Duration::MAX);
    assert!(updates.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn idle_timeout_limits_the_wait_for_headers() {
    let (mut updates, _handle) = subscribe(vec![Attempt::NoAnswer]);
    let start = Instant::now();

    expect(&mut updates, &["connecting", "waiting 1 Unavailable"]).await;
    assert_eq!(start.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn first_message_is_due_before_the_idle_timeout() {
    let options = options().first_message_timeout(Duration::from_secs(5));
    let (_silent, opens) = accepted();
    let (living, speaks) = accepted();
    let (mut updates, _handle) = subscribe_with(options, vec![opens, Attempt::NoAnswer, speaks]);
    let start = Instant::now();
    let State::TransientFailure { status, .. } = failure(&mut updates).await else { unreachable!() };
    assert_eq!(start.elapsed().as_secs(), 5, "of the headers alone");
    assert_eq!(Error::from_status(&status), Some(&Error::Idle { timeout: Duration::from_secs(5) }));

    // The wait was long enough, so the next attempt starts at once; it has twice the time.
    failure(&mut updates).await;
    assert_eq!(start.elapsed().as_secs(), 15);

    expect(&mut updates, &["connecting", "ready"]).await;
    living.send(Ok(1)).await.unwrap();
    expect(&mut updates, &["1"]).await;
    let last = Instant::now();
    failure(&mut updates).await;
    assert_eq!(last.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
}

/// The next failure of a connection.
async fn failure(updates: &mut Subscription<u32>) -> State {
    loop {
        match updates.next().await {
            Some(Update::State(state @ State::TransientFailure { .. })) => return state,
            Some(_) => {}
            None => panic!("the subscription ended"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_go_on_offline_on_request() {
    let (_open, attempt) = accepted();
    let (mut updates, handle) = subscribe_with(options().try_offline(true), vec![unavailable(), attempt]);
    handle.set_online(false);
    expect(&mut updates, &["connecting", "waiting 1 Unavailable", "connecting", "ready"]).await;
}

#[tokio::test(start_paused = true)]
async fn probe_ends_a_dead_connection_and_keeps_a_live_one() {
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
async fn retry_now_skips_the_delay() {
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
async fn reconnect_after_closes_and_reconnects_at_the_given_time() {
    let (messages, attempt) = accepted();
    let (mut updates, handle) = subscribe(vec![attempt]);
    expect(&mut updates, &["connecting", "ready"]).await;

    handle.reconnect_after(Duration::from_secs(3));
    let left = Instant::now();
    expect(&mut updates, &["waiting 0 Unavailable", "connecting"]).await;

    assert_eq!(left.elapsed().as_secs(), 3);
    messages.closed().await;

    // The same while the next connection is opening.
    handle.reconnect_after(Duration::from_secs(4));
    expect(&mut updates, &["waiting 0 Unavailable", "connecting"]).await;
    assert_eq!(left.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn reconnect_after_replaces_a_running_delay() {
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
async fn no_attempt_is_made_offline_and_one_at_once_when_online_again() {
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
async fn failures_offline_are_not_counted() {
    let (first, attempt) = accepted();
    let (mut updates, handle) = subscribe(vec![attempt, unavailable(), unavailable()]);
    expect(&mut updates, &["connecting", "ready"]).await;

    handle.set_online(false);
    drop(first);
    expect(&mut updates, &["paused 0 Unavailable"]).await;
    // `retry_now` makes an attempt all the same.
    handle.retry_now();
    expect(&mut updates, &["connecting", "paused 0 Unavailable"]).await;

    handle.set_online(true);
    expect(&mut updates, &["connecting", "waiting 1 Unavailable"]).await;
}

#[tokio::test(start_paused = true)]
async fn losing_the_network_pauses_a_delay() {
    let (mut updates, handle) = subscribe(vec![unavailable()]);
    expect(&mut updates, &["connecting", "waiting 1 Unavailable"]).await;

    handle.set_online(false);
    expect(&mut updates, &["paused 1 Unavailable"]).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    handle.set_online(true);

    expect(&mut updates, &["connecting"]).await;
}

#[tokio::test(start_paused = true)]
async fn server_delay_outlasts_a_lost_network_and_a_sleep() {
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
async fn wake_skips_the_delay_and_probes_an_open_connection() {
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
async fn handle_sees_every_state_up_to_the_end() {
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
async fn pushback_in_trailers_sets_the_delay_or_ends_the_subscription() {
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

#[tokio::test(start_paused = true)]
async fn stream_that_ends_with_ok_finishes_the_subscription_on_request() {
    let (first, attempt) = accepted();
    let (mut updates, handle) = subscribe_with(options().finish_on_ok(true), vec![attempt]);
    expect(&mut updates, &["connecting", "ready"]).await;
    first.send(Ok(1)).await.unwrap();
    drop(first);

    expect(&mut updates, &["1", "shutdown Ok", "end"]).await;
    assert_eq!(word(&handle.state()), "shutdown Ok");

    // A failure is still a failure.
    let (first, attempt) = accepted();
    let (mut updates, _handle) = subscribe_with(options().finish_on_ok(true), vec![attempt]);
    first.send(Err(Status::internal("cut"))).await.unwrap();
    expect(&mut updates, &["connecting", "ready", "waiting 1 Internal", "connecting"]).await;
}

/// A subscription to `Watch` over a channel whose transport gives the replies of `answers` in order, then a stream that
/// stays open.
fn watch(
    options: SubscriptionOptions,
    answers: Vec<Reply>,
) -> Subscription<tonic_health::pb::HealthCheckResponse> {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let canned = Canned::new(move |_| {
        let reply = answers.lock().unwrap().pop_front().unwrap_or_else(|| open().hangs());
        std::future::ready(Ok(reply.into_response()))
    });
    let channel = canned.builder().retry(RetryPolicy::never()).build().unwrap();
    let client = HealthClient::new(channel);
    Subscription::new(options, client, |mut client| async move {
        client.watch(HealthCheckRequest::default()).await
    })
    .0
}

fn open() -> Reply {
    reply().header("content-type", "application/grpc")
}

/// A web page with an HTTP status.
fn page(status: u16) -> Reply {
    reply().http(status).header("content-type", "text/html").bytes("<html>")
}

#[tokio::test(start_paused = true)]
async fn answers_without_grpc_do_not_end_the_subscription() {
    // A load balancer, a sign-in proxy, a firewall, a redirect, an overloaded proxy.
    let answers = [404, 401, 403, 302, 503].map(page).into();
    let mut updates = watch(options(), answers);
    let expected = [
        "connecting",
        "waiting 1 Unimplemented",
        "connecting",
        "waiting 2 Unauthenticated",
        "connecting",
        "waiting 3 PermissionDenied",
        "connecting",
        "waiting 4 Unknown",
        "connecting",
        "waiting 5 Unavailable",
        "connecting",
        "ready",
    ];
    expect(&mut updates, &expected).await;

    // The state says who answered.
    let mut updates = watch(options(), vec![page(404)]);
    expect(&mut updates, &["connecting"]).await;
    let Some(Update::State(State::TransientFailure { status, .. })) = updates.next().await else {
        panic!("the subscription ended");
    };
    assert_eq!(Error::from_status(&status), Some(&Error::Http { status: 404 }));

    // The same codes from a gRPC server are final.
    let mut updates = watch(options(), vec![open().header("grpc-status", "12")]);
    expect(&mut updates, &["connecting", "shutdown Unimplemented", "end"]).await;
}

#[tokio::test(start_paused = true)]
async fn answers_without_grpc_end_the_subscription_after_their_timeout() {
    let limited = options().non_grpc_timeout(Duration::from_secs(60));
    let mut updates = watch(limited, (0..1_000).map(|_| page(404)).collect());
    let start = Instant::now();
    let last = loop {
        let update = next(&mut updates).await;
        if update.starts_with("shutdown") {
            break update;
        }
    };
    assert_eq!(last, "shutdown Unimplemented");
    let waited = start.elapsed().as_secs();
    assert!((60..66).contains(&waited), "{waited} s");

    // An answer of a gRPC server starts the time again.
    let unavailable = || open().header("grpc-status", "14");
    let answers = (0..1_000).map(|number| if number % 5 == 4 { unavailable() } else { page(404) });
    let mut updates = watch(limited, answers.collect());
    while start.elapsed() < Duration::from_secs(1_000) {
        let update = next(&mut updates).await;
        assert!(!update.starts_with("shutdown"), "{update}");
    }
}

#[tokio::test]
async fn generated_client_needs_no_cloning_by_hand() {
    let mut server = TestServer::start().await;
    let client = HealthClient::new(tonic_web_channel::Channel::builder(server.uri()).build().unwrap());
    let request = HealthCheckRequest { service: "any".to_owned() };

    let context = (client.clone(), request);
    let (mut updates, _handle) =
        Subscription::new(
            options(),
            context,
            |(mut client, request)| async move { client.watch(request).await },
        );
    let (_other, _handle) = Subscription::new(options(), client, |mut client| async move {
        client.watch(HealthCheckRequest::default()).await
    });

    expect(&mut updates, &["connecting"]).await;
    let watched = async { server.watched.recv().await.unwrap() };
    let (sender, ready) = tokio::join!(watched, next(&mut updates));
    assert_eq!(ready, "ready");
    sender.send(Ok(tonic_health::pb::HealthCheckResponse { status: 1 })).await.unwrap();
    expect(&mut updates, &["HealthCheckResponse { status: Serving }"]).await;
}

#[tokio::test(start_paused = true)]
async fn the_channels_deadline_is_not_for_streams_of_a_subscription() {
    let canned = Canned::new(|sent: Sent| {
        // A unary call comes first, and its request has no stream.
        let reply = if sent.number == 0 { open().serving().ok() } else { open().serving().hangs() };
        std::future::ready(Ok(reply.into_response()))
    });
    let channel = canned.builder().deadline(Duration::from_secs(20)).build().unwrap();
    let client = HealthClient::new(channel.clone());
    let (mut updates, _handle) = Subscription::new(options(), client, |mut client| async move {
        client.check(HealthCheckRequest::default()).await?;
        client.watch(HealthCheckRequest::default()).await
    });
    for expected in ["Connecting", "Ready", "Message"] {
        let update = format!("{:?}", updates.next().await.unwrap());
        assert!(update.contains(expected), "{update}");
    }

    // The idle timeout is the next thing to happen.
    let start = Instant::now();
    let Some(Update::State(State::TransientFailure { status, .. })) = updates.next().await else {
        panic!("the stream ended in another way");
    };
    assert_eq!(Error::from_status(&status), Some(&Error::Idle { timeout: IDLE_TIMEOUT }));
    assert_eq!(start.elapsed(), IDLE_TIMEOUT);
    let timeouts = |sent: &[Sent]| -> Vec<_> {
        sent.iter().map(|sent| sent.headers.contains_key("grpc-timeout")).collect()
    };
    assert_eq!(timeouts(&canned.sent()), [true, false]);

    // A stream without a subscription, and one with a timeout of its own, have their deadlines.
    let mut client = HealthClient::new(channel);
    client.watch(HealthCheckRequest::default()).await.unwrap();
    let (mut updates, _handle) = Subscription::new(options(), client, |mut client| async move {
        let mut request = tonic::Request::new(HealthCheckRequest::default());
        request.set_timeout(Duration::from_secs(5));
        client.watch(request).await
    });
    while !matches!(updates.next().await, Some(Update::Message(_))) {}
    assert_eq!(timeouts(&canned.sent()), [true, false, true, true]);
}
