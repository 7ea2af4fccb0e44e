//! One order at the authority: account, proof of the names, certificate.

use anyhow::{Context as _, bail, ensure};
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use tonic_serve::Tls;

use super::store::Store;
use crate::config::AcmeConfig;

const NOT_PROVED: &str =
    "the authority could not prove that the name is this server's, by TLS at port 443 of the name";

/// Orders a certificate. Returns the key with the certificate and its chain, PEM. `tls` answers the authority's questions until it
/// gets another certificate.
pub(super) async fn certificate(config: &AcmeConfig, store: &Store, tls: &Tls) -> anyhow::Result<Vec<u8>> {
    let account = account(config, store).await?;
    let names: Vec<_> = config.domains.iter().map(|name| Identifier::Dns(name.to_string())).collect();
    let mut order =
        account.new_order(&NewOrder::new(&names)).await.context("the authority refuses the order")?;
    prove(&mut order, tls).await?;
    let status = order.poll_ready(&RetryPolicy::default()).await.context(NOT_PROVED)?;
    if status != OrderStatus::Ready {
        bail!("{NOT_PROVED}: {}", failure(&mut order).await);
    }
    let key = order.finalize().await.context("the authority refuses the request for the certificate")?;
    let chain = order.poll_certificate(&RetryPolicy::default()).await;
    let chain = chain.context("the authority does not give the certificate")?;
    Ok([key, chain].concat().into_bytes())
}

/// The stored account, or a new one, which is stored.
async fn account(config: &AcmeConfig, store: &Store) -> anyhow::Result<Account> {
    let builder = Account::builder().context("cannot make an https client")?;
    let of_store = store.clone();
    if let Some(json) = tokio::task::spawn_blocking(move || of_store.account()).await?? {
        let credentials =
            serde_json::from_slice(&json).context("the stored account is damaged; remove its file")?;
        return builder.from_credentials(credentials).await.context("cannot reach the authority");
    }
    let contacts: Vec<_> = config.contacts.iter().map(|address| format!("mailto:{address}")).collect();
    let contacts: Vec<_> = contacts.iter().map(String::as_str).collect();
    let account =
        NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder
        .create(&account, config.directory.clone(), None)
        .await
        .context("cannot make an account at the authority")?;
    let json = serde_json::to_vec(&credentials)?;
    let store = store.clone();
    tokio::task::spawn_blocking(move || store.put_account(&json)).await??;
    Ok(account)
}

/// Has `tls` answer for every name that is not proved yet, and then asks the authority to look.
async fn prove(order: &mut Order, tls: &Tls) -> anyhow::Result<()> {
    let mut answers = Vec::new();
    for is_answered in [false, true] {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.context("the authority refuses a name")?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            ensure!(
                authorization.status == AuthorizationStatus::Pending,
                "the authority has refused a name: {:?}",
                authorization.status
            );
            let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
            let mut challenge = challenge.context("the authority does not offer TLS-ALPN-01")?;
            if is_answered {
                challenge.set_ready().await.context("the authority refuses the answer for a name")?;
            } else {
                let name = challenge.identifier().to_string();
                let (certificate, key) = answer(&name, challenge.key_authorization().digest().as_ref())?;
                answers.push((name, certificate, key));
            }
        }
        if !is_answered {
            tls.answer_challenges(answers.drain(..))?;
        }
    }
    Ok(())
}

/// The certificate of RFC 8737 and its key, PEM.
fn answer(name: &str, digest: &[u8]) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem().into_bytes(), key.serialize_pem().into_bytes()))
}

/// The authority's words for the failure of an order.
async fn failure(order: &mut Order) -> String {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if let Ok(state) = authorization.refresh().await
            && let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref())
        {
            return problem.to_string();
        }
    }
    "it gives no reason".to_owned()
}
