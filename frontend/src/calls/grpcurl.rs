//! A call as a `grpcurl` command.

use grpc_wire::timeout;

use super::{log::CallRecord, metadata::Value};
use crate::shell::{decimal_seconds, host, quoted};

/// Keys that `grpcurl` sets itself or has a flag for, and keys of browsers.
const LEFT_OUT: [&str; 10] = [
    "accept",
    "content-type",
    "cookie",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-timeout",
    "te",
    "user-agent",
    "x-grpc-web",
    "x-user-agent",
];

/// The command that repeats a call to the server at `origin` with these messages in JSON. Hidden values become placeholders, and so does
/// the session, whose cookie the page's scripts cannot read.
pub(super) fn command(record: &CallRecord, messages: &str, origin: &str, needs_session: bool) -> String {
    let mut line = String::from("grpcurl");
    if origin.starts_with("http:") {
        line.push_str(" -plaintext");
    }
    let mut has_session = false;
    for entry in record.request_metadata.iter() {
        if LEFT_OUT.contains(&entry.key.as_str()) {
            continue;
        }
        let value = match &entry.value {
            Value::Text(value) => value,
            Value::Hidden => "<hidden>",
        };
        has_session |= entry.key == "authorization";
        argument(&mut line, "-H", &[&entry.key, ": ", value].concat());
    }
    if needs_session && !has_session {
        argument(&mut line, "-H", "authorization: Bearer <token>");
    }
    if let Some(seconds) = timeout_seconds(record) {
        line.push_str(" -max-time ");
        line.push_str(&seconds);
    }
    argument(&mut line, "-d", messages);
    line.push(' ');
    line.push_str(&host(origin));
    line.push(' ');
    line.push_str(record.path.trim_start_matches('/'));
    line
}

fn argument(line: &mut String, flag: &str, value: &str) {
    line.push(' ');
    line.push_str(flag);
    line.push(' ');
    line.push_str(&quoted(value));
}

/// The call's deadline in decimal seconds, for `-max-time`.
fn timeout_seconds(record: &CallRecord) -> Option<String> {
    let entry = record.request_metadata.iter().find(|entry| entry.key == "grpc-timeout")?;
    let Value::Text(value) = &entry.value else { return None };
    Some(decimal_seconds(timeout::parse(value.as_bytes()).ok()?))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use tonic_web_channel::observe::CallEventKind;
    use web_time::Instant;

    use super::*;
    use crate::calls::log::CallLog;

    fn record(path: &str, metadata: &[(&'static str, &'static str)]) -> CallRecord {
        let mut map = HeaderMap::new();
        for (key, value) in metadata {
            map.append(*key, HeaderValue::from_static(value));
        }
        let mut log = CallLog::default();
        log.apply(
            1,
            Instant::now(),
            &CallEventKind::Started { path: path.to_owned(), kind: None, metadata: map },
        );
        log.get(1).unwrap().clone()
    }

    #[test]
    fn a_command_repeats_its_call() {
        let record = record(
            "/helloworld.Greeter/SayHelloStreamReply",
            &[
                ("x-greeter-count", "3"),
                ("grpc-timeout", "1500m"),
                ("content-type", "application/grpc-web+proto"),
            ],
        );
        assert_eq!(
            command(&record, r#"{"name":"Ada's"}"#, "http://127.0.0.1:50051", false),
            r#"grpcurl -plaintext -H 'x-greeter-count: 3' -max-time 1.5 -d '{"name":"Ada'\''s"}' 127.0.0.1:50051 helloworld.Greeter/SayHelloStreamReply"#
        );
    }

    #[test]
    fn the_session_is_a_placeholder() {
        let record = record("/chat.v1.ChatService/ListRooms", &[]);
        assert_eq!(
            command(&record, "{}", "https://chat.example.org", true),
            "grpcurl -H 'authorization: Bearer <token>' -d '{}' chat.example.org:443 chat.v1.ChatService/ListRooms"
        );
    }

    #[test]
    fn a_token_is_not_copied() {
        let record = record("/chat.v1.ChatService/ListRooms", &[("authorization", "Bearer secret")]);
        let line = command(&record, "{}", "http://localhost:1", true);
        assert!(!line.contains("secret"), "{line}");
        assert_eq!(line.matches("authorization").count(), 1, "{line}");
    }

    #[test]
    fn deadlines_of_each_unit_become_seconds() {
        for (value, expected) in [
            ("20S", "20"),
            ("100m", "0.1"),
            ("1u", "0.000001"),
            ("2M", "120"),
            ("1H", "3600"),
            ("5n", "0.000000005"),
        ] {
            assert_eq!(
                timeout_seconds(&record("/a.B/C", &[("grpc-timeout", value)])).as_deref(),
                Some(expected)
            );
        }
        assert_eq!(timeout_seconds(&record("/a.B/C", &[("grpc-timeout", "x")])), None);
    }
}
