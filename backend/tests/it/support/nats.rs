//! A server of NATS with JetStream. The unit tests have this file, too.

use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use harness::{Nats, free_port};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time limit for a start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// The server. Killed when dropped.
#[derive(Debug)]
pub(crate) struct NatsServer {
    server: Nats,
    addr: SocketAddr,
    /// The monitoring address.
    monitoring: SocketAddr,
    _folder: TempDir,
}

impl NatsServer {
    /// Starts it with an empty folder. `None` where its program is not.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(String::new()).await
    }

    /// Starts it with these lines in its configuration.
    pub(crate) async fn start_with(config: String) -> Option<Self> {
        let [addr, monitoring] = [(); 2].map(|()| free_port(&mut Rng::new()).unwrap());
        let folder = TempDir::new().unwrap();
        let config = format!(
            "listen: {addr}\nhttp: {monitoring}\njetstream {{ store_dir: {:?}, sync_interval: always }}\n{config}\n",
            folder.path().join("store"),
        );
        let mut server = Nats::new(folder.path(), &config).unwrap();
        if let Err(error) = server.start() {
            eprintln!("skipped: {error:#}");
            return None;
        }
        let mut server = Self { server, addr, monitoring, _folder: folder };
        server.listens().await;
        Some(server)
    }

    /// Starts it with the folder and the ports that it had.
    pub(crate) async fn start_again(&mut self) {
        self.server.start().unwrap();
        self.listens().await;
    }

    async fn listens(&mut self) {
        let opened = async {
            while TcpStream::connect(self.addr).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        let opened = timeout(START_TIMEOUT, opened).await;
        assert!(opened.is_ok(), "nats-server does not listen in time: {:#?}", self.server.log());
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) async fn kill(&mut self) {
        self.server.kill().unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.addr)
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    pub(crate) fn monitoring_url(&self) -> String {
        format!("http://{}", self.monitoring)
    }
}
