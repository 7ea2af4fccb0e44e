//! Calls on the browser's own timeline: an observer that makes a User Timing measure of every call.

use std::cell::RefCell;
use std::collections::HashMap;

use js_sys::Array;
use tonic::Status;
use wasm_bindgen::JsValue;

use crate::js::{call, object, of_global};
use crate::observe::{CallEvent, CallEventKind};

/// A call that has begun.
struct Begun {
    path: String,
    start_ms: f64,
    headers_ms: Option<f64>,
}

/// An observer for [`Builder::observer`](crate::Builder::observer) that measures every call from its start
/// to its end with `performance.measure`.
///
/// The measure's name is the call's path. Its `detail` has `path`, `call` (a number unique in this
/// program), `code` (by name, as in `DEADLINE_EXCEEDED`) and `headers` (when the response's headers came, in
/// milliseconds by `performance.now()`, or null), and a part by which Chromium's Performance panel draws calls on a track of
/// their own. The newest measure of each path stays in the page's buffer, which has no limit of its own; a
/// `PerformanceObserver` and a recording see all of them.
pub fn observer() -> impl Fn(&CallEvent) + 'static {
    let begun = RefCell::new(HashMap::<u64, Begun>::new());
    move |event| {
        let mut begun = begun.borrow_mut();
        match &event.kind {
            CallEventKind::Started { path, .. } => {
                begun.insert(event.call, Begun { path: path.clone(), start_ms: now_ms(), headers_ms: None });
            }
            CallEventKind::Headers { .. } => {
                if let Some(begun) = begun.get_mut(&event.call) {
                    begun.headers_ms.get_or_insert_with(now_ms);
                }
            }
            CallEventKind::Ended { status, .. } => {
                if let Some(begun) = begun.remove(&event.call) {
                    measure(event.call, &begun, status);
                }
            }
            _ => {}
        }
    }
}

fn measure(call_id: u64, begun: &Begun, status: &Status) {
    let performance = of_global("performance");
    let path = JsValue::from(&begun.path);
    let code = JsValue::from(grpc_wire::status::code_name(status.code().into()));
    let color = if status.code() == tonic::Code::Ok { "primary" } else { "error" };
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
        ("headers", begun.headers_ms.map_or(JsValue::NULL, JsValue::from)),
        ("devtools", track.into()),
    ]);
    let options =
        object([("start", begun.start_ms.into()), ("end", now_ms().into()), ("detail", detail.into())]);
    call(&performance, "clearMeasures", [&path, &JsValue::UNDEFINED]);
    call(&performance, "measure", [&path, &options]);
}

fn now_ms() -> f64 {
    let performance = of_global("performance");
    call(&performance, "now", [&JsValue::UNDEFINED; 2]).and_then(|now| now.as_f64()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::js::get;
    use crate::observe::event;

    fn measures(path: &str) -> Vec<JsValue> {
        let entries = call(&of_global("performance"), "getEntriesByName", [&path.into(), &"measure".into()]);
        Array::from(&entries.unwrap()).to_vec()
    }

    #[wasm_bindgen_test]
    async fn a_call_is_on_the_page_s_timeline_with_its_length_and_its_code() {
        let path = "/test.Timing/Measured";
        let observer = observer();
        let metadata = HeaderMap::new();
        observer(&event(7, CallEventKind::Started { path: path.to_owned(), kind: None, metadata }));
        crate::timer::sleep(Duration::from_millis(30)).await;
        assert!(measures(path).is_empty(), "it is not over");
        observer(&event(7, CallEventKind::Headers { metadata: HeaderMap::new() }));
        let status = Status::deadline_exceeded("late");
        observer(&event(7, CallEventKind::Ended { status, trailers: HeaderMap::new() }));

        let measures = measures(path);
        assert_eq!(measures.len(), 1);
        assert!(get(&measures[0], "duration").as_f64().unwrap() >= 29.0);
        let detail = get(&measures[0], "detail");
        assert_eq!(get(&detail, "code"), JsValue::from("DEADLINE_EXCEEDED"));
        assert_eq!(get(&detail, "path"), JsValue::from(path));
        let start = get(&measures[0], "startTime").as_f64().unwrap();
        assert!(get(&detail, "headers").as_f64().unwrap() >= start + 29.0);
    }

    #[wasm_bindgen_test]
    fn the_page_s_buffer_keeps_one_measure_of_each_path() {
        let path = "/test.Timing/Bounded";
        let observer = observer();
        for call in 0..10 {
            let metadata = HeaderMap::new();
            observer(&event(call, CallEventKind::Started { path: path.to_owned(), kind: None, metadata }));
            let (status, trailers) = (Status::ok(""), HeaderMap::new());
            observer(&event(call, CallEventKind::Ended { status, trailers }));
        }

        let measures = measures(path);
        assert_eq!(measures.len(), 1);
        assert_eq!(get(&get(&measures[0], "detail"), "call"), JsValue::from(9.0));
    }
}
