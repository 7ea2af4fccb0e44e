//! Calls that are left before their end, and calls that wait: what the server and the developer see of them.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use tonic_web_channel::Channel;
use tonic_web_channel::observe::CallEventKind;
use tower_service::Service as _;
use wasm_bindgen_test::wasm_bindgen_test;

use super::support::{call, channel, fetch, next, opened, request, send, server, unique, within};

/// Whether the server has seen the call `name`.
async fn has_come(name: &str) -> bool {
    call_about("come", name).await
}

/// Whether the server has seen that the call `name` was left.
async fn was_left(name: &str) -> bool {
    call_about("gone", name).await
}

async fn call_about(what: &str, name: &str) -> bool {
    call(&format!("{what}/{name}")).await.unwrap().trailers["grpc-status"] == "0"
}

#[wasm_bindgen_test]
async fn a_call_that_is_dropped_before_its_head_is_aborted() {
    let name = unique("head");
    {
        let mut channel = channel();
        let call = pin!(channel.call(request(&format!("hang/{name}"))));
        // So far that it is sent: the transport's steps until then are all ready.
        assert!(call.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(has_come(&name).await);
    }
    assert!(was_left(&name).await);
}

#[wasm_bindgen_test]
async fn a_stream_that_is_dropped_is_aborted() {
    let name = unique("stream");
    let response = opened(&channel(), &format!("hang-streaming/{name}")).await;
    let mut body = response.into_body();
    assert!(next(&mut body).await.unwrap().unwrap().is_data());
    drop(body);
    assert!(was_left(&name).await);
}

#[wasm_bindgen_test]
async fn a_stream_that_is_dropped_while_it_is_read_is_aborted() {
    let name = unique("reading");
    let response = opened(&channel(), &format!("hang-streaming/{name}")).await;
    let mut body = response.into_body();
    assert!(next(&mut body).await.unwrap().unwrap().is_data());
    {
        use http_body::Body as _;
        let read = std::pin::Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(read.is_pending(), "there is more to read");
    }
    drop(body);
    assert!(was_left(&name).await);
    // What the read ends with finds nobody, and the page lives on.
    assert!(call("good").await.is_ok());
}

#[wasm_bindgen_test]
async fn a_complete_response_leaves_its_connection_to_the_next_call() {
    // The end of the body comes after the trailers, by itself. A browser closes the connection of an aborted one.
    for call_number in 0..5 {
        let on_its_connection: usize = call("ordinal").await.unwrap().text().parse().unwrap();
        assert!(call_number == 0 || on_its_connection > 1, "call {call_number} needed a new connection");
    }
}

#[wasm_bindgen_test]
async fn a_status_does_not_wait_for_a_body_that_is_not_ended() {
    let name = unique("complete");
    let start = js_sys::Date::now();

    let reply = call(&format!("hang-complete/{name}")).await.unwrap();

    assert_eq!(reply.trailers["grpc-status"], "0");
    // The end has a second or two to come.
    let waited = js_sys::Date::now() - start;
    assert!(waited >= 900.0, "the status came after {waited} ms");
    assert!(was_left(&name).await);
}

#[wasm_bindgen_test]
async fn the_seventh_open_stream_over_http_1_is_warned_of_by_its_cause() {
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&warnings);
    let observed = Channel::builder(server()).transport(fetch()).observer(move |event| {
        if let CallEventKind::Warning { text } = &event.kind {
            heard.lock().unwrap().push(text.clone());
        }
    });
    let observed = observed.build().unwrap();
    let name = unique("many");
    let mut streams = Vec::new();
    for _ in 0..6 {
        streams.push(opened(&observed, &format!("hang-streaming/{name}")).await);
    }
    assert_eq!(*warnings.lock().unwrap(), Vec::<String>::new(), "six are fine");

    let seventh = send(&observed, request("good"));
    let freeing = async {
        while warnings.lock().unwrap().is_empty() {
            tonic_web_channel::rt::sleep(std::time::Duration::from_millis(20)).await;
        }
        streams.pop();
    };
    let (reply, ()) = within(futures_util::future::join(seventh, freeing)).await;

    assert!(reply.is_ok(), "it goes on when a connection is free");
    let warnings = warnings.lock().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("6 others are open"), "{warnings:?}");
    assert!(warnings[0].contains("HTTP/1.1") && warnings[0].contains("HTTP/2"), "{warnings:?}");
}
