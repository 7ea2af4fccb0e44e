//! The measured cases and clients, and the expected results.

use anyhow::{Result, ensure};
use clap::ValueEnum;
use grpc_wire::message::PREFIX_LEN;
use serde::Serialize;

use super::page::Measured;

/// The text of a reply without a requested size.
pub(crate) const GREETING: &str = "Hello, World!";

/// Sequential calls in (a).
const UNARY_CALLS: u32 = 1_000;
/// Concurrent calls in (d).
const CONCURRENT_CALLS: u32 = 200;
/// Messages in (b), each with a text as long as [`GREETING`].
const SMALL_MESSAGES: u32 = 100_000;
/// Messages in (c).
const LARGE_MESSAGES: u32 = 1_600;
/// Messages in each direction in (f).
const PING_PONGS: u32 = 10_000;
/// Bytes of the text of a message in (c).
pub(crate) const LARGE_BYTES: u32 = 64 * 1024;

/// Upper limit of the bytes of trailers and field lengths.
const BODY_EXTRA: u64 = 256;

/// The clients, in the order of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Client {
    /// `fetch` without a client: the bytes are read and dropped.
    Fetch,
    #[value(name = "connect")]
    ConnectWeb,
    GrpcWeb,
    #[value(name = "twwc")]
    TonicWebWasm,
    /// `tonic_web_channel::Channel`
    #[value(name = "ours")]
    Channel,
    /// `tonic_web_channel::Channel` with the transport `Socket`
    #[value(name = "socket")]
    Socket,
}

impl Client {
    /// Name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch, nothing decoded",
            Self::ConnectWeb => "connect-web",
            Self::GrpcWeb => "grpc-web",
            Self::TonicWebWasm => "tonic-web-wasm-client",
            Self::Channel => "tonic-web-channel",
            Self::Socket => "tonic-web-channel, socket",
        }
    }

    /// Name of its module, and of its folder under `one_call`.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::ConnectWeb => "connect_web",
            Self::GrpcWeb => "grpc_web",
            Self::TonicWebWasm => "tonic_web_wasm_client",
            Self::Channel => "channel",
            Self::Socket => "socket",
        }
    }

    /// Whether it can carry the calls of `case`: `fetch` sends no streams of requests.
    pub(crate) fn can(self, case: Case) -> bool {
        self == Self::Socket || !matches!(case, Case::PingPong | Case::UploadSmall | Case::UploadLarge)
    }
}

/// The measured cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Case {
    #[value(name = "a")]
    Unary,
    #[value(name = "b")]
    Small,
    #[value(name = "c")]
    Large,
    #[value(name = "d")]
    Concurrent,
    #[value(name = "e")]
    Weight,
    #[value(name = "f")]
    PingPong,
    #[value(name = "g")]
    UploadSmall,
    #[value(name = "h")]
    UploadLarge,
}

/// A page's job.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Job {
    /// Function of the client's module.
    kind: &'static str,
    /// Number of calls or messages.
    count: u32,
    /// Bytes of each message's text; in unary calls those of [`GREETING`].
    size: u32,
    /// Number of pairs of batches in which the client and `fetch` take turns; 0 for the client alone.
    pairs: u32,
}

impl Case {
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::Unary => "(a)",
            Self::Small => "(b)",
            Self::Large => "(c)",
            Self::Concurrent => "(d)",
            Self::Weight => "(e)",
            Self::PingPong => "(f)",
            Self::UploadSmall => "(g)",
            Self::UploadLarge => "(h)",
        }
    }

    pub(crate) fn title(self) -> String {
        match self {
            Self::Unary => format!("(a) {UNARY_CALLS} unary calls, one after the other"),
            Self::Small => format!("(b) one stream of {SMALL_MESSAGES} small messages"),
            Self::Large => format!("(c) one stream of {LARGE_MESSAGES} messages of 64 KiB"),
            Self::Concurrent => format!("(d) {CONCURRENT_CALLS} unary calls at once"),
            Self::Weight => "(e) a page that makes one unary call".to_owned(),
            Self::PingPong => format!("(f) {PING_PONGS} messages back and forth on one bidirectional stream"),
            Self::UploadSmall => format!("(g) one stream of {SMALL_MESSAGES} small requests"),
            Self::UploadLarge => format!("(h) one stream of {LARGE_MESSAGES} requests of 64 KiB"),
        }
    }

    /// `None` for the case that only weighs files.
    pub(crate) fn job(self) -> Option<Job> {
        let small = GREETING.len() as u32;
        match self {
            Self::Unary => Some(Job { kind: "unary", count: UNARY_CALLS, size: small, pairs: 0 }),
            Self::Small => Some(Job { kind: "stream", count: SMALL_MESSAGES, size: small, pairs: 0 }),
            Self::Large => Some(Job { kind: "stream", count: LARGE_MESSAGES, size: LARGE_BYTES, pairs: 0 }),
            Self::Concurrent => {
                Some(Job { kind: "concurrent", count: CONCURRENT_CALLS, size: small, pairs: 0 })
            }
            Self::Weight => None,
            Self::PingPong => Some(Job { kind: "ping_pong", count: PING_PONGS, size: small, pairs: 0 }),
            Self::UploadSmall => Some(Job { kind: "upload", count: SMALL_MESSAGES, size: small, pairs: 0 }),
            Self::UploadLarge => {
                Some(Job { kind: "upload", count: LARGE_MESSAGES, size: LARGE_BYTES, pairs: 0 })
            }
        }
    }

    /// A job of short batches, for the cases that `fetch` can do. None for the weight.
    pub(crate) fn batch(self, pairs: u32) -> Option<Job> {
        let parts = match self {
            Self::Unary => 25,
            Self::Small | Self::Large => 10,
            Self::Concurrent | Self::Weight => 1,
            // `fetch` cannot do them.
            Self::PingPong | Self::UploadSmall | Self::UploadLarge => return None,
        };
        self.job().map(|job| Job { count: job.count / parts, pairs, ..job })
    }

    /// An error when a client has lost messages or bytes, which would make it faster.
    pub(crate) fn check(self, client: Client, measured: &Measured) -> Result<()> {
        let Some(job) = self.job() else { return Ok(()) };
        let count = u64::from(job.count);
        let text = u64::from(job.size);
        if client == Client::Fetch {
            // It counts the bytes of whole bodies.
            let bodies = if job.kind == "stream" { 1 } else { count };
            let least = count * (PREFIX_LEN as u64 + text);
            let most = least + (count + bodies) * BODY_EXTRA;
            ensure!(
                (least..=most).contains(&measured.bytes),
                "{} {}: {} bytes came instead of {least} to {most}",
                self.letter(),
                client.name(),
                measured.bytes
            );
            return Ok(());
        }
        ensure!(
            measured.messages == Some(count) && measured.bytes == count * text,
            "{} {}: {:?} messages with {} bytes came instead of {count} with {}",
            self.letter(),
            client.name(),
            measured.messages,
            measured.bytes,
            count * text
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(messages: Option<u64>, bytes: u64) -> Measured {
        Measured { milliseconds: 1.0, messages, bytes, memory: None, ratios: None }
    }

    #[test]
    fn a_client_that_loses_a_message_or_a_byte_fails() {
        assert!(Case::Small.check(Client::Channel, &measured(Some(100_000), 1_300_000)).is_ok());
        assert!(Case::Small.check(Client::Channel, &measured(Some(99_999), 1_300_000)).is_err());
        assert!(Case::Small.check(Client::Channel, &measured(Some(100_000), 1_299_999)).is_err());
        assert!(Case::Small.check(Client::ConnectWeb, &measured(None, 1_300_000)).is_err());
    }

    #[test]
    fn bare_fetch_has_to_read_whole_bodies() {
        assert!(Case::Unary.check(Client::Fetch, &measured(None, 1_000 * 55)).is_ok());
        assert!(Case::Unary.check(Client::Fetch, &measured(None, 1_000 * 17)).is_err());
    }
}
