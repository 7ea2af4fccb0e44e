//! A rate and its text form in the configuration: `60:5/s`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use governor::Quota;

/// Longest time for a burst to become available again. Keeps the limiter's arithmetic far from overflow.
const MAX_REFILL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Explains the text form of a rate.
const FORMAT_HINT: &str = "it has to be BURST:COUNT/PERIOD, for example 60:5/s (60 at once, and 5 a second), with a \
                    period such as 500ms, 2s, m or h, or off";

/// A burst, and a number of actions per period after that; or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(Option<Parts>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    burst: NonZeroU32,
    count: NonZeroU32,
    period: Duration,
}

impl Rate {
    /// No limit.
    pub const OFF: Self = Self(None);

    /// `burst` at once, then `count` in each `period`. Panics when one of them is 0: for constants.
    pub const fn new(burst: u32, count: u32, period: Duration) -> Self {
        assert!(!period.is_zero(), "a period takes time");
        let (Some(burst), Some(count)) = (NonZeroU32::new(burst), NonZeroU32::new(count)) else {
            panic!("a rate allows something");
        };
        Self(Some(Parts { burst, count, period }))
    }

    /// The limiter's quota; `None` without a limit.
    pub(super) fn quota(self) -> Option<Quota> {
        let Parts { burst, count, period } = self.0?;
        Some(Quota::with_period(period / count.get())?.allow_burst(burst))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Parts { burst, count, period }) = self.0 else { return f.write_str("off") };
        write!(f, "{burst}:{count}/")?;
        let millis = period.as_millis();
        let (number, unit) = match millis {
            millis if millis % 3_600_000 == 0 => (millis / 3_600_000, "h"),
            millis if millis % 60_000 == 0 => (millis / 60_000, "m"),
            millis if millis % 1_000 == 0 => (millis / 1_000, "s"),
            millis => (millis, "ms"),
        };
        if number != 1 {
            write!(f, "{number}")?;
        }
        f.write_str(unit)
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::OFF);
        }
        let parts = parts(text).ok_or_else(|| FORMAT_HINT.to_owned())?;
        let Parts { burst, count, period } = parts;
        let interval = period / count.get();
        if interval.is_zero() || interval.checked_mul(burst.get()).is_none_or(|whole| whole > MAX_REFILL) {
            return Err(
                "the burst has to become available again within 30 days, and the rate must not exceed one in a \
                 nanosecond"
                    .to_owned(),
            );
        }
        Ok(Self(Some(parts)))
    }
}

fn parts(text: &str) -> Option<Parts> {
    let (burst, rest) = text.split_once(':')?;
    let (count, period) = rest.split_once('/')?;
    Some(Parts { burst: burst.parse().ok()?, count: count.parse().ok()?, period: parse_period(period)? })
}

fn parse_period(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u32 = match &text[..text.len() - unit.len()] {
        "" => 1,
        number => number.parse().ok()?,
    };
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(60 * 60),
        _ => return None,
    };
    unit.checked_mul(number).filter(|period| !period.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_round_trip_through_their_text_form() {
        for text in ["60:5/s", "30:1/2s", "10:1/m", "1:1/90s", "5:3/250ms", "7:1/24h", "off"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("60:5/1s".parse::<Rate>().unwrap(), Rate::new(60, 5, Duration::from_secs(1)));
        let quota = "30:2/m".parse::<Rate>().unwrap().quota().unwrap();
        assert_eq!((quota.burst_size().get(), quota.replenish_interval()), (30, Duration::from_secs(30)));
    }

    #[test]
    fn malformed_rates_are_refused() {
        for text in [
            "",
            "on",
            "60",
            "60:5",
            "5/s",
            "0:5/s",
            "60:0/s",
            "60:5/0s",
            "60:5/d",
            "-1:5/s",
            "60:5/1.5s",
            ":/",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(FORMAT_HINT.to_owned()), "{text}");
        }
        for text in ["4000000000:1/h", "1:1/800h", "1:4000000000/s"] {
            assert!(text.parse::<Rate>().unwrap_err().contains("30 days"), "{text}");
        }
    }
}
