//! The observer itself.

use std::cell::RefCell;
use std::collections::HashMap;

use bytes::Bytes;
use js_sys::Object;
use tonic::{Code, Status};
use tonic_web_channel::observe::{CallEvent, CallEventKind};
use wasm_bindgen::JsValue;

use super::{Direction, Message};
use crate::js::{call, global_property, object, set};

/// The type of every message, and the global variable by which the extension for grpc-web clients announces itself.
const GRPC_WEB: &str = "__GRPCWEB_DEVTOOLS__";
/// The global variable by which the extension for Connect clients announces itself. It speaks the same protocol.
const CONNECT_WEB: &str = "__CONNECT_WEB_DEVTOOLS__";

pub(super) fn observer(describe: impl Fn(Message<'_>) -> JsValue + 'static) -> impl Fn(&CallEvent) + 'static {
    let open_calls = RefCell::new(HashMap::<u64, OpenCall>::new());
    move |event| {
        if let CallEventKind::Started { path, kind, .. } = &event.kind {
            if is_installed() {
                let streams = kind.map(|kind| (kind.client_streaming(), kind.server_streaming()));
                open_calls.borrow_mut().insert(event.call, OpenCall::new(path.clone(), streams));
            }
            return;
        }
        // The borrow has to end here: `describe` may make a call, whose events come through this closure.
        let open_call = open_calls.borrow_mut().remove(&event.call);
        let Some(mut open_call) = open_call else { return };
        match &event.kind {
            CallEventKind::MessageSent { bytes, flags, content } => {
                let message = open_call.message(Direction::Request, *flags, *bytes, content);
                let request = describe(message);
                open_call.sent(event.call, request);
            }
            CallEventKind::MessageReceived { bytes, flags, content } => {
                let message = open_call.message(Direction::Response, *flags, *bytes, content);
                let response = describe(message);
                open_call.received(event.call, response);
            }
            CallEventKind::Ended { status, .. } => {
                open_call.ended(event.call, status);
                return;
            }
            _ => {}
        }
        open_calls.borrow_mut().insert(event.call, open_call);
    }
}

fn is_installed() -> bool {
    global_property(GRPC_WEB).is_truthy() || global_property(CONNECT_WEB).is_truthy()
}

/// A call that an extension shows.
struct OpenCall {
    path: String,
    method_type: &'static str,
    /// Whether each message is posted when it comes.
    is_stream: bool,
    // The messages of a method with one response, until the call ends.
    request: JsValue,
    response: JsValue,
}

impl OpenCall {
    /// `streams` says whether the client and the server send a stream. An unknown method is shown as a server stream.
    fn new(path: String, streams: Option<(bool, bool)>) -> Self {
        let method_type = match streams {
            Some((false, false)) => "unary",
            Some((true, false)) => "client_streaming",
            Some((true, true)) => "bidi_streaming",
            Some((false, true)) | None => "server_streaming",
        };
        let is_stream = streams.is_none_or(|(_, server)| server);
        Self { path, method_type, is_stream, request: JsValue::UNDEFINED, response: JsValue::UNDEFINED }
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
        if self.is_stream {
            self.post(call_id, [("request", request)]);
        } else {
            self.request = request;
        }
    }

    fn received(&mut self, call_id: u64, response: JsValue) {
        if self.is_stream {
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
        if !self.is_stream {
            let response = if error.is_undefined() { self.response.clone() } else { JsValue::UNDEFINED };
            self.post(call_id, [("request", self.request.clone()), ("response", response), ("error", error)]);
        } else if error.is_undefined() {
            // The extensions' mark for the end of a stream.
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
        // "/" restricts the message to this page's origin.
        call(&global_property("window"), "postMessage", [&message, &"/".into()]);
    }
}
