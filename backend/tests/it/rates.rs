//! Rate limits, and the delays that refused clients are given.

use std::time::{Duration, Instant};

use backend::chat::ROOMS_PER_USER;
use backend::config::RatesConfig;
use backend::rates::Rate;
use futures_util::future::join_all;
use http::StatusCode;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use proto::chat::v1::{self as pb};
use proto::health::v1::HealthCheckRequest;
use proto::health::v1::health_client::HealthClient;
use proto::helloworld::HelloRequest;
use proto::helloworld::greeter_client::GreeterClient;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_types::StatusExt as _;

use crate::chat_client::{Person, operation_id};
use crate::support::http::{Http, fetch, web_call};
use crate::support::{ChildServer, TestServer};

/// A server with rate limits: the defaults, modified by `change`.
async fn start_with(change: impl FnOnce(&mut RatesConfig)) -> TestServer {
    TestServer::start_with(|config| {
        config.rates.rates = true;
        change(&mut config.rates);
    })
    .await
}

/// A rate that allows `count` actions during a test.
fn only(count: u32) -> Rate {
    Rate::new(count, 1, Duration::from_secs(3_600))
}

/// The retry delay of a refusal, which has to be in the details, the metadata and the sentence.
fn told_to_wait(status: &Status, sentence: &str) -> Duration {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().starts_with(sentence), "{}", status.message());
    assert!(status.message().contains(" Try again in "), "{}", status.message());
    let wait = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    let pushback = status.metadata().get("grpc-retry-pushback-ms").unwrap();
    assert_eq!(pushback.to_str().unwrap(), wait.as_millis().to_string());
    wait
}

/// Number of successful calls; the others must have been refused with a delay.
fn carried_out<T>(results: &[Result<T, Status>], sentence: &str) -> usize {
    for refusal in results.iter().filter_map(|result| result.as_ref().err()) {
        told_to_wait(refusal, sentence);
    }
    results.iter().filter(|result| result.is_ok()).count()
}

/// Maximum number that a rate allows between `started` and now.
fn allowed(burst: usize, per_second: f64, started: Instant) -> usize {
    burst + (started.elapsed().as_secs_f64() * per_second) as usize + 1
}

async fn join(channel: Channel, name: String) -> Result<pb::JoinResponse, Status> {
    let request = pb::JoinRequest { name, return_token: true, ..Default::default() };
    Ok(ChatServiceClient::new(channel).join(request).await?.into_inner())
}

#[tokio::test]
async fn joins_of_one_address_are_limited() {
    let server = start_with(|_| {}).await;
    let (channel, started) = (server.channel(), Instant::now());
    let joins = join_all((0..2_000).map(|guest| join(channel.clone(), format!("Guest {guest}")))).await;

    let joined = carried_out(&joins, "Too many people have joined from your network");
    assert!((60..=allowed(60, 0.5, started)).contains(&joined), "{joined} joined");
}

#[tokio::test]
async fn attempts_to_recover_count_as_joins() {
    let server = start_with(|_| {}).await;
    let (channel, started) = (server.channel(), Instant::now());
    let attempts = join_all((0..500).map(|guess| {
        let mut client = ChatServiceClient::new(channel.clone());
        let recovery_code = format!("{guess:020}");
        async move {
            let request = pb::RecoverRequest { name: "Ada".to_owned(), recovery_code, ..Default::default() };
            match client.recover(request).await {
                Err(status) if status.code() == Code::PermissionDenied => Ok(()),
                other => other.map(drop),
            }
        }
    }))
    .await;

    let tried = carried_out(&attempts, "Too many people have joined from your network");
    assert!((60..=allowed(60, 0.5, started)).contains(&tried), "{tried} were tried");
}

#[tokio::test]
async fn messages_of_one_user_are_limited_and_others_can_still_send() {
    let server = start_with(|_| {}).await;
    let mut flooder = Person::join(server.channel(), "Flooder").await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let (text, started) = ("x".repeat(4_000), Instant::now());
    let sends = join_all((0..1_000).map(|number| {
        let (mut flooder, text) = (flooder.clone(), &text);
        async move {
            let id = operation_id(&flooder.user.id, number);
            flooder.try_send("general", id, text).await
        }
    }))
    .await;

    let sent = carried_out(&sends, "You have sent many messages in a short time.");
    assert!((60..=allowed(60, 5.0, started)).contains(&sent), "{sent} were sent");
    ada.send("general", "Hello").await;

    // A client that waits for the delay succeeds with the same operation id.
    let id = operation_id(&flooder.user.id, 5_000);
    let receipt = loop {
        match flooder.try_send("general", id.clone(), "at last").await {
            Ok(receipt) => break receipt,
            Err(status) => {
                tokio::time::sleep(told_to_wait(&status, "You have sent many messages")).await;
            }
        }
    };
    assert!(!receipt.duplicate, "what is refused is not stored");
}

#[tokio::test]
async fn rooms_of_one_user_are_rate_limited_and_others_can_still_create_one() {
    let server = start_with(|_| {}).await;
    let builder = Person::join(server.channel(), "Builder").await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let started = Instant::now();
    let rooms = join_all((0..999).map(|number| {
        let mut builder = builder.clone();
        async move { builder.create_room(&format!("Room {number}")).await }
    }))
    .await;

    let made = carried_out(&rooms, "You have made many rooms in a short time.");
    assert!((10..=allowed(10, 1.0 / 60.0, started)).contains(&made), "{made} were made");
    ada.create_room("Kitchen").await.unwrap();
}

#[tokio::test]
async fn number_of_rooms_per_user_is_limited_and_repeats_are_still_answered() {
    let server = TestServer::start().await;
    let mut builder = Person::join(server.channel(), "Builder").await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    for number in 0..ROOMS_PER_USER {
        builder.create_room(&format!("{number}")).await.unwrap();
    }

    let status = builder.create_room("one more").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "You have made as many rooms as one person may (20).");
    assert_eq!(builder.create_room("0").await.unwrap().room.unwrap().name, "0");
    ada.create_room("one more").await.unwrap();
    assert_eq!(ada.rooms().await.len(), ROOMS_PER_USER + 2);
}

#[tokio::test]
async fn every_limit_has_a_setting() {
    let server = start_with(|rates| {
        rates.rate_join_all = only(2);
        rates.rate_room_address = only(1);
        rates.rate_send_all = only(1);
        rates.rate_call_user = only(3);
        rates.rooms_per_user = 1;
    })
    .await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let mut grace = Person::join(server.channel(), "Grace").await;

    let late = join(server.channel(), "Edsger".to_owned()).await.unwrap_err();
    told_to_wait(&late, "Too many people are joining at the moment.");
    ada.create_room("a").await.unwrap();
    told_to_wait(&grace.create_room("b").await.unwrap_err(), "Many rooms were made from your network");
    ada.send("general", "Hello").await;
    let late = grace.try_send("general", operation_id("g", 1), "Hello").await.unwrap_err();
    told_to_wait(&late, "More messages are being sent than this server takes.");
    for _ in 0..3 {
        ada.rooms().await;
    }
    let late = ada.page("general", None, 1).await.unwrap_err();
    told_to_wait(&late, "You have made many requests in a short time.");
    grace.rooms().await;
}

/// Calls `ListRooms` with `token`.
async fn list_rooms(channel: Channel, token: Option<&str>) -> Status {
    let mut request = Request::new(pb::ListRoomsRequest {});
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    ChatServiceClient::new(channel).list_rooms(request).await.unwrap_err()
}

#[tokio::test]
async fn calls_without_session_are_limited_while_sessions_and_health_are_served() {
    let server = start_with(|rates| rates.rate_anonymous_address = only(4)).await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    ada.rooms().await;
    let channel = server.channel();
    for token in [None, Some("guessed"), Some("guessed again"), None] {
        assert_eq!(list_rooms(channel.clone(), token).await.code(), Code::Unauthenticated);
    }

    let sentence = "Too many requests came from your network without a valid session.";
    for token in [None, Some("guessed"), Some("and again")] {
        told_to_wait(&list_rooms(channel.clone(), token).await, sentence);
    }
    let name = || HelloRequest { name: "World".to_owned() };
    told_to_wait(&GreeterClient::new(channel.clone()).say_hello(name()).await.unwrap_err(), sentence);
    let asked = tokio_stream::iter([ServerReflectionRequest::default()]);
    let mut reflection = ServerReflectionClient::new(channel.clone());
    told_to_wait(&reflection.server_reflection_info(asked).await.unwrap_err(), sentence);

    HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    ada.rooms().await;
    ada.send("general", "Hello").await;
}

#[tokio::test]
async fn browser_can_read_the_retry_delay() {
    let server = start_with(|rates| rates.rate_join_address = only(1)).await;
    Person::join(server.channel(), "Ada").await;
    let request = pb::JoinRequest { name: "Grace".to_owned(), return_token: false, ..Default::default() };
    let call = web_call("application/grpc-web+proto", "/chat.v1.ChatService/Join", &request);

    let answer = fetch(server.addr, Http::One, call).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("grpc-status"), "8");
    assert!(answer.header("grpc-retry-pushback-ms").parse::<u64>().unwrap() > 3_500_000);
    assert!(!answer.header("grpc-status-details-bin").is_empty());
    assert_eq!(answer.header("set-cookie"), "");
}

#[tokio::test]
async fn flags_of_the_program_set_the_limits() {
    let flags = ["--rates=true".to_owned(), "--rate-join-address=1:1/h".to_owned()];
    let server = ChildServer::start_with(&flags).await;
    let mut ada = Person::join(server.channel(), "Ada").await;

    let late = join(server.channel(), "Grace".to_owned()).await.unwrap_err();

    let wait = told_to_wait(&late, "Too many people have joined from your network");
    assert!(wait > Duration::from_secs(3_500), "{wait:?}");
    ada.send("general", "Hello").await;
}
