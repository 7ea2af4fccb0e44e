//! Gets the server's certificate from an authority by ACME, proves the names by TLS-ALPN-01 on the port of clients, stores the
//! certificate in the data folder, and renews it.

mod order;
mod store;

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use rcgen::{CertificateParams, KeyPair};
use tokio::time::{sleep, timeout};
use tonic_serve::Tls;

use self::store::Store;
use crate::config::{AcmeConfig, Config};

/// A certificate is renewed when this part of its life is left.
const RENEW_AT: u32 = 3;

/// Time for all steps of an order. The authority takes seconds.
const ORDER_TIMEOUT: Duration = Duration::from_secs(300);

/// Delays after failures: authorities allow few in an hour.
const FIRST_DELAY: Duration = Duration::from_secs(10 * 60);
const MAX_DELAY: Duration = Duration::from_secs(6 * 60 * 60);

/// Longest time between two looks at the clock, which may jump, as that of a machine that slept.
const MAX_WAIT: Duration = Duration::from_secs(60 * 60);

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// The certificate of this server's names.
#[derive(Debug)]
pub(super) struct Certificate {
    config: AcmeConfig,
    store: Store,
    tls: Tls,
    /// The time at which the certificate in force was stored; `None` for the one of the first start, which nobody trusts.
    obtained: Option<SystemTime>,
}

impl Certificate {
    /// Puts the stored certificate, or one that nobody trusts, into the configuration, and allows its names. `None` where no
    /// names are configured.
    pub(super) fn open(config: &mut Config) -> anyhow::Result<Option<Self>> {
        let acme = config.acme.clone();
        if acme.domains.is_empty() {
            return Ok(None);
        }
        let store = Store::new(&config.data, &acme);
        let stored = store.certificate()?.and_then(|(pem, obtained)| match Tls::from_pem(&pem, &pem) {
            Ok(tls) => Some((tls, obtained)),
            Err(error) => {
                tracing::warn!(%error, "the stored certificate cannot be used, and a new one is asked for");
                None
            }
        });
        let (tls, obtained) = match stored {
            Some((tls, obtained)) => (tls, Some(obtained)),
            None => (untrusted(&acme)?, None),
        };
        config.port.tls.managed = Some(tls.clone());
        config.port.web.hosts.extend(acme.domains.iter().cloned());
        Ok(Some(Self { config: acme, store, tls, obtained }))
    }

    /// Gets a certificate when it is due. Ends only with its task.
    pub(super) async fn keep_current(mut self) {
        let mut delay = FIRST_DELAY;
        loop {
            let wait = self.due(SystemTime::now());
            if !wait.is_zero() {
                sleep(wait.min(MAX_WAIT)).await;
                continue;
            }
            match self.renew().await {
                Ok(()) => delay = FIRST_DELAY,
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        acme.retry_in_minutes = delay.as_secs() / 60,
                        certificate.days_left = self.days_left(),
                        "cannot get a certificate from the authority; trying again later"
                    );
                    sleep(delay).await;
                    delay = (delay * 2).min(MAX_DELAY);
                }
            }
        }
    }

    /// The time until a new certificate is due: that of two thirds of its life.
    fn due(&self, now: SystemTime) -> Duration {
        let (Some(obtained), Some(expiry)) = (self.obtained, self.tls.expires()) else {
            return Duration::ZERO;
        };
        due(obtained, expiry, now)
    }

    async fn renew(&mut self) -> anyhow::Result<()> {
        let names: Vec<_> = self.config.domains.iter().map(ToString::to_string).collect();
        tracing::info!(
            acme.directory = self.config.directory,
            acme.names = names.join(","),
            "asking the authority for a certificate"
        );
        let ordered = timeout(ORDER_TIMEOUT, order::certificate(&self.config, &self.store, &self.tls));
        let pem = ordered.await.context("the authority takes too long")??;
        self.tls.replace_certificate(&pem, &pem).context("the authority's certificate cannot be used")?;
        // In force even if it cannot be stored.
        self.obtained = Some(SystemTime::now());
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || store.put_certificate(&pem)).await??;
        tracing::info!(certificate.days_left = self.days_left(), "using the certificate of the authority");
        Ok(())
    }

    /// Days until the certificate in force expires; 0 for the one that nobody trusts.
    fn days_left(&self) -> u64 {
        let expiry = self.obtained.and_then(|_| self.tls.expires());
        let left = expiry.and_then(|expiry| expiry.duration_since(SystemTime::now()).ok());
        left.unwrap_or_default().as_secs() / SECONDS_PER_DAY
    }
}

fn due(obtained: SystemTime, expiry: SystemTime, now: SystemTime) -> Duration {
    let life = expiry.duration_since(obtained).unwrap_or_default();
    (expiry - life / RENEW_AT).duration_since(now).unwrap_or_default()
}

/// TLS until the first certificate is there, with which the authority can ask.
fn untrusted(config: &AcmeConfig) -> anyhow::Result<Tls> {
    let names: Vec<_> = config.domains.iter().map(ToString::to_string).collect();
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(names)?.self_signed(&key)?;
    Ok(Tls::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_is_due_after_two_thirds_of_its_life() {
        let day = |days| Duration::from_secs(days * SECONDS_PER_DAY);
        let obtained = SystemTime::UNIX_EPOCH + day(20_000);
        let expiry = obtained + day(90);
        assert_eq!(due(obtained, expiry, obtained), day(60));
        assert_eq!(due(obtained, expiry, obtained + day(59)), day(1));
        assert_eq!(due(obtained, expiry, obtained + day(61)), Duration::ZERO);
        assert_eq!(due(obtained, expiry, expiry + day(1)), Duration::ZERO);
        assert_eq!(due(expiry, obtained, obtained), Duration::ZERO, "a file from the future");
    }
}
