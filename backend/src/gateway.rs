//! Serves the gateway.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic_serve::{Page, Readiness};

use crate::config::GatewayConfig;
use crate::server::follow_certificate;
use crate::shutdown::Hangups;

/// Passes calls on until `shutdown` resolves. Then: no new connections, a bounded time for open calls.
pub async fn serve(
    listener: TcpListener,
    config: GatewayConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let options = config.port.serve_options(config.limits.clone())?;
    let mut background = JoinSet::new();
    background.spawn(follow_certificate(&config.port.tls, options.tls.clone(), Hangups::new()?));
    let gateway = config.gateway()?;
    let readiness = match config.upstream_health {
        0 => Readiness::new(|| Ok::<_, &str>(())),
        seconds => {
            let (readiness, checks) = gateway.health_checks(Duration::from_secs(seconds.into()));
            background.spawn(async move { match checks.await {} });
            readiness
        }
    };
    let app = config.port.app(gateway.into(), []).health_paths(readiness);
    let app = match &config.page {
        Some(page) => app.page(config.port.web.allow_connections(Page::new(page))?),
        None => app,
    };
    config.port.log_start(&listener, config.page.is_some())?;
    tonic_serve::serve(listener, app, options, shutdown).await?;
    tracing::info!("stopped");
    Ok(())
}
