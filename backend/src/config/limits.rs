//! The flags that say how much clients may hold. What each limit does is documented at `tonic_serve::ServeOptions`.

use std::num::NonZeroUsize;

use clap::Args;
use tonic_serve::ServeOptions;

/// How much clients may hold: in all, per address and per connection. A limit that is not given is the one of
/// [`ServeOptions`].
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Limits (the defaults fit 2 GB of memory)")]
pub struct LimitConfig {
    /// How many connections may be open at once; at the limit idle ones make room, and others are refused;
    /// never more than the limit of open files allows [default: 6000]
    #[arg(long, env = "CHINWAG_MAX_CONNECTIONS", value_name = "COUNT", value_parser = parse_count)]
    pub max_connections: Option<NonZeroUsize>,

    /// How many of them one address may have (an IPv4 address or an IPv6 network of 64 bits)
    /// [default: 1000]
    #[arg(long, env = "CHINWAG_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT", value_parser = parse_count)]
    pub max_connections_per_address: Option<NonZeroUsize>,

    /// How many calls may be open at once, streams among them; a quarter is kept for those with a session
    /// [default: 20000]
    #[arg(long, env = "CHINWAG_MAX_CALLS", value_name = "COUNT", value_parser = parse_count)]
    pub max_calls: Option<NonZeroUsize>,

    /// How many of them one address may have [default: 2000]
    #[arg(long, env = "CHINWAG_MAX_CALLS_PER_ADDRESS", value_name = "COUNT", value_parser = parse_count)]
    pub max_calls_per_address: Option<NonZeroUsize>,

    /// Bytes of answers that clients have not taken and of requests that are not answered, in memory at once;
    /// above it the connection that holds the most is closed [default: 268435456]
    #[arg(long, env = "CHINWAG_MAX_BUFFERED_BYTES", value_name = "BYTES", value_parser = parse_count)]
    pub max_buffered_bytes: Option<NonZeroUsize>,

    /// How many of these bytes one address may hold; at the limit its answers wait [default: 67108864]
    #[arg(
        long,
        env = "CHINWAG_MAX_BUFFERED_BYTES_PER_ADDRESS",
        value_name = "BYTES",
        value_parser = parse_count
    )]
    pub max_buffered_bytes_per_address: Option<NonZeroUsize>,

    /// How many of these bytes one connection may hold [default: 4194304]
    #[arg(
        long,
        env = "CHINWAG_MAX_BUFFERED_BYTES_PER_CONNECTION",
        value_name = "BYTES",
        value_parser = parse_count
    )]
    pub max_buffered_bytes_per_connection: Option<NonZeroUsize>,
}

impl LimitConfig {
    /// Puts what was given into `options`.
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
    fn the_help_names_the_defaults_that_hold() {
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
    fn what_is_given_replaces_a_default_and_the_rest_stays() {
        let given = Limits::parse_from(["", "--max-calls=7", "--max-buffered-bytes-per-connection=8"]);
        let mut options = ServeOptions::default();
        given.limits.apply(&mut options);
        assert_eq!((options.max_calls, options.max_buffered_bytes_per_connection), (7, 8));
        assert_eq!(options.max_connections, ServeOptions::default().max_connections);
    }
}
