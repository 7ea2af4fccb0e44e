//! Answers that are right, in every form that a server may give them.

use js_sys::Reflect;
use tonic_web_channel::{Channel, Cookies, Fetch};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use super::support::{call, channel, fetch, request, send, server};

fn all(headers: &http::HeaderMap, name: &str) -> Vec<String> {
    // Latin-1, as HTTP has it.
    let text = |value: &http::HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
    headers.get_all(name).iter().map(text).collect()
}

#[wasm_bindgen_test]
async fn a_message_and_its_trailers_come_through() {
    for order in ["good", "bytewise", "text"] {
        let reply = call(order).await.unwrap();
        assert_eq!(reply.messages, b"\0\0\0\0\x05hello", "{order}");
        assert_eq!(reply.trailers["grpc-status"], "0", "{order}");
    }
}

#[wasm_bindgen_test]
async fn compressed_trailers_are_read_by_the_browsers_own_gzip() {
    let reply = call("compressed-trailers").await.unwrap();
    assert_eq!(reply.trailers["grpc-status"], "9");
    assert_eq!(reply.trailers["grpc-message"], "no");
}

#[wasm_bindgen_test]
async fn gzip_is_offered_only_where_the_browser_can_undo_it() {
    let offers = async |channel| {
        let headers = send(&channel, request("headers")).await.unwrap().text().to_lowercase();
        headers.contains("grpc-accept-encoding: gzip")
    };
    assert!(offers(channel()).await);

    let (global, name) = (js_sys::global(), "DecompressionStream".into());
    let can = Reflect::get(&global, &name).unwrap();
    Reflect::set(&global, &name, &JsValue::UNDEFINED).unwrap();
    let channel = channel();
    Reflect::set(&global, &name, &can).unwrap();

    assert!(!offers(channel).await);
}

#[wasm_bindgen_test]
async fn a_status_among_the_headers_needs_no_body() {
    let reply = call("trailers-only").await.unwrap();
    assert_eq!(reply.headers["grpc-status"], "5");
    assert_eq!(reply.headers["grpc-message"], "not there");
    assert!(reply.messages.is_empty());
}

#[wasm_bindgen_test]
async fn repeated_metadata_comes_back_and_binary_values_are_apart() {
    let reply = call("repeated").await.unwrap();
    // The browser has joined them, and what has no `-bin` may have commas of its own.
    assert_eq!(all(&reply.headers, "x"), ["one, two"]);
    assert_eq!(all(&reply.headers, "k-bin"), ["AA==", "AQ=="]);
    assert_eq!(all(&reply.headers, "latin"), ["café"]);
    assert_eq!(all(&reply.trailers, "x"), ["a", "b"]);
    assert_eq!(all(&reply.trailers, "k-bin"), ["AA==", "AQ=="]);
}

#[wasm_bindgen_test]
async fn the_request_is_grpc_webs_and_repeated_metadata_is_sent() {
    let mut asked = request("headers");
    for value in ["one", "two"] {
        asked.headers_mut().append("x-mine", value.parse().unwrap());
    }
    asked.headers_mut().insert("x-latin", http::HeaderValue::from_bytes(b"caf\xe9").unwrap());
    let channel = Channel::builder(server()).transport(fetch()).build().unwrap();

    let came = send(&channel, asked).await.unwrap().text().to_lowercase();

    let lines: Vec<&str> = came.lines().collect();
    for line in ["content-type: application/grpc-web+proto", "x-grpc-web: 1", "x-mine: one, two"] {
        assert!(lines.contains(&line), "no {line:?} in {came}");
    }
    assert!(came.contains("x-user-agent: tonic-web-channel/"), "{came}");
    assert!(came.contains("x-latin: caf\u{fffd}"), "{came}");
    assert!(!came.contains("\nte:") && !came.contains("cookie"), "{came}");
}

#[wasm_bindgen_test]
async fn the_text_form_is_sent_and_asked_for() {
    let channel = Channel::builder(server()).transport(fetch().text()).build().unwrap();
    assert_eq!(send(&channel, request("body")).await.unwrap().text(), "AAAAAANoZXk=");
    let headers = send(&channel, request("headers")).await.unwrap().text();
    assert!(headers.contains("application/grpc-web-text+proto"), "{headers}");
}

#[wasm_bindgen_test]
async fn addresses_are_joined_without_a_second_slash_or_a_second_origin() {
    let paths = [
        ("", "/Faults/path"),
        ("/", "/Faults/path"),
        ("/a/prefix", "/a/prefix/Faults/path"),
        ("/a/prefix/", "/a/prefix/Faults/path"),
    ];
    for (base, path) in paths {
        let uri = format!("{}{base}", server());
        let channel = Channel::builder(&uri).transport(Fetch::new(uri.parse().unwrap()));
        let mut asked = request("path");
        // As clients write it that were given an origin.
        *asked.uri_mut() = "http://elsewhere:1/Faults/path".parse().unwrap();
        assert_eq!(send(&channel.build().unwrap(), asked).await.unwrap().text(), path, "{uri}");
    }
}

#[wasm_bindgen_test]
async fn calls_with_cookies_need_a_server_that_names_the_origin() {
    let including = fetch().cookies(Cookies::Include);
    let channel = Channel::builder(server()).transport(including).build().unwrap();
    // This one says `*`, which browsers do not take for a yes then.
    let status = send(&channel, request("good")).await.unwrap_err();
    assert!(
        matches!(
            tonic_web_channel::Error::from_status(&status),
            Some(tonic_web_channel::Error::Fetch { .. })
        ),
        "{status:?}"
    );

    let omitting = fetch().cookies(Cookies::Omit);
    let channel = Channel::builder(server()).transport(omitting).build().unwrap();
    assert!(send(&channel, request("good")).await.is_ok());
}

#[wasm_bindgen_test]
async fn many_small_and_many_large_messages_come_whole() {
    let small = call("small-messages/100000").await.unwrap();
    assert_eq!(small.messages.len(), 100_000 * 15);
    let large = call("large-messages/400").await.unwrap();
    assert_eq!(large.messages.len(), 400 * (64 * 1024 + 5));
}
