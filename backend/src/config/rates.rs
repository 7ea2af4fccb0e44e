//! Flags for the rate limits.

use clap::{ArgAction, Args};

use crate::chat::ROOMS_PER_USER;
use crate::rates::{self, Rate, RateLimits};

/// Rate limits, each `BURST:COUNT/PERIOD` or `off`.
#[derive(Args, Clone, Copy, Debug)]
#[command(
    next_help_heading = "Rates, each BURST:COUNT/PERIOD, such as 60:5/s (60 at once, and 5 a second), or off"
)]
pub struct RatesConfig {
    /// Enforce the rate limits below
    #[arg(long, env = "CHINWAG_RATES", value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    pub rates: bool,

    /// Joins from one address
    #[arg(long, env = "CHINWAG_RATE_JOIN_ADDRESS", value_name = "RATE", default_value_t = rates::JOIN_ADDRESS)]
    pub rate_join_address: Rate,

    /// Joins in all
    #[arg(long, env = "CHINWAG_RATE_JOIN_ALL", value_name = "RATE", default_value_t = rates::JOIN_ALL)]
    pub rate_join_all: Rate,

    /// Rooms created by one user
    #[arg(long, env = "CHINWAG_RATE_ROOM_USER", value_name = "RATE", default_value_t = rates::ROOM_USER)]
    pub rate_room_user: Rate,

    /// Rooms created from one address
    #[arg(long, env = "CHINWAG_RATE_ROOM_ADDRESS", value_name = "RATE", default_value_t = rates::ROOM_ADDRESS)]
    pub rate_room_address: Rate,

    /// Rooms created in all
    #[arg(long, env = "CHINWAG_RATE_ROOM_ALL", value_name = "RATE", default_value_t = rates::ROOM_ALL)]
    pub rate_room_all: Rate,

    /// Messages of one user
    #[arg(long, env = "CHINWAG_RATE_SEND_USER", value_name = "RATE", default_value_t = rates::SEND_USER)]
    pub rate_send_user: Rate,

    /// Messages from one address
    #[arg(long, env = "CHINWAG_RATE_SEND_ADDRESS", value_name = "RATE", default_value_t = rates::SEND_ADDRESS)]
    pub rate_send_address: Rate,

    /// Messages in all
    #[arg(long, env = "CHINWAG_RATE_SEND_ALL", value_name = "RATE", default_value_t = rates::SEND_ALL)]
    pub rate_send_all: Rate,

    /// Other calls of one user
    #[arg(long, env = "CHINWAG_RATE_CALL_USER", value_name = "RATE", default_value_t = rates::CALL_USER)]
    pub rate_call_user: Rate,

    /// Calls without a valid session from one address, Join excluded
    #[arg(long, env = "CHINWAG_RATE_ANONYMOUS_ADDRESS", value_name = "RATE", default_value_t = rates::ANONYMOUS_ADDRESS)]
    pub rate_anonymous_address: Rate,

    /// Calls without a valid session in all, Join and health checks excluded
    #[arg(long, env = "CHINWAG_RATE_ANONYMOUS_ALL", value_name = "RATE", default_value_t = rates::ANONYMOUS_ALL)]
    pub rate_anonymous_all: Rate,

    /// Maximum rooms created by one user
    #[arg(long, env = "CHINWAG_ROOMS_PER_USER", value_name = "NUMBER", default_value_t = ROOMS_PER_USER)]
    pub rooms_per_user: usize,
}

impl RatesConfig {
    /// The rate limits with all flags applied.
    pub fn limits(&self) -> RateLimits {
        if !self.rates {
            return RateLimits::OFF;
        }
        RateLimits {
            join_address: self.rate_join_address,
            join_all: self.rate_join_all,
            room_user: self.rate_room_user,
            room_address: self.rate_room_address,
            room_all: self.rate_room_all,
            send_user: self.rate_send_user,
            send_address: self.rate_send_address,
            send_all: self.rate_send_all,
            call_user: self.rate_call_user,
            anonymous_address: self.rate_anonymous_address,
            anonymous_all: self.rate_anonymous_all,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::config::Config;

    fn limits(flags: &[&str]) -> RateLimits {
        let config = Config::try_parse_from([&["chinwag"], flags].concat()).unwrap();
        config.rates.limits()
    }

    #[test]
    fn defaults_apply_without_flags() {
        assert_eq!(limits(&[]), RateLimits::default());
        assert_eq!(limits(&["--rates"]), RateLimits::default());
    }

    #[test]
    fn every_flag_sets_its_own_rate() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        let set = limits(&[
            "--rate-join-address=1:1/s",
            "--rate-join-all=2:1/s",
            "--rate-room-user=3:1/s",
            "--rate-room-address=4:1/s",
            "--rate-room-all=5:1/s",
            "--rate-send-user=6:1/s",
            "--rate-send-address=7:1/s",
            "--rate-send-all=8:1/s",
            "--rate-call-user=9:1/s",
            "--rate-anonymous-address=10:1/s",
            "--rate-anonymous-all=off",
        ]);
        let expected = RateLimits {
            join_address: rate("1:1/s"),
            join_all: rate("2:1/s"),
            room_user: rate("3:1/s"),
            room_address: rate("4:1/s"),
            room_all: rate("5:1/s"),
            send_user: rate("6:1/s"),
            send_address: rate("7:1/s"),
            send_all: rate("8:1/s"),
            call_user: rate("9:1/s"),
            anonymous_address: rate("10:1/s"),
            anonymous_all: Rate::OFF,
        };
        assert_eq!(set, expected);
    }

    #[test]
    fn rates_false_turns_all_limits_off() {
        assert_eq!(limits(&["--rates=false", "--rate-send-user=6:1/s"]), RateLimits::OFF);
    }
}
