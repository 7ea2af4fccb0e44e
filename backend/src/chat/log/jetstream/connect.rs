//! The servers of a cluster: how they are reached, and the names of the cluster's things there.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, GetStreamErrorKind};
use async_nats::jetstream::stream::Info;
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{ConnectOptions, Event, ServerAddr};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use super::super::LogId;
use super::super::cluster::{ClientError, ClusterError, hex, parse_hex};
use super::super::remote::ANSWER_TIMEOUT;

/// Longest time for the first connection, all servers together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Interval of pings; a connection is given up when two of them were not answered and a third one is due.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// Longest pause between two attempts to connect. The client's own pause grows to four seconds while the servers are away.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// Commands that wait in the client while it writes; each call of ours is one, or a few.
const CLIENT_CAPACITY: usize = 256;

/// Smallest `max_payload` of a server, bytes: the longest entry has 512 KiB, and a header.
const MIN_PAYLOAD: usize = 513 * 1024;

/// The key of the log's id in the stream's metadata and in those of the copies.
pub(super) const LOG_ID: &str = "chinwag-log-id";

/// The servers of a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Servers {
    /// Their addresses, such as `nats://10.0.0.1:4222`. A user and a password in one of them are for all.
    pub addresses: Vec<String>,
    /// The cluster's name: letters, digits, hyphens and underscores.
    pub name: String,
    /// A file with credentials as `nsc` writes them.
    pub credentials: Option<PathBuf>,
    /// A PEM file with the authority of the servers' certificates.
    pub authority: Option<PathBuf>,
}

impl fmt::Debug for Servers {
    /// Without the addresses, which may have passwords in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An error of the client that no other kind names.
pub(super) fn failed(error: impl Into<ClientError>) -> ClusterError {
    ClusterError::Failed(error.into())
}

impl Servers {
    /// The name of the stream of entries.
    pub(super) fn stream(&self) -> String {
        format!("chinwag-{}", self.name)
    }

    /// The subject of the entries of one log.
    pub(super) fn subject(&self, id: LogId) -> String {
        format!("chinwag.{}.log.{}", self.name, hex(id))
    }

    /// The subject of questions for the next turn, beside the stream.
    pub(super) fn turns(&self, id: LogId) -> String {
        format!("chinwag.{}.turn.{}", self.name, hex(id))
    }

    /// The bucket of the copies.
    pub(super) fn bucket(&self) -> String {
        format!("chinwag-{}", self.name)
    }

    /// Connects to the first server that accepts it. The client changes servers by itself later.
    pub(super) async fn connect(&self) -> Result<Context, ClusterError> {
        let mut options = ConnectOptions::new();
        if let Some(path) = &self.credentials {
            let unusable = |source| ClusterError::Credentials { path: path.clone(), source };
            options = options.credentials_file(path).await.map_err(unusable)?;
        }
        if let Some((user, password)) = self.addresses.iter().find_map(|address| user_of(address)) {
            options = options.user_and_password(user, password);
        }
        if let Some(authority) = &self.authority {
            options = options.add_root_certificates(authority.clone()).require_tls(true);
        }
        let connecting = options
            .name("chinwag")
            .connection_timeout(ANSWER_TIMEOUT)
            .request_timeout(Some(ANSWER_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .reconnect_delay_callback(reconnect_pause)
            .client_capacity(CLIENT_CAPACITY)
            .event_callback(|event| async move { report(&event) })
            .connect(self.addresses.as_slice());
        let client = match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(ClusterError::Unreachable(error.into())),
            Err(elapsed) => return Err(ClusterError::Unreachable(elapsed.into())),
        };
        let bytes = client.max_payload();
        if bytes < MIN_PAYLOAD {
            return Err(ClusterError::Payload { bytes });
        }
        Ok(ContextBuilder::new().timeout(ANSWER_TIMEOUT).build(client))
    }

    /// The log's id, and the state of its stream.
    pub(super) async fn find(&self, context: &Context) -> Result<(LogId, Info), ClusterError> {
        let stream = match context.get_stream(self.stream()).await {
            Ok(stream) => stream,
            Err(error) => {
                return Err(match error.kind() {
                    GetStreamErrorKind::JetStream(refusal)
                        if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                    {
                        ClusterError::Missing { name: self.name.clone() }
                    }
                    _ => failed(error),
                });
            }
        };
        let info = stream.cached_info().clone();
        match log_id(&info) {
            Some(id) => Ok((id, info)),
            None => Err(ClusterError::Foreign { stream: self.stream() }),
        }
    }
}

/// The user and the password in an address, which the client leaves out.
fn user_of(address: &str) -> Option<(String, String)> {
    let address: ServerAddr = address.parse().ok()?;
    let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned);
    Some((decode(address.username()?)?, decode(address.password().unwrap_or_default())?))
}

/// The pause before an attempt to connect, by its number: 1, 2, 3, ... The servers are tried in turn.
fn reconnect_pause(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    match doublings {
        0 => Duration::ZERO,
        _ => Duration::from_millis(2_u64.saturating_pow(doublings)).min(RECONNECT_PAUSE),
    }
}

/// Logs changes of the connection. Addresses are not logged.
fn report(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to a server of the cluster"),
        Event::Disconnected => {
            tracing::warn!("the connection to the cluster's server was lost; trying all of them");
        }
        Event::SlowConsumer(_) => {
            tracing::warn!("entries came faster than they were applied; they are read again");
        }
        other => tracing::debug!(event = %other, "the client of the cluster's servers reports"),
    }
}

/// The id of the log whose entries the stream has.
pub(super) fn log_id(info: &Info) -> Option<LogId> {
    parse_hex(info.config.metadata.get(LOG_ID)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_taken_from_an_address() {
        let user = |address| user_of(address).map(|(user, password)| format!("{user} {password}"));
        assert_eq!(user("nats://chat:a%40b%20c@host:1").as_deref(), Some("chat a@b c"));
        assert_eq!(user("nats://host:1"), None);
    }

    #[test]
    fn pause_before_an_attempt_to_connect_stays_short() {
        assert_eq!([1, 2, 3].map(reconnect_pause), [0, 2, 4].map(Duration::from_millis));
        assert_eq!([9, 100, usize::MAX].map(reconnect_pause), [RECONNECT_PAUSE; 3]);
    }

    #[test]
    fn addresses_with_their_passwords_are_not_printed() {
        let servers = Servers {
            addresses: vec!["nats://me:secret@host".to_owned()],
            name: "team".to_owned(),
            credentials: None,
            authority: None,
        };
        assert!(!format!("{servers:?}").contains("secret"));
    }
}
