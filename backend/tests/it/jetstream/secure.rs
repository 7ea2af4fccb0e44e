//! Servers of NATS that demand TLS, or the credentials of an account.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chat_client::{Person, eventually, text_of};
use crate::support::ChildServer;
use crate::support::cluster::{NAME, cluster_by, said};
use crate::support::nats::NatsServer;

async fn refused(flags: &[String], part: &str) {
    let output = cluster_by(&["status"], flags).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains(part), "{part:?} is not in {error}");
}

/// Makes a cluster with these flags, and sends from one of its servers to the other.
async fn works(flags: &[String]) {
    let nothing = TempDir::new().unwrap();
    let data = format!("--data={}", nothing.path().display());
    said(&cluster_by(&["init", "--replicas=1", &data], flags).await);
    let flags: Vec<_> = flags.iter().cloned().chain([NAME.to_owned()]).collect();
    let (a, b) = (ChildServer::start_with(&flags).await, ChildServer::start_with(&flags).await);
    let mut ada = Person::join(a.channel(), "Ada").await;
    ada.send("general", "hi").await;
    let elsewhere = ada.over(b.channel());
    eventually("the message arrives", async || elsewhere.clone().log("general").await.len() == 2).await;
    assert_eq!(text_of(&elsewhere.clone().log("general").await[1]), "hi");
}

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn flag(name: &str, path: &Path) -> String {
    format!("--cluster-{name}={}", path.display())
}

#[tokio::test]
async fn cluster_is_reached_by_tls_with_the_named_authority_alone() {
    let folder = TempDir::new().unwrap();
    let [own, other] =
        [(), ()].map(|()| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());
    let certificate = write(&folder, "certificate.pem", &own.cert.pem());
    let key = write(&folder, "key.pem", &own.signing_key.serialize_pem());
    let stranger = write(&folder, "stranger.pem", &other.cert.pem());
    let config = format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}");
    let Some(nats) = NatsServer::start_with(config).await else { return };
    let url = format!("--cluster=tls://localhost:{}", nats.port());
    works(&[url.clone(), flag("tls-ca", &certificate)]).await;
    // The authorities of the system, and another one, did not sign it. The certificate is for another name.
    let unreachable = "no server of the cluster can be reached";
    refused(std::slice::from_ref(&url), unreachable).await;
    refused(&[url, flag("tls-ca", &stranger)], unreachable).await;
    refused(&[format!("--cluster={}", nats.url()), flag("tls-ca", &certificate)], unreachable).await;
}

#[tokio::test]
async fn server_without_tls_is_refused_where_an_authority_is_named() {
    let Some(nats) = NatsServer::start().await else { return };
    let folder = TempDir::new().unwrap();
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let authority = write(&folder, "authority.pem", &signed.cert.pem());
    let url = format!("--cluster=nats://localhost:{}", nats.port());
    refused(&[url, flag("tls-ca", &authority)], "no server of the cluster can be reached").await;
}

/// A signed token of NATS (JWT) about `subject`.
fn token(issuer: &KeyPair, subject: &KeyPair, name: &str, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let claims = json!({
        "jti": name,
        "iat": 1_700_000_000,
        "iss": issuer.public_key(),
        "sub": subject.public_key(),
        "name": name,
        "nats": claims,
    });
    let signed = format!("{header}.{}", encode(&claims));
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

/// The configuration of a server whose accounts are signed by an operator, and the credentials of a user of one of them, as `nsc`
/// writes both.
fn accounts() -> (String, String) {
    let (operator, chat, system) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
    let user = KeyPair::new_user();
    let account = |storage: i64| {
        json!({ "type": "account", "version": 2, "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
            "mem_storage": storage, "disk_storage": storage, "streams": storage, "consumer": storage,
        } })
    };
    let config = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload {{ {}: {}, {}: {} }}\n",
        token(&operator, &operator, "team", &json!({ "type": "operator", "version": 2 })),
        system.public_key(),
        chat.public_key(),
        token(&operator, &chat, "chat", &account(-1)),
        system.public_key(),
        token(&operator, &system, "system", &account(0)),
    );
    let rights =
        json!({ "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1 });
    let credentials = format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        token(&chat, &user, "chinwag", &rights),
        user.seed().unwrap(),
    );
    (config, credentials)
}

#[tokio::test]
async fn cluster_of_an_account_takes_its_credentials_alone() {
    let (config, credentials) = accounts();
    let Some(nats) = NatsServer::start_with(config).await else { return };
    let folder = TempDir::new().unwrap();
    let url = format!("--cluster={}", nats.url());
    let own = write(&folder, "chat.creds", &credentials);
    works(&[url.clone(), flag("credentials", &own)]).await;
    refused(std::slice::from_ref(&url), "no server of the cluster can be reached").await;
    let stranger = write(&folder, "stranger.creds", &accounts().1);
    refused(&[url.clone(), flag("credentials", &stranger)], "no server of the cluster can be reached").await;
    let no_credentials = write(&folder, "diary", "dear diary");
    refused(&[url, flag("credentials", &no_credentials)], "cannot be used").await;
}
