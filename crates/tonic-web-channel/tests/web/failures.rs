//! Invalid answers: the error and the code of each.

use std::time::Duration;

use js_sys::{Object, Reflect};
use tonic::Code;
use tonic_web_channel::{BodyEnd, Channel, Error, Fetch};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_test::wasm_bindgen_test;

use super::support::{call, channel, failure, reason, request, send, server};

#[wasm_bindgen_test]
async fn a_page_of_a_proxy_is_named_by_its_http_status() {
    assert_eq!(failure("bad-gateway").await, Error::Http { status: 502 });
    for (status, code) in [(401, Code::Unauthenticated), (404, Code::Unimplemented), (418, Code::Unknown)] {
        let failed = call(&format!("status/{status}")).await.unwrap_err();
        assert_eq!(reason(&failed), Error::Http { status });
        assert_eq!(failed.code(), code);
    }
    let found = "text/html".to_owned();
    assert_eq!(failure("page").await, Error::ContentType { found });
}

#[wasm_bindgen_test]
async fn a_redirect_is_not_followed() {
    assert_eq!(failure("redirect").await, Error::Http { status: 302 });
}

#[wasm_bindgen_test]
async fn an_unreachable_server_and_missing_cors_give_one_error_that_names_both() {
    for order in ["no-cors", "refuse"] {
        let failed = call(order).await.unwrap_err();
        let Error::Fetch { origin, reason, offline: false } = reason(&failed) else {
            panic!("{order}: {failed:?}")
        };
        assert_eq!(origin, server());
        assert!(!reason.is_empty());
        assert_eq!(failed.code(), Code::Unavailable);
        assert!(failed.message().contains("CORS") && failed.message().contains("cannot be reached"));
    }
    // Nothing listens on port 1.
    let nowhere = "http://127.0.0.1:1";
    let channel = Channel::builder(nowhere).transport(Fetch::new(nowhere.parse().unwrap())).build().unwrap();
    let failed = send(&channel, request("good")).await.unwrap_err();
    assert!(matches!(reason(&failed), Error::Fetch { .. }), "{failed:?}");
}

#[wasm_bindgen_test]
async fn a_lost_connection_and_a_truncated_response_differ() {
    for order in ["cut-message", "cut-trailers"] {
        let failed = call(order).await.unwrap_err();
        assert!(matches!(reason(&failed), Error::ConnectionLost { .. }), "{order}: {failed:?}");
        assert_eq!(failed.code(), Code::Unavailable);
    }
    assert_eq!(failure("truncated-message").await, Error::Truncated { end: BodyEnd::InsideMessage });
    assert_eq!(failure("truncated-trailers").await, Error::Truncated { end: BodyEnd::InsideTrailers });
    // CORS settings that hide the status leave an empty response.
    for order in ["nothing", "hidden-status"] {
        let failed = call(order).await.unwrap_err();
        assert!(matches!(reason(&failed), Error::Truncated { .. }), "{order}: {failed:?}");
        assert!(
            failed.message().contains("nothing in it") && failed.message().contains("CORS"),
            "{failed:?}"
        );
    }
}

#[wasm_bindgen_test]
async fn a_message_over_the_limit_is_refused_by_its_prefix() {
    // The server never sends the rest.
    let failed = call("large-prefix").await.unwrap_err();
    assert!(matches!(reason(&failed), Error::MessageTooLarge { size: 0x7fff_ffff, .. }), "{failed:?}");
    assert_eq!(failed.code(), Code::ResourceExhausted);
}

#[wasm_bindgen_test]
async fn a_deadline_ends_a_call_without_an_answer() {
    let deadline = Duration::from_millis(200);
    let name = super::support::unique("deadline");
    let channel =
        Channel::builder(server()).transport(super::support::fetch()).deadline(deadline).build().unwrap();
    let failed = send(&channel, request(&format!("hang/{name}"))).await.unwrap_err();
    assert_eq!(failed.code(), Code::DeadlineExceeded);
    assert_eq!(call(&format!("gone/{name}")).await.unwrap().trailers["grpc-status"], "0");
}

/// Overrides `navigator.onLine` until it is dropped.
struct OnLine;

impl OnLine {
    fn set(value: bool) -> Self {
        let navigator = web_sys::window().unwrap().navigator();
        let property = Object::new();
        Reflect::set(&property, &"value".into(), &value.into()).unwrap();
        Reflect::set(&property, &"configurable".into(), &true.into()).unwrap();
        Object::define_property(&navigator, &"onLine".into(), &property);
        Self
    }
}

impl Drop for OnLine {
    fn drop(&mut self) {
        let navigator = web_sys::window().unwrap().navigator();
        // The prototype has the property itself.
        Reflect::delete_property(navigator.unchecked_ref::<Object>(), &"onLine".into()).unwrap();
    }
}

#[wasm_bindgen_test]
async fn calls_are_sent_although_the_browser_reports_no_network() {
    let _offline = OnLine::set(false);
    assert!(send(&channel(), request("good")).await.is_ok());
    let elsewhere = "https://server.invalid";
    let remote =
        Channel::builder(elsewhere).transport(Fetch::new(elsewhere.parse().unwrap())).build().unwrap();
    let failed = send(&remote, request("good")).await.unwrap_err();
    assert!(matches!(reason(&failed), Error::Fetch { offline: true, .. }), "{failed:?}");
}
