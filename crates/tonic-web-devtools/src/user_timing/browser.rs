//! The observer itself.

use std::cell::RefCell;
use std::collections::HashMap;

use js_sys::Array;
use tonic::{Code, Status};
use tonic_web_channel::observe::{CallEvent, CallEventKind};
use wasm_bindgen::JsValue;

use crate::js::{call, global_property, object};

/// A call that has not ended.
struct OpenCall {
    path: String,
    start_ms: f64,
    headers_ms: Option<f64>,
}

pub(super) fn observer() -> impl Fn(&CallEvent) + 'static {
    let open_calls = RefCell::new(HashMap::<u64, OpenCall>::new());
    move |event| {
        let mut open_calls = open_calls.borrow_mut();
        match &event.kind {
            CallEventKind::Started { path, .. } => {
                let call = OpenCall { path: path.clone(), start_ms: time_ms(event), headers_ms: None };
                open_calls.insert(event.call, call);
            }
            CallEventKind::Headers { .. } => {
                if let Some(call) = open_calls.get_mut(&event.call) {
                    call.headers_ms.get_or_insert_with(|| time_ms(event));
                }
            }
            CallEventKind::Ended { status, .. } => {
                if let Some(call) = open_calls.remove(&event.call) {
                    measure(event.call, &call, time_ms(event), status);
                }
            }
            _ => {}
        }
    }
}

fn measure(call_id: u64, open_call: &OpenCall, end_ms: f64, status: &Status) {
    let performance = global_property("performance");
    let path = JsValue::from(&open_call.path);
    let code = JsValue::from(grpc_wire::status::code_name(i32::from(status.code())));
    let color = if status.code() == Code::Ok { "primary" } else { "error" };
    let properties = Array::of1(&Array::of2(&"code".into(), &code));
    let track = object([
        ("dataType", "track-entry".into()),
        ("track", "gRPC".into()),
        ("color", color.into()),
        ("properties", properties.into()),
    ]);
    let detail = object([
        ("path", path.clone()),
        ("call", (call_id as f64).into()),
        ("code", code),
        ("headers", open_call.headers_ms.map_or(JsValue::NULL, JsValue::from)),
        ("devtools", track.into()),
    ]);
    let options =
        object([("start", open_call.start_ms.into()), ("end", end_ms.into()), ("detail", detail.into())]);
    call(&performance, "clearMeasures", [&path, &JsValue::UNDEFINED]);
    call(&performance, "measure", [&path, &options]);
}

/// The time of an event, which an application may have held back.
fn time_ms(event: &CallEvent) -> f64 {
    now_ms() - event.at.elapsed().as_secs_f64() * 1_000.0
}

fn now_ms() -> f64 {
    let performance = global_property("performance");
    call(&performance, "now", [&JsValue::UNDEFINED; 2]).and_then(|now| now.as_f64()).unwrap_or_default()
}
