//! Calls that were made, in the browser's storage: one list for each server, bounded, and without secrets.

use prost::Message as _;

use super::{address::Address, metadata::Row};
use crate::storage;

/// Calls that are kept of one server. One more drops the oldest.
pub(super) const MAX_CALLS: usize = 50;

/// Length of a list in the browser's storage, bytes. A longer one drops its oldest calls.
const MAX_LIST_BYTES: usize = 200 * 1024;

/// Servers whose calls are kept. One more drops the list whose newest call is the oldest.
const MAX_SERVERS: usize = 10;

const KEY_PREFIX: &str = "chinwag.explorer.calls.";

/// A call.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PastCall {
    /// `package.Service/Method`.
    #[prost(string, tag = "1")]
    pub(super) method: String,
    /// The messages that were sent, as JSON texts.
    #[prost(string, repeated, tag = "2")]
    pub(super) requests: Vec<String>,
    /// The metadata. Values that may be secrets are empty.
    #[prost(message, repeated, tag = "3")]
    pub(super) metadata: Vec<PastRow>,
    /// The deadline as it was typed, milliseconds; empty without one.
    #[prost(string, tag = "4")]
    pub(super) deadline: String,
    /// The start, in milliseconds since 1970-01-01T00:00:00Z.
    #[prost(int64, tag = "5")]
    pub(super) started_ms: i64,
    /// The status code.
    #[prost(int32, tag = "6")]
    pub(super) code: i32,
    /// The duration, milliseconds.
    #[prost(uint64, tag = "7")]
    pub(super) duration_ms: u64,
}

/// A row of the metadata.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(super) struct PastRow {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct List {
    /// Newest first.
    #[prost(message, repeated, tag = "1")]
    calls: Vec<PastCall>,
}

/// The rows without blank ones, and without values that may be secrets.
pub(super) fn without_secrets(rows: &[Row]) -> Vec<PastRow> {
    let rows = rows.iter().filter(|row| !row.is_blank());
    rows.map(|row| PastRow {
        key: row.key(),
        value: if row.is_secret() { String::new() } else { row.value.trim().to_owned() },
    })
    .collect()
}

/// The calls of a server, newest first.
pub(super) fn load(address: &Address) -> Vec<PastCall> {
    storage::get(&key(address)).map(|text| decode(&text)).unwrap_or_default()
}

/// Adds a call of a server. Returns its calls, newest first.
pub(super) fn add(address: &Address, call: PastCall) -> Vec<PastCall> {
    let calls = with(load(address), call);
    storage::set(&key(address), &encode(&calls));
    drop_oldest_servers();
    calls
}

/// Removes all calls of a server.
pub(super) fn clear(address: &Address) {
    storage::remove(&key(address));
}

fn key(address: &Address) -> String {
    [KEY_PREFIX, address.text()].concat()
}

fn drop_oldest_servers() {
    let mut lists: Vec<(i64, String)> = storage::keys(KEY_PREFIX)
        .into_iter()
        .map(|key| {
            let calls = storage::get(&key).map(|text| decode(&text)).unwrap_or_default();
            (calls.first().map_or(0, |call| call.started_ms), key)
        })
        .collect();
    lists.sort_unstable();
    let surplus = lists.len().saturating_sub(MAX_SERVERS);
    for (_, key) in &lists[..surplus] {
        storage::remove(key);
    }
}

/// The list with one more call, within its limits. A repeat of the newest call takes its place.
fn with(mut calls: Vec<PastCall>, call: PastCall) -> Vec<PastCall> {
    let is_repeat = |other: &PastCall| {
        (&other.method, &other.requests, &other.metadata, &other.deadline)
            == (&call.method, &call.requests, &call.metadata, &call.deadline)
    };
    if calls.first().is_some_and(is_repeat) {
        calls.remove(0);
    }
    calls.insert(0, call);
    calls.truncate(MAX_CALLS);
    let mut bytes = 0;
    let kept = calls.iter().take_while(|call| {
        bytes += call.encoded_len() + 8;
        bytes * 4 / 3 <= MAX_LIST_BYTES
    });
    let kept = kept.count();
    calls.truncate(kept);
    calls
}

fn encode(calls: &[PastCall]) -> String {
    grpc_wire::metadata::encode_binary(&List { calls: calls.to_vec() }.encode_to_vec())
}

/// A text of another version, or of somebody else, is an empty list.
fn decode(text: &str) -> Vec<PastCall> {
    let bytes = grpc_wire::metadata::decode_binary(text.as_bytes()).unwrap_or_default();
    List::decode(bytes.as_slice()).map(|list| list.calls).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: i64, request: &str) -> PastCall {
        PastCall {
            method: "a.B/C".to_owned(),
            requests: vec![request.to_owned()],
            started_ms: number,
            ..PastCall::default()
        }
    }

    #[test]
    fn a_list_survives_the_storage() {
        let mut past = call(7, "{\"name\":\"世界\"}");
        past.metadata = vec![PastRow { key: "x-a".to_owned(), value: "1".to_owned() }];
        past.deadline = "500".to_owned();
        past.code = 4;
        past.duration_ms = 500;
        let calls = vec![past, call(6, "{}")];
        assert_eq!(decode(&encode(&calls)), calls);
        for text in ["", "!", "AAAA", "[]"] {
            assert_eq!(decode(text), [], "{text}");
        }
    }

    #[test]
    fn the_newest_calls_are_kept() {
        let mut calls = Vec::new();
        for number in 0..100 {
            calls = with(calls, call(number, &number.to_string()));
        }
        assert_eq!(calls.len(), MAX_CALLS);
        assert_eq!(calls.first().unwrap().started_ms, 99);
        assert_eq!(calls.last().unwrap().started_ms, 50);
    }

    #[test]
    fn a_list_is_bounded_by_its_length() {
        let mut calls = Vec::new();
        for number in 0..20 {
            calls = with(calls, call(number, &format!("{number}{}", "x".repeat(30_000))));
        }
        assert!(encode(&calls).len() <= MAX_LIST_BYTES);
        assert!(calls.len() >= 4, "{}", calls.len());
        let huge = with(calls, call(20, &"x".repeat(MAX_LIST_BYTES)));
        assert!(huge.is_empty(), "a call that is longer than the list is kept");
    }

    #[test]
    fn a_repeat_takes_the_place_of_the_newest_call() {
        let calls = with(vec![call(1, "a"), call(0, "b")], call(2, "a"));
        assert_eq!(calls.iter().map(|call| call.started_ms).collect::<Vec<_>>(), [2, 0]);
        let calls = with(calls, call(3, "b"));
        assert_eq!(calls.len(), 3);
    }

    #[test]
    fn secrets_are_left_out() {
        let row = |key: &str, value: &str| Row { key: key.to_owned(), value: value.to_owned() };
        let rows =
            [row("Authorization", "Bearer abc"), row("", ""), row("X-Count", " 3 "), row("x-api-key", "k")];
        let kept = without_secrets(&rows);
        let kept: Vec<_> = kept.iter().map(|row| (row.key.as_str(), row.value.as_str())).collect();
        assert_eq!(kept, [("authorization", ""), ("x-count", "3"), ("x-api-key", "")]);
    }
}
