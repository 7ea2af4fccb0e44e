//! Channels to `https://`, with the feature `tls` and without.

#[cfg(not(feature = "tls"))]
mod without {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_web_channel::{BuildError, Channel};

    use crate::support::canned::{Canned, reply};

    #[tokio::test]
    async fn a_channel_to_https_is_not_built_without_a_transport_that_speaks_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("https://{}", listener.local_addr().unwrap());
        let secret = || async { Ok("Bearer secret".to_owned()) };

        let built = Channel::builder(uri.as_str()).credentials(secret).build();

        // Where it was built, it sent the token in cleartext.
        if let Ok(channel) = built {
            tokio::spawn(
                async move { HealthClient::new(channel).check(HealthCheckRequest::default()).await },
            );
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut first = [0; 16];
            peer.read_exact(&mut first).await.unwrap();
            panic!("it was built, and sends {:?}", String::from_utf8_lossy(&first));
        }
        let error = built.unwrap_err();
        assert!(matches!(error, BuildError::TlsNeeded { .. }), "{error}");
        for part in [uri.as_str(), "the feature `tls`", "transport"] {
            assert!(error.to_string().contains(part), "{part:?} is not in {error}");
        }
        // With a transport of the program's own that is its business.
        let canned = Canned::always(|| reply().serving().ok());
        let channel = Channel::builder(uri.as_str()).transport(canned).build().unwrap();
        assert!(HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_ok());
    }
}

#[cfg(feature = "tls")]
mod with {
    use std::net::SocketAddr;
    use std::process::Command;

    use tokio::net::TcpListener;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::transport::{Identity, Server, ServerTlsConfig};
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_web_channel::Channel;

    /// What tells the system's root certificates to the library that reads them.
    const ROOTS: &str = "SSL_CERT_FILE";
    /// Where the server is that a test has started for itself in another process.
    const SERVER: &str = "CHANNEL_TEST_TLS_SERVER";

    /// A server that speaks TLS with a certificate that signed itself, and that certificate.
    async fn server() -> (SocketAddr, String) {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let identity = Identity::from_pem(pair.cert.pem(), pair.signing_key.serialize_pem());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (_, health) = tonic_health::server::health_reporter();
        let mut server = Server::builder().tls_config(ServerTlsConfig::new().identity(identity)).unwrap();
        tokio::spawn(server.add_service(health).serve_with_incoming(TcpListenerStream::new(listener)));
        (addr, pair.cert.pem())
    }

    async fn call(port: u16) -> Result<(), tonic::Status> {
        let channel = Channel::builder(format!("https://localhost:{port}")).build().unwrap();
        HealthClient::new(channel).check(HealthCheckRequest::default()).await.map(drop)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_channel_to_https_trusts_what_the_system_trusts_and_nothing_else() {
        // The environment cannot be changed in a process that has threads, so the call that trusts the certificate
        // is made by this test in a process of its own.
        if let Ok(port) = std::env::var(SERVER) {
            call(port.parse().unwrap()).await.unwrap();
            return;
        }
        let (addr, certificate) = server().await;
        let (_, strange) = server().await;
        let this = "tls::with::a_channel_to_https_trusts_what_the_system_trusts_and_nothing_else";
        let trusting = move |certificate: String| {
            let roots = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(roots.path(), certificate).unwrap();
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", this]).env(ROOTS, roots.path()).env(SERVER, addr.port().to_string());
            command.output().unwrap().status.success()
        };
        let blocking = tokio::task::spawn_blocking(move || (trusting(certificate), trusting(strange)));

        assert_eq!(blocking.await.unwrap(), (true, false));
    }
}
