//! Puts the services together, starts them and stops them in order.

mod anonymous;
mod certificate;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderName;
use proto::chat::v1::server::chat_service_server::SERVICE_NAME as CHAT;
use proto::helloworld::server::greeter_server::{GreeterServer, SERVICE_NAME as GREETER};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::codec::CompressionEncoding as Encoding;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};
use tonic_serve::{AllowedHosts, App, CorsOptions, Methods, Page, Tls};

use crate::chat::{Chat, ChatOptions, Fault, MAX_REQUEST_BYTES};
use crate::config::Config;
use crate::greeter::{self, GreeterService};
use crate::rates::Rates;

use self::anonymous::Limit;

/// Largest request that the Greeter reads, bytes; larger ones are refused. The longest name takes 4,000.
const MAX_GREETER_REQUEST: usize = 64 * 1024;

/// Longest answer of the methods below, bytes: a page of events.
const MAX_LONG_ANSWER: usize = 1024 * 1024;

/// The methods whose answers may be long, of which a client that reads nothing shall not have many made.
const LONG_ANSWERS: [&str; 2] = ["/chat.v1.ChatService/ListEvents", "/chat.v1.ChatService/ListRooms"];

/// The methods whose answers are compressed for callers that take it: the long ones. A stream's frames are
/// small and shared by all streams, and compressing each for itself would cost more than it saves.
const COMPRESSED: [&str; 2] = ["/chat.v1.ChatService/ListEvents", "/chat.v1.ChatService/ListRooms"];

/// What the page's address shows while there is no page.
const NO_PAGE: &str = include_str!("server/no_page.html");

/// What somebody reads whose request was refused because of its host name.
const HOST_HINT: &str = "(whoever runs it can allow the name with --host)";

/// What health is asked about: the server as a whole, and each service.
const WATCHED: [&str; 3] = ["", GREETER, CHAT];

/// Everything opened that has to be open before the first connection.
#[derive(Debug)]
pub struct Server {
    config: Config,
    chat: Chat,
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
    pub async fn open(mut config: Config) -> anyhow::Result<Self> {
        config.limits = config.serve_options()?;
        if let Some(expiry) = config.limits.tls.as_ref().and_then(Tls::expires) {
            certificate::warn(expiry, SystemTime::now());
        }
        let options = ChatOptions {
            data: config.data.clone(),
            rooms_per_user: config.rates.rooms_per_user,
            secure_cookie: config.secure_cookie || config.is_https(),
            ..config.chat.clone()
        };
        // Opening reads and may migrate a database: not on a thread that serves others.
        let chat = tokio::task::spawn_blocking(|| Chat::open(options)).await??;
        Ok(Self { config, chat })
    }

    /// Serves on `listener` until `shutdown` resolves; then stops in order: no new connections, the
    /// chat's goodbyes, the drain, the database.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let (health, health_service) = health_reporter();
        report(&health, ServingStatus::Serving).await;
        let rates = Arc::new(Rates::new(&self.config.rates.limits()));
        let mut background = JoinSet::new();
        background.spawn(rates.clone().clean_up_regularly());
        let greeter = GreeterServer::new(GreeterService).max_decoding_message_size(MAX_GREETER_REQUEST);
        let greeter = Limit::around(greeter, &rates, Rates::anonymous);
        let health_service = Limit::around(health_service, &rates, Rates::health);
        let chat = self
            .chat
            .service(rates.clone())
            .accept_compressed(Encoding::Gzip)
            .send_compressed(Encoding::Gzip);
        let routes = Routes::new(greeter).add_service(chat).add_service(health_service);
        let app = self.app(reflection(routes, &rates)?)?;

        tracing::info!(
            listen = %listener.local_addr()?,
            tls = self.config.is_https(),
            page = self.config.page.join("index.html").exists(),
            cors.origins = self.config.cors_origins.len(),
            hosts = self.config.web.hosts.len(),
            trusted_proxies = self.config.web.trusted_proxies.len(),
            "serving"
        );
        if self.config.web.hosts.is_empty() && !listener.local_addr()?.ip().to_canonical().is_loopback() {
            tracing::warn!(
                "only requests for localhost and for IP addresses are answered; if people reach this server by a name, \
                 say it with --host"
            );
        }
        let chat = self.chat.clone();
        let stopping = async move {
            tokio::select! {
                () = shutdown => {}
                never = report_storage(&health, chat.health()) => match never {},
            }
            chat.begin_shutdown();
            report(&health, ServingStatus::NotServing).await;
        };
        let served = tonic_serve::serve(listener, app, self.config.limits, stopping).await;
        self.chat.close().await;
        served?;
        tracing::info!("stopped");
        Ok(())
    }

    fn app(&self, routes: Routes) -> anyhow::Result<App> {
        let greeter_headers = [greeter::COUNT_KEY, greeter::INTERVAL_KEY].map(HeaderName::from_static);
        let cors = CorsOptions::new(self.config.cors_origins.iter().cloned())
            .allow_headers(greeter_headers)
            .allow_headers(self.config.web.cors_headers.iter().cloned());
        Ok(App::new(routes)
            .allowed_hosts(AllowedHosts::new(self.config.web.hosts.iter().cloned()).hint(HOST_HINT))
            .page(Page::new(&self.config.page).when_missing(NO_PAGE))
            .cors(cors)
            .methods(methods()?)
            .max_message_size_of(GREETER, MAX_GREETER_REQUEST)
            .max_message_size_of(CHAT, MAX_REQUEST_BYTES)
            .long_responses(LONG_ANSWERS, MAX_LONG_ANSWER)
            .compress_only(COMPRESSED))
    }
}

/// Everything that can be called.
fn methods() -> anyhow::Result<Methods> {
    let described = [
        proto::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    described
        .into_iter()
        .try_fold(Methods::default(), |all, encoded| Ok(all.and(Methods::from_descriptors(encoded)?)))
}

/// Says what can be called: `grpcurl -plaintext localhost:50051 list`. Version 1, and the older v1alpha
/// that many tools still ask for.
fn reflection(routes: Routes, rates: &Arc<Rates>) -> anyhow::Result<Routes> {
    let describe = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = Limit::around(describe().build_v1()?, rates, Rates::anonymous);
    let v1alpha = Limit::around(describe().build_v1alpha()?, rates, Rates::anonymous);
    Ok(routes.add_service(v1).add_service(v1alpha))
}

/// Tells those who ask after the chat's health, for as long as the server runs, whether it can store messages.
async fn report_storage(health: &HealthReporter, mut storage: watch::Receiver<Option<Fault>>) -> Infallible {
    loop {
        let fault = *storage.borrow_and_update();
        let status = if fault.is_none() { ServingStatus::Serving } else { ServingStatus::NotServing };
        health.set_service_status(CHAT, status).await;
        if storage.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Tells those who ask after the server's health, or watch it, whether to send anybody here.
async fn report(health: &HealthReporter, status: ServingStatus) {
    for service in WATCHED {
        health.set_service_status(service, status).await;
    }
}
