//! The built page in a browser: adding, following, and resuming after a restart. Needs `trunk build` in `page/`.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, anyhow};
use contract::notes_client::NotesClient;
use contract::{AddRequest, METHODS};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic_web_channel::Channel;

/// A server that can be stopped and started again on the same port.
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    stopped: JoinHandle<()>,
}

impl Server {
    fn start(address: &str) -> Result<Self> {
        let listener = tonic_serve::listen(address.parse()?)?;
        let address = listener.local_addr()?;
        let (stop, stopping) = oneshot::channel();
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../page/dist");
        let stopped = tokio::spawn(async move {
            let shutdown = async { stopping.await.unwrap_or_default() };
            server::run(listener, page, shutdown).await.unwrap();
        });
        Ok(Self { address, stop, stopped })
    }

    async fn restart(self) -> Result<Self> {
        self.stop.send(()).map_err(|()| anyhow!("the server has ended"))?;
        self.stopped.await?;
        Self::start(&self.address.to_string())
    }

    /// Adds a note natively.
    async fn add(&self, text: &str) -> Result<()> {
        let channel = Channel::builder(format!("http://{}", self.address)).methods(METHODS).build()?;
        NotesClient::new(channel).add(AddRequest { id: text.to_owned(), text: text.to_owned() }).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_adds_follows_and_survives_a_restart() -> Result<()> {
    let server = Server::start("127.0.0.1:0")?;
    headless::check(&format!("http://{}", server.address), async |page| {
        page.find("//p[@role='status'][.='Live']").await?;
        page.find("//input").await?.send_keys("one").await?;
        page.find("//button[.='Add']").await?.click().await?;
        page.find("//li[.='one']").await?;

        server.add("two").await?;
        page.find("//li[.='one']/following-sibling::li[.='two']").await?;

        // The notes are gone with the server, and the page follows the new board.
        let server = server.restart().await?;
        server.add("three").await?;
        page.find("//ol[count(li)=1]/li[.='three']").await?;
        Ok(())
    })
    .await
}
