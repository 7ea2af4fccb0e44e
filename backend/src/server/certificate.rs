//! Warns at the start of a server certificate that expires soon. The certificate is read at the start only.

use std::time::{Duration, SystemTime};

/// A certificate with no more than this left is warned of.
const WARNING: Duration = Duration::from_secs(14 * SECONDS_PER_DAY);

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

#[derive(Debug, PartialEq, Eq)]
enum Validity {
    Valid,
    /// No more than [`WARNING`] is left.
    EndsIn {
        days: u64,
    },
    EndedBefore {
        days: u64,
    },
}

/// Logs that a certificate has expired, or will soon.
pub(super) fn warn(expiry: SystemTime, now: SystemTime) {
    match validity(expiry, now) {
        Validity::Valid => {}
        Validity::EndsIn { days } => tracing::warn!(
            certificate.days_left = days,
            "the certificate expires soon; renew it and restart the server"
        ),
        Validity::EndedBefore { days } => tracing::error!(
            certificate.days_ago = days,
            "the certificate has expired, and browsers refuse it; renew it and restart the server"
        ),
    }
}

fn validity(expiry: SystemTime, now: SystemTime) -> Validity {
    let days = |duration: Duration| duration.as_secs() / SECONDS_PER_DAY;
    match expiry.duration_since(now) {
        Ok(left) if left > WARNING => Validity::Valid,
        Ok(left) => Validity::EndsIn { days: days(left) },
        Err(over) => Validity::EndedBefore { days: days(over.duration()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_is_reported_in_its_last_two_weeks_and_after_it_expired() {
        let day = |days| Duration::from_secs(days * SECONDS_PER_DAY);
        let now = SystemTime::UNIX_EPOCH + day(20_000);
        assert_eq!(validity(now + day(15), now), Validity::Valid);
        assert_eq!(validity(now + day(14), now), Validity::EndsIn { days: 14 });
        assert_eq!(validity(now, now), Validity::EndsIn { days: 0 });
        assert_eq!(validity(now - day(3), now), Validity::EndedBefore { days: 3 });
    }
}
