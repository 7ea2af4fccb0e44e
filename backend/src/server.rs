//! Puts the services together, starts them and stops them in order.

use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::config::Config;
use crate::greeter::GreeterService;
use edge::App;
use proto::helloworld::server::greeter_server::GreeterServer;

/// Everything opened that has to be open before the first connection.
#[derive(Debug)]
pub struct Server {
    config: Config,
    // The chat goes here: `chat: Chat`.
}

/// Opens what `config` names and serves on `listener` until `shutdown` resolves.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    Server::open(config).await?.serve(listener, shutdown).await
}

impl Server {
    /// Opens what `config` names.
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        // `Chat::open` goes here.
        Ok(Self { config })
    }

    /// Serves on `listener` until `shutdown` resolves; then stops in order: no new connections, the
    /// chat's goodbyes, the drain, the database.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        // `.add_service(chat.service())` goes here.
        let routes = Routes::new(GreeterServer::new(GreeterService::default()));
        let stopping = async move {
            shutdown.await;
            // `chat.begin_shutdown()` goes here.
        };
        edge::serve(listener, App::new(routes), self.config.limits.clone(), stopping).await?;
        // `chat.close().await` goes here.
        Ok(())
    }
}
