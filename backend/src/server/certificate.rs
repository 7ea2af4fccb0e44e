//! Keeps the server's certificate current: reads its files again when they change or at a hangup, and warns of one that
//! expires soon.

use std::time::{Duration, SystemTime};

use tokio::time::{MissedTickBehavior, interval};
use tonic_serve::Tls;

use crate::config::{Pem, TlsConfig, TlsFiles};
use crate::shutdown::Hangups;

/// A certificate with no more than this left is warned of.
const WARNING: Duration = Duration::from_secs(14 * SECONDS_PER_DAY);

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Interval between two looks at the files. They are compared by content, because tools exchange files and links to them in many
/// ways.
const FILES_INTERVAL: Duration = Duration::from_secs(5);

/// Interval between two warnings of a certificate that expires.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(SECONDS_PER_DAY);

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

/// Keeps the certificate of `tls` current. Without one a hangup changes nothing. Ends only with its task.
pub(crate) fn follow(
    config: &TlsConfig,
    tls: Option<Tls>,
    mut hangups: Hangups,
) -> impl Future<Output = ()> + use<> {
    let files = config.files();
    async move {
        match (files, tls) {
            (Some(files), Some(tls)) => exchange(tls, files, hangups).await,
            _ => loop {
                hangups.next().await;
                tracing::info!("ignoring a hangup: there is no certificate to read again");
            },
        }
    }
}

/// Exchanges the certificate of `tls` when its files change, at once at a hangup, and warns once a day of one that expires soon.
async fn exchange(tls: Tls, files: TlsFiles, mut hangups: Hangups) {
    let mut files_due = interval(FILES_INTERVAL);
    files_due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut expiry_due = interval(EXPIRY_INTERVAL);
    let mut seen = None;
    loop {
        let hangup = tokio::select! {
            _ = expiry_due.tick() => {
                warn(&tls);
                continue;
            }
            _ = files_due.tick() => false,
            () = hangups.next() => true,
        };
        let (tls, files, before) = (tls.clone(), files.clone(), seen.take());
        // Reading blocks. Without an answer the server stops.
        let Ok(now) = tokio::task::spawn_blocking(move || renew(&tls, &files, before, hangup)).await else {
            return;
        };
        seen = Some(now);
    }
}

/// The contents of the files at the last look; `None` when they could not be read.
type Seen = Option<Pem>;

/// Uses the contents of the files when they have changed since `before`, or in any case at a hangup.
fn renew(tls: &Tls, files: &TlsFiles, before: Option<Seen>, hangup: bool) -> Seen {
    let pem = files.read();
    let found = pem.as_ref().ok().cloned();
    if before.is_some_and(|before| before == found) && !hangup {
        return found;
    }
    match pem.and_then(|pem| files.replace(tls, &pem)) {
        // The files may have changed between the start and the first look.
        Ok(false) if !hangup => {}
        Ok(_) => {
            tracing::info!("using the certificate and key that the files have now");
            warn(tls);
        }
        Err(refusal) => tracing::error!(
            error = %refusal,
            "the new certificate cannot be used, and the server keeps the one that it has"
        ),
    }
    found
}

/// Logs that the certificate has expired, or will soon.
fn warn(tls: &Tls) {
    let Some(expiry) = tls.expires() else { return };
    match validity(expiry, SystemTime::now()) {
        Validity::Valid => {}
        Validity::EndsIn { days } => {
            tracing::warn!(certificate.days_left = days, "the certificate expires soon; renew its files");
        }
        Validity::EndedBefore { days } => tracing::error!(
            certificate.days_ago = days,
            "the certificate has expired, and browsers refuse it; renew its files"
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
