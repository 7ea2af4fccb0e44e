//! The messages that an extension receives.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_util::FutureExt as _;
use js_sys::{JSON, global};
use tonic::Code;
use tonic_web_channel::observe::{CallEvent, CallEventKind};
use tonic_web_channel::{Channel, InProcess};
use tonic_web_devtools::extension::{self, Direction, base64};
use tower::Service as _;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use super::support::{STREAM, UNARY, call, channel, get, invoke, request, service, set_global};

const INSTALLED: &str = "__GRPCWEB_DEVTOOLS__";

/// Makes a call to `path`; gives what was posted about it, as JSON without the call's number.
async fn posted(installed: bool, service: InProcess, path: &'static str) -> Vec<String> {
    // The tests of this page see each other's messages.
    let number = Rc::new(Cell::new(0));
    let noted = number.clone();
    let note = move |event: &CallEvent| noted.set(event.call);
    let channel =
        channel(service).capture(64).observer(extension::observer(base64)).observer(note).build().unwrap();

    let all = Rc::new(RefCell::new(Vec::new()));
    let (end, ended) = tokio::sync::oneshot::channel();
    let end = RefCell::new(Some(end));
    let last = JsValue::from(js_sys::Math::random());
    let listener = {
        let (all, last) = (all.clone(), last.clone());
        Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
            let data = get(&event, "data");
            if data == last {
                end.take().unwrap().send(()).unwrap();
            } else {
                all.borrow_mut().push(data);
            }
        })
    };
    let target: web_sys::EventTarget = global().unchecked_into();
    target.add_event_listener_with_callback("message", listener.as_ref().unchecked_ref()).unwrap();

    set_global(INSTALLED, &installed.into());
    call(channel, path).await;
    set_global(INSTALLED, &JsValue::UNDEFINED);
    // Messages arrive in the order in which they were posted.
    invoke(&global(), "postMessage", [&last, &"/".into()]);
    ended.await.unwrap();
    target.remove_event_listener_with_callback("message", listener.as_ref().unchecked_ref()).unwrap();

    let number = number.get() as f64;
    let of_call = |data: &JsValue| data.is_object() && get(data, "requestId") == number;
    let json = |data: &JsValue| String::from(JSON::stringify(data).unwrap());
    let without_number = |text: String| text.replace(&format!(r#","requestId":{number}"#), "");
    all.borrow().iter().filter(|data| of_call(data)).map(json).map(without_number).collect()
}

/// The JSON of one message about a call to `path`.
fn message(path: &str, method_type: &str, parts: &str) -> String {
    let head = format!(r#"{{"type":"__GRPCWEB_DEVTOOLS__","method":"{path}","methodType":"{method_type}""#);
    format!("{head},{parts}}}")
}

#[wasm_bindgen_test]
async fn unary_call_is_one_message_with_request_and_response() {
    let posted = posted(true, service(&["two"], Code::Ok), UNARY).await;
    assert_eq!(posted, [message(UNARY, "unary", r#""request":"b25l","response":"dHdv""#)]);
}

#[wasm_bindgen_test]
async fn failed_unary_call_has_an_error_and_no_response() {
    let posted = posted(true, service(&[], Code::NotFound), UNARY).await;
    let parts = r#""request":"b25l","error":{"code":5,"message":"scripted"}"#;
    assert_eq!(posted, [message(UNARY, "unary", parts)]);
}

#[wasm_bindgen_test]
async fn stream_is_one_message_each_and_an_end() {
    let posted = posted(true, service(&["two", ""], Code::Ok), STREAM).await;
    let parts = [r#""request":"b25l""#, r#""response":"dHdv""#, r#""response":"""#, r#""response":"EOF""#];
    assert_eq!(posted, parts.map(|part| message(STREAM, "server_streaming", part)));
}

#[wasm_bindgen_test]
async fn nothing_is_posted_without_an_extension() {
    let posted = posted(false, service(&["two"], Code::Ok), UNARY).await;
    assert_eq!(posted, Vec::<String>::new());
}

#[wasm_bindgen_test]
async fn describing_a_message_may_make_a_call() {
    let inner = Rc::new(RefCell::new(None::<Channel>));
    let own = inner.clone();
    let described = Rc::new(RefCell::new(Vec::new()));
    let noted = described.clone();
    let describe = move |message: extension::Message<'_>| {
        if message.path == UNARY {
            noted.borrow_mut().push(message.direction);
            // The events of this call come while a message is described.
            let mut channel = own.borrow().clone().unwrap();
            drop(channel.call(request(STREAM)).now_or_never());
        }
        base64(message)
    };
    let ended = Rc::new(Cell::new(0));
    let counted = ended.clone();
    let count = move |event: &CallEvent| {
        counted.set(counted.get() + usize::from(matches!(event.kind, CallEventKind::Ended { .. })));
    };
    let service = service(&["two"], Code::Ok);
    let channel = channel(service).observer(extension::observer(describe)).observer(count).build().unwrap();
    *inner.borrow_mut() = Some(channel.clone());

    set_global(INSTALLED, &true.into());
    call(channel, UNARY).await;
    set_global(INSTALLED, &JsValue::UNDEFINED);
    inner.take();

    assert_eq!(*described.borrow(), [Direction::Request, Direction::Response]);
    assert_eq!(ended.get(), 3);
}
