//! The measures of calls.

use std::time::Duration;

use js_sys::{Array, global};
use tonic::Code;
use tonic_web_channel::Fault;
use tonic_web_devtools::user_timing;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use super::support::{call, channel, get, invoke, service};

fn measures(path: &str) -> Vec<JsValue> {
    let performance = get(&global(), "performance");
    Array::from(&invoke(&performance, "getEntriesByName", [&path.into(), &"measure".into()])).to_vec()
}

#[wasm_bindgen_test]
async fn call_is_measured_with_its_duration_and_code() {
    let path = "/test.Timing/Measured";
    let service = service(&[], Code::DeadlineExceeded);
    service.next([Fault::Delay(Duration::from_millis(30))]);
    let channel = channel(service).observer(user_timing::observer()).build().unwrap();
    assert!(measures(path).is_empty());

    call(channel, path).await;

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
async fn buffer_keeps_the_newest_measure_of_each_path() {
    let path = "/test.Timing/Bounded";
    let channel = channel(service(&[], Code::Ok)).observer(user_timing::observer()).build().unwrap();
    let mut last = f64::NAN;
    for _ in 0..10 {
        call(channel.clone(), path).await;
        let measures = measures(path);
        assert_eq!(measures.len(), 1);
        let number = get(&get(&measures[0], "detail"), "call").as_f64().unwrap();
        assert_ne!(number, last);
        last = number;
    }
}
