//! The deadline of a call: read from `grpc-timeout`, or the channel's default put there, and kept.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use grpc_wire::timeout::{self, GRPC_TIMEOUT, InvalidTimeout};
use http::{HeaderMap, HeaderValue};
use tonic::Status;

use crate::timer::{Instant, Sleep};

/// Marks a request that the channel's default deadline does not apply to.
#[derive(Clone, Copy, Debug)]
struct NoDeadline;

/// Exempts `request` from the channel's default deadline: for a stream that is meant to stay open.
pub fn no_deadline<T>(request: &mut tonic::Request<T>) {
    request.extensions_mut().insert(NoDeadline);
}

/// The deadline of one call, over all its attempts and its response's body.
#[derive(Debug)]
pub(crate) struct Deadline {
    timeout: Duration,
    end: End,
    timer: Sleep,
}

/// The moment when a call's time is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End(
    // None lies beyond the clock's end.
    Option<Instant>,
);

impl Deadline {
    /// From now on.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, end: End(Instant::now().checked_add(timeout)), timer: Sleep::new(timeout) }
    }

    /// What the call was given.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn end(&self) -> End {
        self.end
    }

    /// Whether it has passed, by the clock: a browser delays the timers of a page that nobody looks at.
    pub(crate) fn has_passed(&self) -> bool {
        self.end.left().is_zero()
    }

    /// Wakes the task when it passes.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.timer).poll(cx)
    }
}

impl End {
    /// How long it is until then; zero afterwards.
    pub(crate) fn left(self) -> Duration {
        self.0.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()))
    }

    /// Tells the server of an attempt how much time it has.
    pub(crate) fn write_left(self, headers: &mut HeaderMap) {
        if self.0.is_some() {
            write(headers, self.left());
        }
    }
}

/// How long the call may take, `None` for ever. Makes the headers say the same.
///
/// Its own `grpc-timeout` wins over `default`.
pub(crate) fn apply<B>(
    request: &mut http::Request<B>,
    default: Option<Duration>,
) -> Result<Option<Duration>, Status> {
    if let Some(timeout) = read(request.headers()) {
        return timeout.map(Some).map_err(|error| Status::invalid_argument(error.to_string()));
    }
    if request.extensions().get::<NoDeadline>().is_some() {
        return Ok(None);
    }
    if let Some(timeout) = default {
        write(request.headers_mut(), timeout);
    }
    Ok(default)
}

/// The timeout in `headers`. `None` without one.
pub(crate) fn read(headers: &HeaderMap) -> Option<Result<Duration, InvalidTimeout>> {
    headers.get(GRPC_TIMEOUT).map(HeaderValue::as_bytes).map(timeout::parse)
}

/// Writes `timeout`; nothing where it is longer than the format can say, which is as good as none.
fn write(headers: &mut HeaderMap, timeout: Duration) {
    if let Some(value) = timeout::format(timeout) {
        headers.insert(GRPC_TIMEOUT, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(timeout: Option<&str>) -> http::Request<()> {
        let mut request = http::Request::new(());
        if let Some(timeout) = timeout {
            request.headers_mut().insert(GRPC_TIMEOUT, timeout.parse().unwrap());
        }
        request
    }

    #[test]
    fn a_call_s_own_timeout_is_read_in_every_unit() {
        let cases = [
            ("2H", Duration::from_secs(7_200)),
            ("3M", Duration::from_secs(180)),
            ("4S", Duration::from_secs(4)),
            ("5m", Duration::from_millis(5)),
            ("6u", Duration::from_micros(6)),
            ("99999999n", Duration::from_nanos(99_999_999)),
        ];
        for (text, expected) in cases {
            let applied = apply(&mut request(Some(text)), Some(Duration::from_secs(1))).unwrap();
            assert_eq!(applied, Some(expected), "{text}");
        }
    }

    #[test]
    fn a_malformed_timeout_is_refused_by_name() {
        for text in ["", "5", "m", "-1S", "1 S", "123456789S", "5x", "+5S"] {
            let status = apply(&mut request(Some(text)), None).unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument, "{text:?}");
            assert!(status.message().contains("grpc-timeout"));
        }
    }

    #[test]
    fn the_default_is_sent_in_a_unit_that_holds_it() {
        let cases = [
            (Duration::from_micros(1), "1m"),
            (Duration::from_secs(20), "20000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_secs(60 * 100_000_000), "100000000M"),
        ];
        for (timeout, expected) in &cases[..3] {
            let mut request = request(None);
            assert_eq!(apply(&mut request, Some(*timeout)).unwrap(), Some(*timeout));
            assert_eq!(request.headers()[GRPC_TIMEOUT], *expected);
        }
        // One more minute than eight digits hold goes to hours.
        let mut request = request(None);
        apply(&mut request, Some(cases[3].0)).unwrap();
        assert_eq!(request.headers()[GRPC_TIMEOUT], "1666667H");
    }

    #[test]
    fn an_exempt_request_has_no_deadline() {
        let mut exempt = tonic::Request::new(());
        no_deadline(&mut exempt);
        let mut request = request(None);
        *request.extensions_mut() = exempt.extensions().clone();
        assert_eq!(apply(&mut request, Some(Duration::from_secs(1))).unwrap(), None);
        assert!(request.headers().get(GRPC_TIMEOUT).is_none());
    }
}
