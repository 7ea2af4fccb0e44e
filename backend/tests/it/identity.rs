//! Users and their sessions: repeated joins, the cookie's name, names that look alike, recovery codes, the list of sessions.

use proto::chat::v1 as pb;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use proto::chat::v1::subscribe_response::Frame;
use proto::limits::chat::{ERROR_DOMAIN, MAX_SESSIONS_PER_USER};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::chat_client::{Person, refusal};
use crate::support::TestServer;

const TAKEN: &str = "AlreadyExists [] Somebody here already uses this name. Please choose another.";
const WRONG_CODE: &str = "PermissionDenied [] Nobody here has this name and this recovery code.";

fn attempt(name: &str, operation: u8, secret: u8) -> pb::JoinRequest {
    pb::JoinRequest {
        name: name.to_owned(),
        return_token: true,
        operation_id: vec![operation; 16],
        retry_secret: vec![secret; 16],
    }
}

async fn join(channel: &Channel, request: pb::JoinRequest) -> Result<pb::JoinResponse, Status> {
    Ok(ChatServiceClient::new(channel.clone()).join(request).await?.into_inner())
}

/// Joins and returns the client and the recovery code.
async fn person(channel: &Channel, name: &str) -> (Person, String) {
    let request = pb::JoinRequest { name: name.to_owned(), return_token: true, ..Default::default() };
    let joined = join(channel, request).await.unwrap();
    let person = Person::with_token(channel.clone(), joined.user.unwrap(), joined.token);
    (person, joined.recovery_code)
}

async fn recover(
    channel: &Channel,
    name: &str,
    code: &str,
    end_other_sessions: bool,
) -> Result<Person, Status> {
    let request = pb::RecoverRequest {
        name: name.to_owned(),
        recovery_code: code.to_owned(),
        end_other_sessions,
        return_token: true,
    };
    let recovered = ChatServiceClient::new(channel.clone()).recover(request).await?.into_inner();
    Ok(Person::with_token(channel.clone(), recovered.user.unwrap(), recovered.token))
}

async fn sessions(person: &mut Person) -> Vec<pb::Session> {
    person.client.list_sessions(pb::ListSessionsRequest {}).await.unwrap().into_inner().sessions
}

async fn is_signed_in(person: &mut Person) -> bool {
    match person.client.get_session(pb::GetSessionRequest {}).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(status.code(), Code::Unauthenticated);
            false
        }
    }
}

fn with_cookie<T>(message: T, cookie: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("cookie", MetadataValue::try_from(cookie).unwrap());
    request
}

fn cookies(metadata: &MetadataMap) -> Vec<String> {
    metadata.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn repeated_join_gets_the_same_user_and_a_session_that_works() {
    let server = TestServer::start().await;
    let channel = server.channel();
    // The first answer was lost.
    let lost = join(&channel, attempt("Ada", 1, 2)).await.unwrap();
    let joined = join(&channel, attempt(" Ada ", 1, 2)).await.unwrap();
    assert_eq!(joined.user, lost.user);
    assert_ne!(joined.token, lost.token);

    let mut lost = Person::with_token(channel.clone(), lost.user.unwrap(), lost.token);
    let mut ada = Person::with_token(channel.clone(), joined.user.unwrap(), joined.token);
    assert!(is_signed_in(&mut ada).await);
    assert!(!is_signed_in(&mut lost).await, "the lost session would keep the name for ever");
    assert_eq!(sessions(&mut ada).await.len(), 1);
    // The code of the answer that arrived is the valid one.
    recover(&channel, "Ada", &joined.recovery_code, false).await.unwrap();
}

#[tokio::test]
async fn join_is_repeated_only_by_who_knows_its_secret() {
    let server = TestServer::start().await;
    let channel = server.channel();
    join(&channel, attempt("Ada", 1, 2)).await.unwrap();
    for other in [attempt("Ada", 1, 3), attempt("Ada", 2, 2)] {
        assert_eq!(refusal(&join(&channel, other).await.unwrap_err()), TAKEN);
    }
    let plain = pb::JoinRequest { name: "Ada".to_owned(), ..attempt("Ada", 1, 2) };
    let plain = pb::JoinRequest { operation_id: vec![], retry_secret: vec![], ..plain };
    assert_eq!(refusal(&join(&channel, plain).await.unwrap_err()), TAKEN);
    let other_name = join(&channel, attempt("Eve", 1, 2)).await.unwrap_err();
    assert!(refusal(&other_name).starts_with("InvalidArgument [operation_id] "), "{other_name:?}");
    let short = pb::JoinRequest { retry_secret: vec![2; 15], ..attempt("Eve", 1, 2) };
    let short = join(&channel, short).await.unwrap_err();
    assert_eq!(refusal(&short), "InvalidArgument [retry_secret] A retry secret has 16 to 64 random bytes.");
}

#[tokio::test]
async fn join_is_not_repeated_after_sign_out() {
    let server = TestServer::start().await;
    let channel = server.channel();
    let joined = join(&channel, attempt("Ada", 1, 2)).await.unwrap();
    let first = joined.user.clone().unwrap();
    let mut ada = Person::with_token(channel.clone(), first.clone(), joined.token);
    ada.client.sign_out(pb::SignOutRequest {}).await.unwrap();
    let again = join(&channel, attempt("Ada", 1, 2)).await.unwrap();
    assert_ne!(again.user.unwrap().id, first.id);
}

#[tokio::test]
async fn cookie_of_another_server_on_the_host_is_left_alone() {
    let (one, two) = (TestServer::start().await, TestServer::start().await);
    let mut pairs = Vec::new();
    for server in [&one, &two] {
        let request = pb::JoinRequest { name: "Ada".to_owned(), ..Default::default() };
        let joined = ChatServiceClient::new(server.channel()).join(request).await.unwrap();
        let cookie = cookies(joined.metadata()).pop().unwrap();
        pairs.push(cookie.split_once(';').unwrap().0.to_owned());
    }
    // A browser sends both to both, because cookies ignore ports.
    let both = pairs.join("; ");
    assert_ne!(pairs[0].split_once('=').unwrap().0, pairs[1].split_once('=').unwrap().0);
    for server in [&one, &two] {
        let mut client = ChatServiceClient::new(server.channel());
        client.get_session(with_cookie(pb::GetSessionRequest {}, &both)).await.unwrap();
    }
    let mut client = ChatServiceClient::new(one.channel());
    client.sign_out(with_cookie(pb::SignOutRequest {}, &both)).await.unwrap();
    client.get_session(with_cookie(pb::GetSessionRequest {}, &both)).await.unwrap_err();
    let mut client = ChatServiceClient::new(two.channel());
    client.get_session(with_cookie(pb::GetSessionRequest {}, &both)).await.unwrap();
}

#[tokio::test]
async fn cookie_keeps_its_name_over_a_restart() {
    let server = TestServer::start().await;
    let request = pb::JoinRequest { name: "Ada".to_owned(), ..Default::default() };
    let joined = ChatServiceClient::new(server.channel()).join(request).await.unwrap();
    let cookie = cookies(joined.metadata()).pop().unwrap();
    let dir = server.shutdown_keeping_data().await;

    let server = TestServer::start_with(|config| config.data = dir.path().join("data")).await;
    let mut client = ChatServiceClient::new(server.channel());
    let session = client.get_session(with_cookie(pb::GetSessionRequest {}, &cookie)).await.unwrap();
    assert_eq!(cookies(session.metadata()), [cookie]);
}

#[tokio::test]
async fn cookie_of_an_older_version_is_accepted_and_replaced() {
    let server = TestServer::start().await;
    let ada = Person::join(server.channel(), "Ada").await;
    let mut client = ChatServiceClient::new(server.channel());
    let old = format!("chinwag_session={}", ada.token);

    let session = client.get_session(with_cookie(pb::GetSessionRequest {}, &old)).await.unwrap();

    let set = cookies(session.metadata());
    assert_eq!(set.len(), 2, "{set:?}");
    assert!(set[0].starts_with("chinwag_session_") && set[0].contains(&ada.token), "{set:?}");
    assert!(set[1].starts_with("chinwag_session=; ") && set[1].contains("Max-Age=0"), "{set:?}");
    assert_eq!(session.into_inner().user.unwrap(), ada.user);
}

#[tokio::test]
async fn names_that_look_alike_are_one_name() {
    let server = TestServer::start().await;
    let channel = server.channel();
    let mut ada = Person::join(channel.clone(), "Ada").await;
    for name in ["ADA", "Ａda", "𝐀da", "\u{410}\u{501}\u{430}"] {
        let request = pb::JoinRequest { name: name.to_owned(), ..Default::default() };
        assert_eq!(refusal(&join(&channel, request).await.unwrap_err()), TAKEN, "{name}");
    }
    ada.create_room("Tea").await.unwrap();
    let taken = ada.create_room("Теа").await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
}

#[tokio::test]
async fn names_that_cannot_be_seen_or_mix_scripts_are_refused_with_the_reason() {
    let server = TestServer::start().await;
    let channel = server.channel();
    let mut ada = Person::join(channel.clone(), "Ada").await;
    for (name, reason) in [
        ("Bob\u{17B4}", "NAME_INVISIBLE"),
        ("Bob\u{FFF0}", "NAME_INVISIBLE"),
        ("Bob\u{E0080}", "NAME_INVISIBLE"),
        ("\u{17B5}", "NAME_EMPTY"),
        ("\u{1D159}", "NAME_EMPTY"),
        ("\u{301}", "NAME_EMPTY"),
        ("Вob", "NAME_MIXES_SCRIPTS"),
        (&*"x".repeat(61), "NAME_TOO_LONG"),
    ] {
        let request = pb::JoinRequest { name: name.to_owned(), ..Default::default() };
        for status in [join(&channel, request).await.unwrap_err(), ada.create_room(name).await.unwrap_err()] {
            assert!(refusal(&status).starts_with("InvalidArgument [name] "), "{name:?}: {status:?}");
            let info = status.get_details_error_info().unwrap();
            assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, ERROR_DOMAIN), "{name:?}");
        }
    }
}

#[tokio::test]
async fn recovery_code_takes_the_name_back() {
    let server = TestServer::start().await;
    let channel = server.channel();
    let (mut ada, code) = person(&channel, "Ada").await;
    ada.send("general", "hello").await;

    let mut elsewhere = recover(&channel, "ADA", &code.to_lowercase(), false).await.unwrap();

    assert_eq!(elsewhere.user, ada.user);
    assert!(is_signed_in(&mut elsewhere).await && is_signed_in(&mut ada).await);
    // After all sessions have ended the name is free, and the code takes it back.
    ada.client.sign_out(pb::SignOutRequest {}).await.unwrap();
    elsewhere.client.sign_out(pb::SignOutRequest {}).await.unwrap();
    let mut back = recover(&channel, "Ada", &code, false).await.unwrap();
    assert_eq!(back.user, ada.user);
    back.try_send("general", vec![9; 16], "I am back").await.unwrap();
    // Unless somebody else has taken it.
    back.client.sign_out(pb::SignOutRequest {}).await.unwrap();
    Person::join(channel.clone(), "Ada").await;
    assert_eq!(refusal(&recover(&channel, "Ada", &code, false).await.unwrap_err()), TAKEN);
}

#[tokio::test]
async fn wrong_recovery_code_takes_nothing() {
    let server = TestServer::start().await;
    let channel = server.channel();
    let (mut ada, code) = person(&channel, "Ada").await;
    let (_bob, other) = person(&channel, "Bob").await;
    for (name, code) in [("Ada", &other), ("Bob", &code), ("Eve", &code)] {
        assert_eq!(refusal(&recover(&channel, name, code, true).await.unwrap_err()), WRONG_CODE);
    }
    let short = recover(&channel, "Ada", &code[1..], true).await.unwrap_err();
    assert_eq!(refusal(&short), "InvalidArgument [recovery_code] A recovery code has 20 letters and digits.");
    assert!(is_signed_in(&mut ada).await);

    let request = pb::NewRecoveryCodeRequest {};
    let new = ada.client.new_recovery_code(request).await.unwrap().into_inner().recovery_code;
    assert_eq!(refusal(&recover(&channel, "Ada", &code, false).await.unwrap_err()), WRONG_CODE);
    recover(&channel, "Ada", &new, false).await.unwrap();
}

#[tokio::test]
async fn recovery_code_is_not_stored() {
    let server = TestServer::start().await;
    let (_ada, code) = person(&server.channel(), "Ada").await;
    let data = server.data_dir();
    let dir = server.shutdown_keeping_data().await;
    let digits = code.replace('-', "");
    for file in std::fs::read_dir(&data).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for text in [&code, &digits] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()));
        }
    }
    drop(dir);
}

#[tokio::test]
async fn recovery_ends_the_other_sessions_on_demand() {
    let server = TestServer::start().await;
    let channel = server.channel();
    let (mut lost, code) = person(&channel, "Ada").await;
    let (_, mut stream) = lost.follow(vec![]).await;

    let mut found = recover(&channel, "Ada", &code, true).await.unwrap();

    assert_signed_out(stream.next().await);
    assert!(!is_signed_in(&mut lost).await);
    assert!(is_signed_in(&mut found).await);
    assert_eq!(sessions(&mut found).await.len(), 1);
}

fn assert_signed_out(frame: Frame) {
    let Frame::Goodbye(goodbye) = frame else { panic!("{frame:?}") };
    assert_eq!((goodbye.reason(), goodbye.reconnect), (pb::GoodbyeReason::SignedOut, false));
}

#[tokio::test]
async fn sessions_are_listed_with_device_and_ended_one_by_one() {
    let server = TestServer::start().await;
    let channel = server.channel();
    let (mut here, code) = person(&channel, "Ada").await;
    let mut there = recover(&channel, "Ada", &code, false).await.unwrap();
    let (_, mut stream) = there.follow(vec![]).await;
    let (mut stranger, _) = person(&channel, "Bob").await;

    let listed = sessions(&mut here).await;
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|session| session.client == "tonic" && session.last_used_ms > 0), "{listed:?}");
    let current: Vec<_> = listed.iter().filter(|session| session.current).collect();
    let other = listed.iter().find(|session| !session.current).unwrap();
    assert_eq!((current.len(), current[0].connected, other.connected), (1, false, true));
    assert!(!there.token.contains(&other.id));

    // Nobody ends the session of another user.
    let end = pb::EndSessionRequest { session_id: other.id.clone() };
    stranger.client.end_session(end.clone()).await.unwrap();
    assert!(is_signed_in(&mut there).await);

    here.client.end_session(end.clone()).await.unwrap();
    assert_signed_out(stream.next().await);
    assert_eq!(stream.try_next().await.unwrap().unwrap_err().code(), Code::Unauthenticated);
    assert!(!is_signed_in(&mut there).await);
    assert_eq!(sessions(&mut here).await.len(), 1);
    here.client.end_session(end).await.unwrap();
    assert!(is_signed_in(&mut here).await);
}

#[tokio::test]
async fn number_of_sessions_is_bounded() {
    let server = TestServer::start().await;
    let channel = server.channel();
    let (mut first, code) = person(&channel, "Ada").await;
    let mut last = first.clone();
    for _ in 0..MAX_SESSIONS_PER_USER {
        last = recover(&channel, "Ada", &code, false).await.unwrap();
    }
    assert_eq!(sessions(&mut last).await.len(), MAX_SESSIONS_PER_USER);
    assert!(!is_signed_in(&mut first).await);
}
