//! Handshakes over a pipe.

use std::pin::pin;

use futures_util::FutureExt as _;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use tokio::io::{AsyncWriteExt as _, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::*;

/// The first certificate that `tls` shows to a client with this ALPN name; `None` when it ends the handshake.
async fn shown(tls: &Tls, name: &'static str, alpn: &[u8]) -> Option<CertificateDer<'static>> {
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    client.alpn_protocols = vec![alpn.to_vec()];
    let (near, far) = duplex(64 * 1024);
    let connector = TlsConnector::from(Arc::new(client));
    let connecting = connector.connect(ServerName::try_from(name).unwrap(), far);
    let (_server, client) = tokio::join!(tls.accept(near), connecting);
    let client = client.ok()?;
    assert_eq!(client.get_ref().1.alpn_protocol(), Some(alpn));
    client.get_ref().1.peer_certificates().map(|chain| chain[0].clone())
}

#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

#[tokio::test]
async fn challenges_are_answered_by_name_and_change_no_other_handshake() {
    let make = |name: &str, extensions| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.custom_extensions = extensions;
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem().into_bytes(), key.serialize_pem().into_bytes(), certificate.der().clone())
    };
    let identifier = CustomExtension::new_acme_identifier(&[7; 32]);
    let ((own, key, own_der), (asked, asked_key, asked_der)) =
        (make("own.example", vec![]), make("asked.example", vec![identifier]));
    let tls = Tls::from_pem(&own, &key).unwrap();
    assert_eq!(shown(&tls, "asked.example", b"acme-tls/1").await, None, "nothing is asked");

    tls.answer_challenges([("Asked.example", asked, asked_key)]).unwrap();

    assert_eq!(shown(&tls, "asked.example", b"acme-tls/1").await, Some(asked_der));
    assert_eq!(shown(&tls, "other.example", b"acme-tls/1").await, None);
    assert_eq!(shown(&tls, "asked.example", b"h2").await, Some(own_der.clone()));

    tls.replace_certificate(&own, &key).unwrap();

    assert_eq!(shown(&tls, "asked.example", b"acme-tls/1").await, None, "the answers are gone");
    assert_eq!(shown(&tls, "own.example", b"http/1.1").await, Some(own_der));
}

#[tokio::test]
async fn unsent_ciphertext_is_bounded() {
    const PIPE: usize = 1024;
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let tls = Tls::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (near, far) = duplex(PIPE);
    let connector = TlsConnector::from(Arc::new(client));
    let name = ServerName::try_from("localhost").unwrap();
    let (server, client) = tokio::join!(tls.accept(near), connector.connect(name, far));
    let (mut server, _client) = (server.unwrap(), client.unwrap());

    let mut held = 0;
    while held < 1024 * 1024
        && let Some(written) = pin!(server.write(&[0; 1024])).now_or_never()
    {
        held += written.unwrap();
    }

    assert!(held <= MAX_UNSENT + 2 * PIPE, "{held} bytes wait");
}
