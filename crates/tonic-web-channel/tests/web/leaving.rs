//! Calls that are dropped early, and calls that wait for a connection, as the server and the developer see them.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use tonic_web_channel::Channel;
use tonic_web_channel::observe::CallEventKind;
use tower_service::Service as _;
use wasm_bindgen_test::wasm_bindgen_test;

use super::support::{call, channel, fetch, next, opened, request, send, server, unique, within};

/// Whether the server has received the call `name`.
async fn was_received(name: &str) -> bool {
    call_about("come", name).await
}

/// Whether the server has noticed that the call `name` was aborted.
async fn was_aborted(name: &str) -> bool {
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
        // One poll sends it: nothing before that has to wait.
        assert!(call.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(was_received(&name).await);
    }
    assert!(was_aborted(&name).await);
}

#[wasm_bindgen_test]
async fn a_stream_that_is_dropped_is_aborted() {
    let name = unique("stream");
    let response = opened(&channel(), &format!("hang-streaming/{name}")).await;
    let mut body = response.into_body();
    assert!(next(&mut body).await.unwrap().unwrap().is_data());
    drop(body);
    assert!(was_aborted(&name).await);
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
    assert!(was_aborted(&name).await);
    // The result of the read is dropped, and other calls go on.
    assert!(call("good").await.is_ok());
}

#[wasm_bindgen_test]
async fn a_connection_is_reused_after_a_complete_response() {
    // The end of the body comes after the trailers, in its own chunk. A browser closes the connection of an aborted
    // response.
    for call_number in 0..5 {
        let on_its_connection: usize = call("ordinal").await.unwrap().text().parse().unwrap();
        assert!(call_number == 0 || on_its_connection > 1, "call {call_number} needed a new connection");
    }
}

#[wasm_bindgen_test]
async fn a_status_waits_only_briefly_for_the_end_of_the_body() {
    let name = unique("complete");
    let start = js_sys::Date::now();

    let reply = call(&format!("hang-complete/{name}")).await.unwrap();

    assert_eq!(reply.trailers["grpc-status"], "0");
    // The body has one to two seconds to end.
    let waited = js_sys::Date::now() - start;
    assert!(waited >= 900.0, "the status came after {waited} ms");
    assert!(was_aborted(&name).await);
}

#[wasm_bindgen_test]
async fn a_seventh_open_stream_over_http_1_is_a_warning() {
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
