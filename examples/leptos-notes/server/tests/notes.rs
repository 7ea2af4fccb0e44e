//! The contract, by a native client on the same channel that the page uses.

use contract::notes_client::NotesClient;
use contract::{AddRequest, METHODS, WatchRequest, WatchResponse};
use tonic::Code;
use tonic_web_channel::Channel;

/// A client of a new server.
async fn client() -> NotesClient<Channel> {
    let listener = tonic_serve::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(server::run(listener, "no/page".into(), std::future::pending()));
    NotesClient::new(Channel::builder(uri).methods(METHODS).build().unwrap())
}

fn note(id: &str, text: &str) -> AddRequest {
    AddRequest { id: id.to_owned(), text: text.to_owned() }
}

#[tokio::test]
async fn watch_resumes_after_a_number_and_follows() {
    let mut client = client().await;
    client.add(note("a", "one")).await.unwrap();
    client.add(note("b", "two")).await.unwrap();

    let mut stream = client.watch(WatchRequest::default()).await.unwrap().into_inner();
    let first = stream.message().await.unwrap().unwrap();
    assert_eq!(texts(&first), ["one", "two"]);

    let resume = WatchRequest { board: first.board, after: 1 };
    let mut stream = client.watch(resume).await.unwrap().into_inner();
    assert_eq!(texts(&stream.message().await.unwrap().unwrap()), ["two"]);
    client.add(note("c", "three")).await.unwrap();
    assert_eq!(texts(&stream.message().await.unwrap().unwrap()), ["three"]);
}

#[tokio::test]
async fn watch_of_an_unknown_board_begins_at_the_first_note() {
    let mut client = client().await;
    client.add(note("a", "one")).await.unwrap();
    let request = WatchRequest { board: "gone".to_owned(), after: 7 };
    let mut stream = client.watch(request).await.unwrap().into_inner();
    assert_eq!(texts(&stream.message().await.unwrap().unwrap()), ["one"]);
}

fn texts(response: &WatchResponse) -> Vec<&str> {
    response.notes.iter().map(|note| note.text.as_str()).collect()
}

#[tokio::test]
async fn repeated_add_with_one_id_adds_one_note() {
    let mut client = client().await;
    let first = client.add(note("a", "one")).await.unwrap().into_inner();
    let again = client.add(note("a", "one")).await.unwrap().into_inner();
    assert_eq!(first, again);
}

#[tokio::test]
async fn empty_note_is_refused() {
    let status = client().await.add(note("a", "")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "a note has 1 to 500 characters"));
}
