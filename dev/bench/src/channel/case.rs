//! The measured cases, and the expected results.

use anyhow::{Result, ensure};
use clap::ValueEnum;
use grpc_wire::message::PREFIX_LEN;
use serde::Serialize;

use super::client::Client;
use super::page::Measured;

/// The text of a reply without a requested size.
pub(crate) const GREETING: &str = "Hello, World!";

/// Upper limit of the bytes of trailers and field lengths.
const BODY_EXTRA: u64 = 256;

/// Bytes of the text of a message in (c).
pub(crate) const LARGE_BYTES: u32 = 64 * 1024;

/// The distance between page and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Distance {
    /// Both are on this machine.
    Near,
    /// A relay adds 25 ms in each direction.
    Far,
}

impl Distance {
    /// For the titles of tables.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Near => "",
            Self::Far => ", 50 ms away",
        }
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
    #[value(name = "i")]
    Serving,
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
            Self::Serving => "(i)",
        }
    }

    pub(crate) fn title(self, distance: Distance) -> String {
        let count = self.count(distance);
        let what = match self {
            Self::Unary => format!("{count} unary calls, one after the other"),
            Self::Small => format!("one stream of {count} small messages"),
            Self::Large => format!("one stream of {count} messages of 64 KiB"),
            Self::Concurrent => format!("{count} unary calls at once"),
            Self::Weight => "a page that makes one unary call".to_owned(),
            Self::PingPong => format!("{count} messages back and forth on one bidirectional stream"),
            Self::UploadSmall => format!("one stream of {count} small requests"),
            Self::UploadLarge => format!("one stream of {count} requests of 64 KiB"),
            Self::Serving => "the server's side of a socket".to_owned(),
        };
        format!("{} {what}{}", self.letter(), distance.suffix())
    }

    /// The number of calls or messages. At a distance the cases that wait for each answer, or for windows, have fewer.
    fn count(self, distance: Distance) -> u32 {
        match (self, distance) {
            (Self::Unary, Distance::Near) => 1_000,
            (Self::Unary | Self::PingPong, Distance::Far) => 100,
            (Self::Small | Self::UploadSmall, _) => 100_000,
            (Self::Large | Self::UploadLarge, Distance::Near) => 1_600,
            (Self::Large, Distance::Far) => 320,
            (Self::UploadLarge, Distance::Far) => 80,
            (Self::Concurrent, _) => 200,
            (Self::PingPong, Distance::Near) => 10_000,
            (Self::Weight | Self::Serving, _) => 0,
        }
    }

    /// `None` for the cases that no page does.
    pub(crate) fn job(self, distance: Distance) -> Option<Job> {
        let small = GREETING.len() as u32;
        let (kind, size) = match self {
            Self::Unary => ("unary", small),
            Self::Small => ("stream", small),
            Self::Large => ("stream", LARGE_BYTES),
            Self::Concurrent => ("concurrent", small),
            Self::PingPong => ("ping_pong", small),
            Self::UploadSmall => ("upload", small),
            Self::UploadLarge => ("upload", LARGE_BYTES),
            Self::Weight | Self::Serving => return None,
        };
        Some(Job { kind, count: self.count(distance), size, pairs: 0 })
    }

    /// The reason why a client cannot do it.
    pub(crate) fn reason_against(self, client: Client) -> Option<&'static str> {
        let needs_request_streams = matches!(self, Self::PingPong | Self::UploadSmall | Self::UploadLarge);
        (needs_request_streams && !client.has_request_streams()).then_some("it has no streams of requests")
    }

    /// A job of short batches, for the cases that `fetch` can do. None for the weight.
    pub(crate) fn batch(self, pairs: u32) -> Option<Job> {
        let parts = match self {
            Self::Unary => 25,
            Self::Small | Self::Large => 10,
            Self::Concurrent | Self::Weight | Self::Serving => 1,
            // `fetch` cannot do them.
            Self::PingPong | Self::UploadSmall | Self::UploadLarge => return None,
        };
        self.job(Distance::Near).map(|job| Job { count: job.count / parts, pairs, ..job })
    }

    /// An error when a client has lost messages or bytes, which would make it faster.
    pub(crate) fn check(self, distance: Distance, client: Client, measured: &Measured) -> Result<()> {
        let Some(job) = self.job(distance) else { return Ok(()) };
        let count = u64::from(job.count);
        let text = u64::from(job.size);
        if client == Client::RawSocket {
            ensure!(
                measured.bytes == count * text,
                "{} {}: {} bytes came instead of {}",
                self.letter(),
                client.name(),
                measured.bytes,
                count * text
            );
            return Ok(());
        }
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
        assert!(
            Case::Small.check(Distance::Near, Client::Channel, &measured(Some(100_000), 1_300_000)).is_ok()
        );
        assert!(
            Case::Small.check(Distance::Near, Client::Channel, &measured(Some(99_999), 1_300_000)).is_err()
        );
        assert!(
            Case::Small.check(Distance::Near, Client::Channel, &measured(Some(100_000), 1_299_999)).is_err()
        );
        assert!(Case::Small.check(Distance::Near, Client::ConnectWeb, &measured(None, 1_300_000)).is_err());
    }

    #[test]
    fn bare_fetch_has_to_read_whole_bodies() {
        assert!(Case::Unary.check(Distance::Near, Client::Fetch, &measured(None, 1_000 * 55)).is_ok());
        assert!(Case::Unary.check(Distance::Near, Client::Fetch, &measured(None, 1_000 * 17)).is_err());
    }
}
