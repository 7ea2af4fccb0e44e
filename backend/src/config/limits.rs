//! Flags for the connection budget. Each limit is documented at [`ServeOptions`].

use std::num::NonZeroUsize;

use clap::Args;
use tonic_serve::ServeOptions;

/// Limits in all, per address and per connection. Without a flag, [`ServeOptions`] has the default.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Limits (the defaults fit 2 GB of memory)")]
pub struct LimitConfig {
    /// Maximum open connections; at the limit idle ones are closed to make room, and others are refused;
    /// never more than the limit of open files allows [default: 6000]
    #[arg(long, env = "CHINWAG_MAX_CONNECTIONS", value_name = "COUNT", value_parser = parse_count)]
    pub max_connections: Option<NonZeroUsize>,

    /// Maximum open connections of one address (an IPv4 address or an IPv6 network of 64 bits)
    /// [default: 1000]
    #[arg(long, env = "CHINWAG_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT", value_parser = parse_count)]
    pub max_connections_per_address: Option<NonZeroUsize>,

    /// Maximum open calls, streams included; a quarter is reserved for calls with a session
    /// [default: 20000]
    #[arg(long, env = "CHINWAG_MAX_CALLS", value_name = "COUNT", value_parser = parse_count)]
    pub max_calls: Option<NonZeroUsize>,

    /// Maximum open calls of one address [default: 2000]
    #[arg(long, env = "CHINWAG_MAX_CALLS_PER_ADDRESS", value_name = "COUNT", value_parser = parse_count)]
    pub max_calls_per_address: Option<NonZeroUsize>,

    /// Maximum bytes in memory of responses not yet taken by clients and of requests not yet answered;
    /// above it the connection that holds the most is closed [default: 268435456]
    #[arg(long, env = "CHINWAG_MAX_BUFFERED_BYTES", value_name = "BYTES", value_parser = parse_count)]
    pub max_buffered_bytes: Option<NonZeroUsize>,

    /// Maximum of these bytes for one address; at the limit its responses wait [default: 67108864]
    #[arg(
        long,
        env = "CHINWAG_MAX_BUFFERED_BYTES_PER_ADDRESS",
        value_name = "BYTES",
        value_parser = parse_count
    )]
    pub max_buffered_bytes_per_address: Option<NonZeroUsize>,

    /// Maximum of these bytes for one connection [default: 4194304]
    #[arg(
        long,
        env = "CHINWAG_MAX_BUFFERED_BYTES_PER_CONNECTION",
        value_name = "BYTES",
        value_parser = parse_count
    )]
    pub max_buffered_bytes_per_connection: Option<NonZeroUsize>,
}

impl LimitConfig {
    /// Overrides the fields of `options` for which a flag was given.
    pub fn apply(&self, options: &mut ServeOptions) {
        for (given, limit) in [
            (self.max_connections, &mut options.max_connections),
            (self.max_connections_per_address, &mut options.max_connections_per_address),
            (self.max_calls, &mut options.max_calls),
            (self.max_calls_per_address, &mut options.max_calls_per_address),
            (self.max_buffered_bytes, &mut options.max_buffered_bytes),
            (self.max_buffered_bytes_per_address, &mut options.max_buffered_bytes_per_address),
            (self.max_buffered_bytes_per_connection, &mut options.max_buffered_bytes_per_connection),
        ] {
            if let Some(given) = given {
                *limit = given.get();
            }
        }
    }
}

fn parse_count(value: &str) -> Result<NonZeroUsize, String> {
    value.parse().map_err(|_| "it has to be a whole number from 1".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct Limits {
        #[command(flatten)]
        limits: LimitConfig,
    }

    #[test]
    fn help_names_the_defaults() {
        let options = ServeOptions::default();
        for (flag, default) in [
            ("max-connections", options.max_connections),
            ("max-connections-per-address", options.max_connections_per_address),
            ("max-calls", options.max_calls),
            ("max-calls-per-address", options.max_calls_per_address),
            ("max-buffered-bytes", options.max_buffered_bytes),
            ("max-buffered-bytes-per-address", options.max_buffered_bytes_per_address),
            ("max-buffered-bytes-per-connection", options.max_buffered_bytes_per_connection),
        ] {
            let command = Limits::command();
            let flag = command.get_arguments().find(|argument| argument.get_long() == Some(flag)).unwrap();
            let help = flag.get_help().unwrap().to_string();
            assert!(help.ends_with(&format!("[default: {default}]")), "{help}");
        }
    }

    #[test]
    fn flags_override_defaults() {
        let given = Limits::parse_from(["", "--max-calls=7", "--max-buffered-bytes-per-connection=8"]);
        let mut options = ServeOptions::default();
        given.limits.apply(&mut options);
        assert_eq!((options.max_calls, options.max_buffered_bytes_per_connection), (7, 8));
        assert_eq!(options.max_connections, ServeOptions::default().max_connections);
    }
}
