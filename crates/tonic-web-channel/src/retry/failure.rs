//! The meaning of an attempt's failure for the next attempt.
//!
//! Formats: gRPC's "Retry Design" for `grpc-retry-pushback-ms`; `google/rpc/status.proto` and
//! `google/rpc/error_details.proto` for `RetryInfo`, of which one field is read.

use std::time::Duration;

use grpc_wire::metadata::decode_binary;
use http::{HeaderMap, HeaderValue};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::error::Error;
use crate::status::{self, GRPC_STATUS_DETAILS, is_transient};

const PUSHBACK: &str = "grpc-retry-pushback-ms";
const RETRY_INFO: &[u8] = b"type.googleapis.com/google.rpc.RetryInfo";

/// The failure of an attempt.
#[derive(Debug)]
pub(crate) struct Failure {
    /// It is certain that no server has seen the attempt.
    pub(crate) is_not_sent: bool,
    /// The same call may succeed later.
    pub(crate) may_pass: bool,
    pub(crate) status: Status,
    advice: Advice,
}

/// The server's instructions for another attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Advice {
    pushback: Option<Pushback>,
    retry_info: Option<Duration>,
}

/// Type of [`advice`]. By a pointer, so that the linker drops it from a program that has no use for it.
pub(crate) type Advisor = fn(Option<&[u8]>, &[u8]) -> Advice;

/// Reads the value of `grpc-retry-pushback-ms` and the details of a status.
pub(crate) fn advice(pushback_ms: Option<&[u8]>, details: &[u8]) -> Advice {
    Advice { pushback: pushback_ms.map(pushback), retry_info: retry_delay(details) }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Pushback {
    After(Duration),
    Never,
}

impl Failure {
    /// From the headers or trailers of a response, `None` when their status is OK.
    pub(crate) fn of_headers(headers: &HeaderMap, advisor: Option<Advisor>) -> Option<Self> {
        let status = status::of_headers(headers).filter(|status| status.code() != Code::Ok)?;
        let advise = |advisor: Advisor| {
            let details =
                headers.get(GRPC_STATUS_DETAILS).and_then(|value| decode_binary(value.as_bytes()).ok());
            advisor(headers.get(PUSHBACK).map(HeaderValue::as_bytes), &details.unwrap_or_default())
        };
        Some(Self {
            is_not_sent: false,
            may_pass: may_pass(status.code()),
            status,
            advice: advisor.map(advise).unwrap_or_default(),
        })
    }

    /// From the status of a call.
    pub(crate) fn of_status(status: &Status, advisor: Option<Advisor>) -> Self {
        let advise = |advisor: Advisor| {
            let pushback = status.metadata().get(PUSHBACK);
            advisor(pushback.map(MetadataValue::as_encoded_bytes), status.details())
        };
        let error = Error::from_status(status);
        // An error of the channel's own checks would come again.
        let is_external = matches!(
            error,
            None | Some(
                Error::Offline
                    | Error::Connect { .. }
                    | Error::Fetch { .. }
                    | Error::ConnectionLost { .. }
                    | Error::NeedsSocket { .. }
                    | Error::NotProcessed { .. }
                    | Error::Http { .. }
                    | Error::Truncated { .. }
            )
        );
        Self {
            is_not_sent: error.is_some_and(Error::is_not_sent),
            may_pass: is_external && may_pass(status.code()),
            status: status.clone(),
            advice: advisor.map(advise).unwrap_or_default(),
        }
    }

    /// Delay before another attempt: the server's, or the one that `backoff` draws. `None` when the server forbids the
    /// attempt.
    pub(crate) fn wait(&self, backoff: impl FnOnce() -> Duration) -> Option<Duration> {
        match self.advice.pushback {
            Some(Pushback::Never) => None,
            Some(Pushback::After(delay)) => Some(delay),
            None => Some(backoff().max(self.advice.retry_info.unwrap_or_default())),
        }
    }

    /// Whether the server said when to try again, or not to.
    pub(crate) fn server_decides(&self) -> bool {
        self.advice.pushback.is_some() || self.advice.retry_info.is_some()
    }
}

/// The delay that the server asks for before a call that ended with `status` is repeated: its
/// `grpc-retry-pushback-ms`, or else the delay of `google.rpc.RetryInfo` in the details. `None` when it asks for none,
/// and when it forbids a repetition.
///
/// For callers that repeat calls themselves, with [`no_retry`](crate::RequestExt::no_retry). A channel's
/// [`RetryPolicy`](super::RetryPolicy) follows both.
///
/// ```
/// use std::time::Duration;
///
/// use tonic::Status;
/// use tonic_web_channel::retry::retry_after;
///
/// let mut status = Status::resource_exhausted("too many messages");
/// assert_eq!(retry_after(&status), None);
/// status.metadata_mut().insert("grpc-retry-pushback-ms", "1500".parse()?);
/// assert_eq!(retry_after(&status), Some(Duration::from_millis(1_500)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn retry_after(status: &Status) -> Option<Duration> {
    let pushback = status.metadata().get(PUSHBACK).map(MetadataValue::as_encoded_bytes);
    let Advice { pushback, retry_info } = advice(pushback, status.details());
    match pushback {
        Some(Pushback::After(delay)) => Some(delay),
        Some(Pushback::Never) => None,
        None => retry_info,
    }
}

/// Whether another attempt may succeed. A deadline and a cancellation end the whole call.
fn may_pass(code: Code) -> bool {
    is_transient(code) && !matches!(code, Code::Cancelled | Code::DeadlineExceeded)
}

/// A value that is not a number of milliseconds forbids another attempt.
fn pushback(value: &[u8]) -> Pushback {
    let ms = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u32>().ok());
    ms.map_or(Pushback::Never, |ms| Pushback::After(Duration::from_millis(ms.into())))
}

/// `google.rpc.Status.details[].value` of the type `RetryInfo`: its `retry_delay`.
fn retry_delay(details: &[u8]) -> Option<Duration> {
    let info = fields(details).filter(|(number, _)| *number == 3).find_map(|(_, any)| {
        let any = any.bytes()?;
        let of = |wanted| fields(any).find(|(number, _)| *number == wanted)?.1.bytes();
        (of(1)? == RETRY_INFO).then(|| of(2).unwrap_or_default())
    })?;
    let delay = fields(info).find(|(number, _)| *number == 1)?.1.bytes()?;
    let number = |wanted| {
        let (_, value) = fields(delay).find(|(number, _)| *number == wanted)?;
        value.number()
    };
    // A negative number has its 64th bit set here.
    let seconds = number(1).unwrap_or(0);
    let nanos = u32::try_from(number(2).unwrap_or(0)).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    (seconds <= i64::MAX as u64).then(|| Duration::new(seconds, nanos))
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Skipped,
}

impl<'a> Value<'a> {
    fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    fn number(self) -> Option<u64> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }
}

/// The fields of a protobuf message, up to the first that is malformed.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)?),
            1 => take(&mut bytes, 8).map(|_| Value::Skipped)?,
            2 => {
                let length = varint(&mut bytes)?;
                Value::Bytes(take(&mut bytes, usize::try_from(length).ok()?)?)
            }
            5 => take(&mut bytes, 4).map(|_| Value::Skipped)?,
            _ => return None,
        };
        Some((key >> 3, value))
    })
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn details(type_url: &[u8], delay: &[u8]) -> Vec<u8> {
        let any = [field(1, type_url), field(2, &field(1, delay))].concat();
        // A code, a message and another detail come first.
        let other = field(3, &field(1, b"type.googleapis.com/google.rpc.Help"));
        [&[8, 14][..], &field(2, b"later"), &other, &field(3, &any)].concat()
    }

    #[test]
    fn retry_info_is_found_among_the_details() {
        // 3 s and 500,000,000 ns.
        let delay = [8, 3, 16, 0x80, 0xca, 0xb5, 0xee, 0x01];
        assert_eq!(retry_delay(&details(RETRY_INFO, &delay)), Some(Duration::from_millis(3_500)));
        assert_eq!(retry_delay(&details(b"type.googleapis.com/google.rpc.Other", &delay)), None);
        // The most nanoseconds that a delay may have, and one more.
        let most = [16, 0xff, 0x93, 0xeb, 0xdc, 0x03];
        assert_eq!(retry_delay(&details(RETRY_INFO, &most)), Some(Duration::from_nanos(999_999_999)));
        let second = [16, 0x80, 0x94, 0xeb, 0xdc, 0x03];
        assert_eq!(retry_delay(&details(RETRY_INFO, &second)), None);
        // Minus one second.
        let negative = [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(retry_delay(&details(RETRY_INFO, &negative)), None);
    }

    #[test]
    fn truncated_details_have_no_retry_info() {
        let whole = details(RETRY_INFO, &[8, 3]);
        for end in 0..whole.len() {
            assert_eq!(retry_delay(&whole[..end]), None, "{end}");
        }
    }

    #[test]
    fn pushback_wins_over_backoff_and_may_forbid() {
        let failure = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", "14".parse().unwrap());
            headers.insert(PUSHBACK, value.parse().unwrap());
            Failure::of_headers(&headers, Some(advice)).unwrap()
        };
        let backoff = || Duration::from_secs(9);

        assert_eq!(failure("250").wait(backoff), Some(Duration::from_millis(250)));
        assert_eq!(failure("0").wait(backoff), Some(Duration::ZERO));
        assert_eq!(failure("-1").wait(backoff), None);
        assert_eq!(failure("soon").wait(backoff), None);
    }

    #[test]
    fn retry_after_prefers_pushback_over_retry_info() {
        let delay = details(RETRY_INFO, &[8, 3]);
        let with = |pushback: Option<&'static str>| {
            let mut status = Status::with_details(Code::ResourceExhausted, "later", delay.clone().into());
            if let Some(pushback) = pushback {
                status.metadata_mut().insert(PUSHBACK, pushback.parse().unwrap());
            }
            retry_after(&status)
        };
        assert_eq!(with(None), Some(Duration::from_secs(3)));
        assert_eq!(with(Some("250")), Some(Duration::from_millis(250)));
        assert_eq!(with(Some("-1")), None, "pushback forbids a repetition");
        assert_eq!(retry_after(&Status::resource_exhausted("no delay")), None);
    }

    #[test]
    fn errors_of_the_channel_s_own_checks_do_not_pass() {
        let passes = |error: Error| Failure::of_status(&error.into(), None).may_pass;

        assert!(passes(Error::ConnectionLost { reason: String::new() }));
        assert!(passes(Error::Http { status: 503 }));
        assert!(!passes(Error::Http { status: 404 }));
        assert!(!passes(Error::MessageTooLarge { size: 9, limit: 1 }));
        assert!(!passes(Error::Protocol { reason: String::new() }));
        assert!(Failure::of_status(&Status::unavailable("sent by the server"), None).may_pass);
        assert!(!Failure::of_status(&Status::deadline_exceeded("sent by the server"), None).may_pass);
    }
}
