//! The chat's calls: join, sessions, rooms, messages, history and read markers, with their refusals.

use futures_util::future::join_all;
use prost::Message as _;
use proto::chat::v1 as pb;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use proto::chat::v1::list_events_request::Range;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Request, Response, Status};

use crate::chat_client::{Person, operation_id, refusal, seqs, text_of};
use crate::support::TestServer;

fn join_request(name: &str) -> pb::JoinRequest {
    pb::JoinRequest { name: name.to_owned(), return_token: false, ..Default::default() }
}

fn with_cookie<T>(message: T, cookie: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("cookie", MetadataValue::try_from(cookie).unwrap());
    request
}

fn set_cookie(metadata: &MetadataMap) -> Option<&str> {
    metadata.get("set-cookie").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn join_sets_a_session_cookie() {
    let server = TestServer::start().await;
    let mut client = ChatServiceClient::new(server.channel());
    let joined = client.join(join_request(" Ada   Lovelace ")).await.unwrap();
    let cookie = set_cookie(joined.metadata()).unwrap().to_owned();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    let (cookie_name, _) = pair.split_once('=').unwrap();
    assert!(cookie_name.starts_with("chinwag_session_"), "{cookie_name}");
    assert_eq!(attributes, "HttpOnly; SameSite=Strict; Path=/; Max-Age=7776000");
    let joined = joined.into_inner();
    assert_eq!(joined.token, "");
    let user = joined.user.unwrap();
    assert_eq!(user.name, "Ada Lovelace");

    let mine = format!("theme=dark; {pair}; other=1");
    let session = client.get_session(with_cookie(pb::GetSessionRequest {}, &mine)).await.unwrap();
    assert_eq!(set_cookie(session.metadata()), Some(cookie.as_str()), "the browser keeps it longer too");
    assert_eq!(session.into_inner().user.unwrap(), user);

    let signed_out = client.sign_out(with_cookie(pb::SignOutRequest {}, &mine)).await.unwrap();
    assert_eq!(
        set_cookie(signed_out.metadata()),
        Some(format!("{cookie_name}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0").as_str())
    );
    let status = client.get_session(with_cookie(pb::GetSessionRequest {}, &mine)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn program_gets_a_token_and_no_cookie() {
    let server = TestServer::start().await;
    let mut client = ChatServiceClient::new(server.channel());
    let request = pb::JoinRequest { name: "Ada".to_owned(), return_token: true, ..Default::default() };
    let joined = client.join(request).await.unwrap();
    assert_eq!(set_cookie(joined.metadata()), None);
    assert_eq!(joined.into_inner().token.len(), 43);

    let mut ada = Person::join(server.channel(), "Bob").await;
    let session = ada.client.get_session(pb::GetSessionRequest {}).await.unwrap();
    assert_eq!(set_cookie(session.metadata()), None);
    assert_eq!(session.into_inner().user.unwrap(), ada.user);
    let signed_out = ada.client.sign_out(pb::SignOutRequest {}).await.unwrap();
    assert_eq!(set_cookie(signed_out.metadata()), None);
}

#[tokio::test]
async fn https_only_server_sets_a_secure_cookie() {
    let server = TestServer::start_with(|config| config.secure_cookie = true).await;
    let mut client = ChatServiceClient::new(server.channel());
    let joined = client.join(join_request("Ada")).await.unwrap();
    assert!(set_cookie(joined.metadata()).unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn invalid_names_are_refused_with_field_and_sentence() {
    let server = TestServer::start().await;
    let mut client = ChatServiceClient::new(server.channel());
    let empty = "InvalidArgument [name] A name needs at least one visible character.";
    let long = "InvalidArgument [name] A name can have at most 40 characters.";
    let control = "InvalidArgument [name] A name cannot contain line breaks, control characters or \
                   invisible characters.";
    for (name, expected) in [
        ("", empty),
        (" \t ", empty),
        (&*"界".repeat(41), long),
        ("A\nB", control),
        ("A\u{200B}B", control),
        ("A\u{202E}B", control),
    ] {
        let status = client.join(join_request(name)).await.unwrap_err();
        assert_eq!(refusal(&status), expected, "{name:?}");
    }
    for name in ["界", &"界".repeat(40), "👩\u{200D}💻", "Ame\u{301}lie"] {
        client.join(join_request(name)).await.unwrap();
    }
    let status = client.join(join_request("AM\u{C9}LIE")).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        "AlreadyExists [] Somebody here already uses this name. Please choose another."
    );
}

#[tokio::test]
async fn sign_out_frees_the_name_and_ends_the_token() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    ada.client.sign_out(pb::SignOutRequest {}).await.unwrap();
    let again = ada.client.sign_out(pb::SignOutRequest {}).await.unwrap_err();
    assert_eq!(refusal(&again), "Unauthenticated [] You are not signed in. Please join first.");
    let second = Person::join(server.channel(), "ada").await;
    assert_ne!(second.user.id, ada.user.id);
}

#[tokio::test]
async fn every_method_but_join_needs_a_session() {
    fn code<T>(result: Result<Response<T>, Status>) -> Code {
        result.err().expect("it was answered").code()
    }
    let server = TestServer::start().await;
    let clients = [None, Some("Bearer x"), Some("Bearer "), Some("Basic dTpw")].map(|value| {
        ChatServiceClient::with_interceptor(server.channel(), move |mut request: Request<()>| {
            if let Some(value) = value {
                request.metadata_mut().insert("authorization", MetadataValue::from_static(value));
            }
            Ok(request)
        })
    });
    for mut client in clients {
        let codes = [
            code(client.get_session(pb::GetSessionRequest {}).await),
            code(client.sign_out(pb::SignOutRequest {}).await),
            code(client.create_room(pb::CreateRoomRequest::default()).await),
            code(client.list_rooms(pb::ListRoomsRequest {}).await),
            code(client.send_message(pb::SendMessageRequest::default()).await),
            code(client.list_events(pb::ListEventsRequest::default()).await),
            code(client.mark_read(pb::MarkReadRequest::default()).await),
            code(client.subscribe(pb::SubscribeRequest::default()).await),
        ];
        assert_eq!(codes, [Code::Unauthenticated; 8]);
    }
}

#[tokio::test]
async fn session_survives_a_restart_and_its_token_is_not_stored() {
    let server = TestServer::start().await;
    let ada = Person::join(server.channel(), "Ada").await;
    let dir = server.shutdown_keeping_data().await;
    let data = dir.path().join("data");
    for file in std::fs::read_dir(&data).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(ada.token.len()).any(|window| window == ada.token.as_bytes()));
    }
    let server = TestServer::start_with(|config| config.data = data).await;
    let session = ada.over(server.channel()).client.get_session(pb::GetSessionRequest {}).await.unwrap();
    assert_eq!(session.into_inner().user.unwrap(), ada.user);
}

#[tokio::test]
async fn rooms_are_created_once_and_listed_in_order() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let tea = ada.create_room("  Tea \u{3000} time ").await.unwrap();
    let room = tea.room.clone().unwrap();
    assert_eq!((room.name.as_str(), tea.head_seq, tea.read_seq, tea.unread), ("Tea time", 1, 0, 0));
    assert!(room.id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));

    let rooms = ada.rooms().await;
    let names: Vec<_> = rooms.iter().map(|state| state.room.as_ref().unwrap().name.as_str()).collect();
    assert_eq!(names, ["general", "Tea time"]);
    assert_eq!(rooms[0].room.as_ref().unwrap().id, "general");
    assert_eq!(rooms[1], tea);
    assert_ne!(rooms[0].epoch, rooms[1].epoch);

    let log = ada.log(&room.id).await;
    assert_eq!(seqs(&log), [1]);
    assert_eq!(log[0].author.as_ref(), Some(&ada.user));
    let created = pb::event::Body::RoomCreated(pb::RoomCreated { name: "Tea time".to_owned() });
    assert_eq!(log[0].body, Some(created));
    assert_eq!(log[0].created_at_ms, room.created_at_ms);
}

#[tokio::test]
async fn invalid_rooms_are_refused() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    ada.create_room("Tea").await.unwrap();
    for (name, id, expected) in [
        ("", vec![1; 16], "InvalidArgument [name] A room name needs at least one visible character."),
        (&*"x".repeat(61), vec![1; 16], "InvalidArgument [name] A room name can have at most 60 characters."),
        ("Coffee", vec![1; 15], "InvalidArgument [operation_id] An operation id has 16 bytes, a UUID."),
        (
            "Coffee",
            operation_id("Tea", 0),
            "InvalidArgument [operation_id] This operation id was used before for something else. Every \
             action needs its own id.",
        ),
        (
            "tEA",
            vec![2; 16],
            "AlreadyExists [] There already is a room with this name. Please choose another.",
        ),
        (
            "GENERAL",
            vec![3; 16],
            "AlreadyExists [] There already is a room with this name. Please choose another.",
        ),
    ] {
        let request = pb::CreateRoomRequest { name: name.to_owned(), operation_id: id };
        let status = ada.client.create_room(request).await.unwrap_err();
        assert_eq!(refusal(&status), expected);
    }
    assert_eq!(ada.rooms().await.len(), 2);
}

#[tokio::test]
async fn messages_are_stored_unchanged_or_refused_with_the_field() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let kept = ["hi", "  two\n\tlines ", "你好，世界", "שלום עולם", "👩\u{200D}💻", &"界".repeat(4000)];
    for (index, text) in kept.iter().enumerate() {
        assert_eq!(ada.send("general", text).await.seq, index as u64 + 2);
    }
    let log = ada.log("general").await;
    assert_eq!(log.iter().skip(1).map(text_of).collect::<Vec<_>>(), kept);
    assert!(log.iter().skip(1).all(|event| event.author.as_ref() == Some(&ada.user)));

    let id = || vec![7; 16];
    for (room, id, text, expected) in [
        ("general", id(), "", "InvalidArgument [text] A message cannot be empty."),
        ("general", id(), " \n ", "InvalidArgument [text] A message cannot be empty."),
        (
            "general",
            id(),
            &*"x".repeat(4001),
            "InvalidArgument [text] A message can have at most 4000 characters.",
        ),
        (
            "general",
            id(),
            "a\u{1b}[31m",
            "InvalidArgument [text] A message cannot contain control characters other than line breaks and tabs.",
        ),
        (
            "general",
            vec![7; 17],
            "hi",
            "InvalidArgument [operation_id] An operation id has 16 bytes, a UUID.",
        ),
        ("general", vec![], "hi", "InvalidArgument [operation_id] An operation id has 16 bytes, a UUID."),
        ("nowhere", id(), "hi", "NotFound [] There is no such room."),
        ("", id(), "hi", "NotFound [] There is no such room."),
    ] {
        let status = ada.try_send(room, id, text).await.unwrap_err();
        assert_eq!(refusal(&status), expected);
    }
    assert_eq!(ada.log("general").await.len(), 1 + kept.len());
}

#[tokio::test]
async fn repeated_send_gets_the_first_answer_again() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let first = ada.try_send("general", vec![7; 16], "hi").await.unwrap();
    assert!(!first.duplicate);
    ada.send("general", "other").await;
    let again = ada.try_send("general", vec![7; 16], "hi").await.unwrap();
    assert_eq!(again, pb::SendMessageResponse { duplicate: true, ..first });
    let dir = server.shutdown_keeping_data().await;

    let server = TestServer::start_with(|config| config.data = dir.path().join("data")).await;
    let mut ada = ada.over(server.channel());
    let later = ada.try_send("general", vec![7; 16], "hi").await.unwrap();
    assert_eq!(later, pb::SendMessageResponse { duplicate: true, ..first });
    let status = ada.try_send("general", vec![7; 16], "ho").await.unwrap_err();
    assert!(refusal(&status).starts_with("InvalidArgument [operation_id] "));
    assert_eq!(ada.log("general").await.len(), 3);
}

#[tokio::test]
async fn history_is_paged_in_every_direction_without_a_gap() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    for n in 2..=30 {
        ada.send("general", &format!("message {n}")).await;
    }
    let epoch = ada.rooms().await[0].epoch;
    let table = [
        (None, 0, 1..31, false, false),
        (None, 10, 21..31, true, false),
        (Some(Range::BeforeSeq(21)), 10, 11..21, true, true),
        (Some(Range::BeforeSeq(6)), 10, 1..6, false, true),
        (Some(Range::BeforeSeq(1)), 10, 1..1, false, true),
        (Some(Range::BeforeSeq(1000)), 10, 21..31, true, false),
        (Some(Range::AfterSeq(0)), 10, 1..11, false, true),
        (Some(Range::AfterSeq(25)), 10, 26..31, true, false),
        (Some(Range::AfterSeq(30)), 10, 31..31, true, false),
        (Some(Range::AfterSeq(u64::MAX)), 10, 31..31, true, false),
        (Some(Range::AroundSeq(15)), 5, 13..18, true, true),
        (Some(Range::AroundSeq(2)), 5, 1..6, false, true),
        (Some(Range::AroundSeq(30)), 5, 26..31, true, false),
    ];
    for (range, limit, expected, has_earlier, has_later) in table {
        let page = ada.page("general", range, limit).await.unwrap();
        assert_eq!(seqs(&page.events), expected.collect::<Vec<u64>>(), "{range:?}");
        assert_eq!((page.has_earlier, page.has_later), (has_earlier, has_later), "{range:?}");
        let as_of = page.as_of.unwrap();
        assert_eq!((as_of.room_id.as_str(), as_of.epoch, as_of.seq), ("general", epoch, 30));
        assert_ne!(as_of.fingerprint, 0);
    }
    let status = ada.page("general", None, 501).await.unwrap_err();
    assert_eq!(refusal(&status), "InvalidArgument [limit] A page has at most 500 events.");
    let status = ada.page("nowhere", None, 1).await.unwrap_err();
    assert_eq!(refusal(&status), "NotFound [] There is no such room.");
}

#[tokio::test]
async fn page_of_long_messages_stays_below_one_mebibyte() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let long = "𠮷".repeat(4000);
    let sends = (0..150).map(|_| {
        let (mut ada, long) = (ada.clone(), &long);
        async move { ada.try_send("general", fastrand::u128(..).to_be_bytes().into(), long).await.unwrap() }
    });
    join_all(sends).await;
    for range in [None, Some(Range::AfterSeq(0)), Some(Range::BeforeSeq(100)), Some(Range::AroundSeq(75))] {
        let page = ada.page("general", range, 500).await.unwrap();
        let bytes = page.encoded_len();
        assert!((1000 * 1000..1024 * 1024).contains(&bytes), "{range:?}: {bytes} bytes");
        let numbers = seqs(&page.events);
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
        match range {
            None => assert_eq!(numbers.last(), Some(&151)),
            Some(Range::AfterSeq(_)) => assert_eq!(numbers[0], 1),
            Some(Range::BeforeSeq(_)) => assert_eq!(numbers.last(), Some(&99)),
            Some(Range::AroundSeq(seq)) => assert!(numbers[numbers.len() / 2].abs_diff(seq) <= 1),
        }
    }
    assert_eq!(ada.log("general").await.len(), 151);
}

#[tokio::test]
async fn read_marker_moves_forward_and_counts_messages_of_others() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let mut bob = Person::join(server.channel(), "Bob").await;
    for n in 0..6 {
        if n % 3 == 0 { &mut ada } else { &mut bob }.send("general", "hi").await;
    }
    // 2 Ada, 3 Bob, 4 Bob, 5 Ada, 6 Bob, 7 Bob
    assert_eq!((ada.rooms().await[0].unread, bob.rooms().await[0].unread), (4, 2));
    for (seq, read, unread) in [(1, 1, 4), (3, 3, 3), (2, 3, 3), (0, 3, 3), (5, 5, 2), (7, 7, 0)] {
        let request = pb::MarkReadRequest { room_id: "general".to_owned(), seq };
        let marked = ada.client.mark_read(request).await.unwrap().into_inner();
        assert_eq!((marked.read_seq, marked.unread), (read, unread), "marked {seq}");
        let state = &ada.rooms().await[0];
        assert_eq!((state.read_seq, state.unread), (read, unread));
    }
    ada.send("general", "mine").await;
    bob.send("general", "his").await;
    assert_eq!(ada.rooms().await[0].unread, 1);

    for (room_id, seq, expected) in [
        (
            "general",
            10,
            "InvalidArgument [seq] The room's last event is 9; there is nothing above to be read.",
        ),
        ("nowhere", 1, "NotFound [] There is no such room."),
    ] {
        let request = pb::MarkReadRequest { room_id: room_id.to_owned(), seq };
        let status = ada.client.mark_read(request).await.unwrap_err();
        assert_eq!(refusal(&status), expected);
    }
}
