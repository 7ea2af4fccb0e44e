//! Calls in the gRPC-Web devtools extensions of browsers: an observer that speaks their `postMessage`
//! protocol.
//!
//! The extensions listen in the page for messages of type `__GRPCWEB_DEVTOOLS__`. A method with one
//! response is told in one message when it is over, a stream in one for its request, one for each response,
//! and one for its end. Nothing is sent, and no message looked at, unless an extension has left its mark
//! before the call began.

use std::cell::RefCell;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use js_sys::Object;
use tonic::{Code, Status};
use wasm_bindgen::JsValue;

use crate::js::{call, object, of_global, set};
use crate::method::MethodKind;
use crate::observe::{CallEvent, CallEventKind};

/// The type of the extensions' messages, and the mark of the one for grpc-web clients.
const GRPC_WEB: &str = "__GRPCWEB_DEVTOOLS__";
/// The mark of those for Connect clients, which speak the same.
const CONNECT_WEB: &str = "__CONNECT_WEB_DEVTOOLS__";

/// A message that is to be shown.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Message<'a> {
    /// `/package.Service/Method`.
    pub path: &'a str,
    /// Who sent it.
    pub direction: Direction,
    /// The frame's first byte: bit 0 says that the message is compressed.
    pub flags: u8,
    /// Its length.
    pub length: usize,
    /// Its bytes, or as many of them as [`Builder::capture`](crate::Builder::capture) allows.
    pub content: &'a Bytes,
}

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The page.
    Request,
    /// The server.
    Response,
}

/// An observer for [`Builder::observer`](crate::Builder::observer), in a channel whose
/// [`Builder::capture`](crate::Builder::capture) is as long as the messages that are to be seen.
///
/// `describe` makes of a message what the extension shows, usually an object; [`base64()`] does so for
/// messages that nobody can read.
///
/// ```no_run
/// # fn build() -> Result<tonic_web_channel::Channel, tonic_web_channel::BuildError> {
/// use tonic_web_channel::{Channel, devtools};
///
/// let channel = Channel::builder("https://example.com")
///     .capture(64 * 1024)
///     .observer(devtools::observer(devtools::base64))
///     .build()?;
/// # Ok(channel)
/// # }
/// ```
pub fn observer(describe: impl Fn(Message<'_>) -> JsValue + 'static) -> impl Fn(&CallEvent) + 'static {
    let shown = RefCell::new(HashMap::<u64, Shown>::new());
    move |event| {
        if let CallEventKind::Started { path, kind, .. } = &event.kind {
            if is_there() {
                shown.borrow_mut().insert(event.call, Shown::new(path.clone(), *kind));
            }
            return;
        }
        // Taken out, for `describe` may make a call by the same channel.
        let taken = shown.borrow_mut().remove(&event.call);
        let Some(mut call) = taken else { return };
        match &event.kind {
            CallEventKind::MessageSent { bytes, flags, content } => {
                let message = call.message(Direction::Request, *flags, *bytes, content);
                let request = describe(message);
                call.sent(event.call, request);
            }
            CallEventKind::MessageReceived { bytes, flags, content } => {
                let message = call.message(Direction::Response, *flags, *bytes, content);
                let response = describe(message);
                call.received(event.call, response);
            }
            CallEventKind::Ended { status, .. } => {
                call.ended(event.call, status);
                return;
            }
            _ => {}
        }
        shown.borrow_mut().insert(event.call, call);
    }
}

/// What an extension shows of a message that nobody can read: its bytes in base64.
pub fn base64(message: Message<'_>) -> JsValue {
    STANDARD.encode(message.content).into()
}

fn is_there() -> bool {
    of_global(GRPC_WEB).is_truthy() || of_global(CONNECT_WEB).is_truthy()
}

/// A call that an extension sees.
struct Shown {
    path: String,
    method_type: &'static str,
    streams: bool,
    // Of a method with one response, until it is over.
    request: JsValue,
    response: JsValue,
}

impl Shown {
    /// A method of which nothing is known may turn out to be a stream.
    fn new(path: String, kind: Option<MethodKind>) -> Self {
        let method_type = match kind {
            Some(MethodKind::Unary) => "unary",
            Some(MethodKind::ClientStreaming) => "client_streaming",
            Some(MethodKind::Bidirectional) => "bidi_streaming",
            Some(MethodKind::ServerStreaming) | None => "server_streaming",
        };
        let streams = kind.is_none_or(MethodKind::server_streaming);
        Self { path, method_type, streams, request: JsValue::UNDEFINED, response: JsValue::UNDEFINED }
    }

    fn message<'a>(
        &'a self,
        direction: Direction,
        flags: u8,
        length: usize,
        content: &'a Bytes,
    ) -> Message<'a> {
        Message { path: &self.path, direction, flags, length, content }
    }

    fn sent(&mut self, call_id: u64, request: JsValue) {
        if self.streams {
            self.post(call_id, [("request", request)]);
        } else {
            self.request = request;
        }
    }

    fn received(&mut self, call_id: u64, response: JsValue) {
        if self.streams {
            self.post(call_id, [("response", response)]);
        } else {
            self.response = response;
        }
    }

    fn ended(&mut self, call_id: u64, status: &Status) {
        let error = if status.code() == Code::Ok {
            JsValue::UNDEFINED
        } else {
            let code = f64::from(i32::from(status.code()));
            object([("code", code.into()), ("message", status.message().into())]).into()
        };
        if !self.streams {
            let response = if error.is_undefined() { self.response.clone() } else { JsValue::UNDEFINED };
            self.post(call_id, [("request", self.request.clone()), ("response", response), ("error", error)]);
        } else if error.is_undefined() {
            // How the extensions want the end of a stream told.
            self.post(call_id, [("response", "EOF".into())]);
        } else {
            self.post(call_id, [("error", error)]);
        }
    }

    fn post<const N: usize>(&self, call_id: u64, parts: [(&str, JsValue); N]) {
        let message: Object = object([
            ("type", GRPC_WEB.into()),
            ("method", (&self.path).into()),
            ("methodType", self.method_type.into()),
            ("requestId", (call_id as f64).into()),
        ]);
        for (name, value) in parts {
            set(&message, name, &value);
        }
        // To this page alone, whatever else is in it.
        call(&of_global("window"), "postMessage", [&message, &"/".into()]);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use http::HeaderMap;
    use js_sys::{JSON, global};
    use wasm_bindgen::JsCast as _;
    use wasm_bindgen::closure::Closure;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::js::get;
    use crate::observe::event;

    /// What an extension would hear of one call, in JSON.
    async fn heard(
        installed: bool,
        kind: Option<MethodKind>,
        call_id: u64,
        events: Vec<CallEventKind>,
    ) -> Vec<String> {
        set(global().unchecked_ref(), GRPC_WEB, &installed.into());
        let heard = Rc::new(RefCell::new(Vec::new()));
        let last = JsValue::from(format!("the last of {call_id}"));
        let (told, over) = tokio::sync::oneshot::channel();
        let listener = {
            let (heard, last, told) = (heard.clone(), last.clone(), RefCell::new(Some(told)));
            Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
                let data = get(&event, "data");
                if get(&data, "requestId") == call_id as f64 {
                    heard.borrow_mut().push(String::from(JSON::stringify(&data).unwrap()));
                } else if data == last {
                    told.take().unwrap().send(()).unwrap();
                }
            })
        };
        let target: web_sys::EventTarget = global().unchecked_into();
        target.add_event_listener_with_callback("message", listener.as_ref().unchecked_ref()).unwrap();
        let observer = observer(base64);
        let path = "/test.Devtools/Call".to_owned();
        observer(&event(call_id, CallEventKind::Started { path, kind, metadata: HeaderMap::new() }));
        for kind in events {
            observer(&event(call_id, kind));
        }
        // Messages come in the order in which they were sent.
        call(&global(), "postMessage", [&last, &"/".into()]);
        over.await.unwrap();
        target.remove_event_listener_with_callback("message", listener.as_ref().unchecked_ref()).unwrap();
        set(global().unchecked_ref(), GRPC_WEB, &JsValue::UNDEFINED);
        heard.take()
    }

    fn sent(content: &'static [u8]) -> CallEventKind {
        CallEventKind::MessageSent { bytes: content.len(), flags: 0, content: Bytes::from_static(content) }
    }

    fn received(content: &'static [u8]) -> CallEventKind {
        CallEventKind::MessageReceived {
            bytes: content.len(),
            flags: 0,
            content: Bytes::from_static(content),
        }
    }

    fn ended(status: Status) -> CallEventKind {
        CallEventKind::Ended { status, trailers: HeaderMap::new() }
    }

    const HEAD: &str = r#"{"type":"__GRPCWEB_DEVTOOLS__","method":"/test.Devtools/Call""#;

    #[wasm_bindgen_test]
    async fn a_unary_call_is_one_message_with_request_and_response() {
        let events = vec![sent(b"one"), received(b"two"), ended(Status::ok(""))];
        let heard = heard(true, Some(MethodKind::Unary), 1_001, events).await;
        let rest = r#","methodType":"unary","requestId":1001,"request":"b25l","response":"dHdv"}"#;
        assert_eq!(heard, [format!("{HEAD}{rest}")]);
    }

    #[wasm_bindgen_test]
    async fn a_unary_call_that_failed_has_an_error_and_no_response() {
        let events = vec![sent(b"one"), ended(Status::not_found("no such room"))];
        let heard = heard(true, Some(MethodKind::Unary), 1_002, events).await;
        let rest = r#","methodType":"unary","requestId":1002,"request":"b25l","error":{"code":5,"message":"no such room"}}"#;
        assert_eq!(heard, [format!("{HEAD}{rest}")]);
    }

    #[wasm_bindgen_test]
    async fn a_stream_is_told_message_by_message_and_has_an_end() {
        let events = vec![sent(b"one"), received(b"two"), received(b""), ended(Status::ok(""))];
        let heard = heard(true, Some(MethodKind::ServerStreaming), 1_003, events).await;
        let parts =
            [r#""request":"b25l""#, r#""response":"dHdv""#, r#""response":"""#, r#""response":"EOF""#];
        let expected =
            parts.map(|part| format!(r#"{HEAD},"methodType":"server_streaming","requestId":1003,{part}}}"#));
        assert_eq!(heard, expected);
    }

    #[wasm_bindgen_test]
    fn what_describes_a_message_may_make_a_call_itself() {
        let started = |call_id| {
            let path = "/test.Devtools/Call".to_owned();
            event(call_id, CallEventKind::Started { path, kind: None, metadata: HeaderMap::new() })
        };
        set(global().unchecked_ref(), GRPC_WEB, &true.into());
        let own = Rc::new(RefCell::new(None::<Box<dyn Fn(&CallEvent)>>));
        let inner = own.clone();
        let described = Rc::new(Cell::new(0));
        let counted = described.clone();
        *own.borrow_mut() = Some(Box::new(observer(move |message| {
            counted.set(counted.get() + 1);
            let observer = inner.borrow();
            let observer = observer.as_ref().unwrap();
            observer(&started(1_006));
            observer(&event(1_006, ended(Status::ok(""))));
            base64(message)
        })));
        {
            let observer = own.borrow();
            let observer = observer.as_ref().unwrap();
            observer(&started(1_005));
            observer(&event(1_005, sent(b"one")));
            observer(&event(1_005, received(b"two")));
        }
        own.take();
        set(global().unchecked_ref(), GRPC_WEB, &JsValue::UNDEFINED);
        assert_eq!(described.get(), 2);
    }

    #[wasm_bindgen_test]
    async fn nothing_is_told_when_nobody_listens() {
        let events = vec![sent(b"one"), received(b"two"), ended(Status::ok(""))];
        let heard = heard(false, Some(MethodKind::Unary), 1_004, events).await;
        assert_eq!(heard, Vec::<String>::new());
    }
}
