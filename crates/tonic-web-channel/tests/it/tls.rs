//! Channels to `https://`, with the features for TLS and without.

#[cfg(not(feature = "_tls"))]
mod without {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_web_channel::{BuildError, Channel};

    use crate::support::canned::{Canned, reply};

    #[tokio::test]
    async fn https_channel_is_not_built_without_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("https://{}", listener.local_addr().unwrap());
        let secret = || async { Ok("Bearer secret".to_owned()) };

        let built = Channel::builder(uri.as_str()).credentials(secret).build();

        // A channel that was built anyway would send the token in cleartext: show what the peer reads.
        if let Ok(channel) = built {
            tokio::spawn(
                async move { HealthClient::new(channel).check(HealthCheckRequest::default()).await },
            );
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut first = [0; 16];
            peer.read_exact(&mut first).await.unwrap();
            panic!("the channel was built, and sends {:?}", String::from_utf8_lossy(&first));
        }
        let error = built.unwrap_err();
        assert!(matches!(error, BuildError::TlsNeeded { .. }), "{error}");
        for part in [uri.as_str(), "the feature `tls`", "transport"] {
            assert!(error.to_string().contains(part), "{part:?} is not in {error}");
        }
        // The program's own transport may speak TLS.
        let canned = Canned::always(|| reply().serving().ok());
        let channel = Channel::builder(uri.as_str()).transport(canned).build().unwrap();
        assert!(HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_ok());
    }
}

#[cfg(feature = "_tls")]
mod with {
    use std::net::SocketAddr;

    use tokio::net::TcpListener;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::transport::{Identity, Server, ServerTlsConfig};
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_web_channel::{Channel, Error};

    /// A TLS server with a self-signed certificate for `localhost`, and that certificate.
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

    async fn call(uri: String) -> Result<(), tonic::Status> {
        let channel = Channel::builder(uri).build().unwrap();
        HealthClient::new(channel).check(HealthCheckRequest::default()).await.map(drop)
    }

    #[tokio::test]
    async fn https_channel_refuses_an_unknown_certificate() {
        let (addr, _) = server().await;

        let status = call(format!("https://localhost:{}", addr.port())).await.unwrap_err();

        let error = Error::from_status(&status).unwrap();
        assert!(matches!(error, Error::Connect { .. }) && error.is_not_sent(), "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }

    #[tokio::test]
    async fn cleartext_call_to_a_tls_port_names_tls() {
        let (addr, _) = server().await;

        let status = call(format!("http://{addr}")).await.unwrap_err();

        assert_eq!(Error::from_status(&status), Some(&Error::NotHttp2 { origin: format!("http://{addr}") }));
        assert!(status.message().contains("it expects TLS"), "{status:?}");
    }

    #[cfg(feature = "tls-native-roots")]
    mod native_roots {
        use std::process::Command;

        use super::{call, server};

        /// Names a file of root certificates, for the library that reads those of the system.
        const ROOTS: &str = "SSL_CERT_FILE";
        /// Tells this test, in its child process, the port to call.
        const PORT: &str = "TONIC_WEB_CHANNEL_TEST_PORT";

        #[tokio::test(flavor = "multi_thread")]
        async fn https_channel_trusts_the_roots_of_the_system_only() {
            // A process with threads must not change its environment, so a child process makes the call.
            if let Ok(port) = std::env::var(PORT) {
                call(format!("https://localhost:{port}")).await.unwrap();
                return;
            }
            let (addr, certificate) = server().await;
            let (_, other) = server().await;
            let this = "tls::with::native_roots::https_channel_trusts_the_roots_of_the_system_only";
            let call_succeeds = move |roots: String| {
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(file.path(), roots).unwrap();
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--exact", this]).env(ROOTS, file.path()).env(PORT, addr.port().to_string());
                command.output().unwrap().status.success()
            };
            let calls =
                tokio::task::spawn_blocking(move || (call_succeeds(certificate), call_succeeds(other)));

            assert_eq!(calls.await.unwrap(), (true, false));
        }
    }
}
