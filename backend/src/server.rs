//! Builds the services, serves them, and shuts them down in order.

#[cfg(feature = "acme")]
mod acme;
mod admin;
mod certificate;
#[cfg(feature = "cluster")]
mod cluster;
mod health;
mod rate_limit;
mod redirect;
mod unknown_method;

use std::pin::pin;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use proto::chat::v1::server::chat_service_server::SERVICE_NAME as CHAT;
use proto::health::v1::health_server::{Health, HealthServer};
use proto::helloworld::server::greeter_server::{GreeterServer, SERVICE_NAME as GREETER};
use proto::limits::greeter::{COUNT_KEY, INTERVAL_KEY};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::codec::CompressionEncoding as Encoding;
use tonic::service::Routes;
use tonic_serve::{App, Methods, Observer, Page, Tls};

use crate::chat::{Chat, ChatOptions, Fault, MAX_REQUEST_BYTES};
use crate::config::{Config, DEFAULT_PAGE, PortConfig};
use crate::greeter::GreeterService;
use crate::metrics::Metrics;
use crate::rates::Rates;
use crate::shutdown::Hangups;
use crate::sockets::{OPERATORS, PassedSockets, REDIRECTS};
#[cfg(feature = "otlp")]
use crate::traces::Traces;

pub(crate) use self::certificate::follow as follow_certificate;
#[cfg(feature = "cluster")]
use self::cluster::Cluster;
use self::rate_limit::RateLimit;
use self::unknown_method::name_unknown_methods;

/// Largest Greeter request, bytes; larger ones are refused. The longest name takes 4,000.
const MAX_GREETER_REQUEST: usize = 64 * 1024;

/// Largest response of [`LARGE_RESPONSES`], bytes: one page of events.
const MAX_LARGE_RESPONSE: usize = 1024 * 1024;

/// Methods with large responses. A client that reads nothing must not have many of them built.
const LARGE_RESPONSES: [&str; 2] = ["/chat.v1.ChatService/ListEvents", "/chat.v1.ChatService/ListRooms"];

/// Methods whose responses are compressed for callers that accept it. Not the streams: the chat's frames are small and
/// shared by all streams, and a small request must not make the server compress 100,000 greetings.
const COMPRESSED_RESPONSES: [&str; 4] = [
    "/chat.v1.ChatService/ListEvents",
    "/chat.v1.ChatService/ListRooms",
    "/helloworld.Greeter/SayHello",
    "/helloworld.Greeter/SayHelloClientStream",
];

/// The headers by which a call joins a trace (W3C Trace Context).
const TRACE_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// Tells the page that it traces its calls: the only header of a document that its scripts can read.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const PAGES_TRACE: HeaderValue = HeaderValue::from_static("traceparent");

/// The refusal of a socket that the flag's own check does not see.
const REDIRECT_WITHOUT_TLS: &str =
    "the socket redirect-http of systemd needs --tls-certificate or --acme-domain";

/// Why a server ends by itself.
const OUTRUN: &str = "the log that the servers share no longer has the entries that this server needs next; started again, it begins \
                      with the newest copy of the database in the log";

/// The document that is served while the page is not built.
const PAGE_NOT_BUILT: &str = include_str!("server/page_not_built.html");

/// Completes when the log no longer has the entries that the chat needs next: only another start begins with the copy in the log.
async fn outrun(mut faults: watch::Receiver<Option<Fault>>) {
    // The sender is a part of the chat.
    faults.wait_for(|fault| *fault == Some(Fault::LogTrimmed)).await.ok();
}

/// A server whose database is open, ready to accept connections.
#[derive(Debug)]
pub struct Server {
    config: Config,
    chat: Chat,
    admin: Option<TcpListener>,
    redirect: Option<TcpListener>,
    /// Gets the certificate and keeps it current.
    #[cfg(feature = "acme")]
    acme: Option<acme::Certificate>,
    /// The servers that have the chat's log.
    #[cfg(feature = "cluster")]
    cluster: Option<Cluster>,
    /// Caught from the opening on, so that none is lost before the server serves.
    hangups: Option<Hangups>,
}

/// Opens the database that `config` names and serves on `listener` until `shutdown` resolves.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    Server::open(config, PassedSockets::default()).await?.serve(listener, shutdown).await
}

impl Server {
    /// Validates the limits, reads the certificate, opens the database, and listens for operators and redirects: on `sockets`, or
    /// as configured.
    pub async fn open(mut config: Config, mut sockets: PassedSockets) -> anyhow::Result<Self> {
        #[cfg(feature = "acme")]
        let acme = acme::Certificate::open(&mut config)?;
        config.limits = config.serve_options()?;
        #[cfg(feature = "cluster")]
        let cluster = Cluster::open(&mut config).await?;
        let options = ChatOptions {
            data: config.data.clone(),
            rooms_per_user: config.rates.rooms_per_user,
            secure_cookie: config.secure_cookie || config.port.is_https(),
            cookie_path: config.port.path().to_owned(),
            ..config.chat.clone()
        };
        // Opening blocks: it reads the database and may migrate it.
        let chat = tokio::task::spawn_blocking(|| Chat::open(options)).await??;
        let admin = sockets.listen(&OPERATORS, config.admin)?;
        admin.as_ref().map(admin::announce).transpose()?;
        let redirect = sockets.listen(&REDIRECTS, config.redirect_http)?;
        anyhow::ensure!(redirect.is_none() || config.port.is_https(), REDIRECT_WITHOUT_TLS);
        let hangups = Some(Hangups::new()?);
        Ok(Self {
            config,
            chat,
            admin,
            redirect,
            #[cfg(feature = "acme")]
            acme,
            #[cfg(feature = "cluster")]
            cluster,
            hangups,
        })
    }

    /// The port of clients, with the names and the certificate that it has.
    pub fn port(&self) -> &PortConfig {
        &self.config.port
    }

    /// Serves on `listener` until `shutdown` resolves, or the log no longer has the entries that the database needs. Then: no new
    /// connections, goodbyes on the chat's streams, drain, close the database.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let rates = Arc::new(Rates::new(&self.config.rates.limits()));
        let mut background = JoinSet::new();
        background.spawn(rates.clone().clean_up_regularly());
        let readiness = health::readiness(&self.chat);
        #[cfg(feature = "cluster")]
        if let Some(cluster) = &self.cluster {
            let durability = cluster.durability();
            readiness.set_warning(move || durability.warning());
        }
        let health = health::service(&self.chat, &readiness, &mut background);
        let methods = methods()?;
        let app = self.app(self.routes(health, &rates)?, methods.clone())?.health_paths(readiness.clone());
        let mut options = self.config.limits.clone();
        if let Some(observer) = self.serve_metrics(&methods, &rates, &mut background) {
            options.observer = Some(observer);
        }
        #[cfg(feature = "otlp")]
        let traces = self.config.traces.otlp_endpoint.as_deref().map(Traces::start).transpose()?;
        #[cfg(feature = "otlp")]
        if let Some(traces) = &traces {
            options.tracer = Some(Arc::new(traces.clone()));
        }
        self.start_tasks(listener.local_addr()?.port(), options.tls.clone(), &mut background);
        self.config.port.log_start(&listener, self.has_page())?;
        let chat = self.chat.clone();
        let fault = chat.health();
        let outrun = outrun(fault.clone());
        let stopping = async move {
            futures_util::future::select(pin!(shutdown), pin!(outrun)).await;
            readiness.begin_drain();
            chat.begin_shutdown();
        };
        let served = tonic_serve::serve(listener, app, options, stopping).await;
        self.chat.close().await;
        #[cfg(feature = "otlp")]
        if let Some(traces) = traces {
            traces.finish().await;
        }
        served?;
        anyhow::ensure!(*fault.borrow() != Some(Fault::LogTrimmed), OUTRUN);
        tracing::info!("stopped");
        Ok(())
    }

    /// Serves metrics for operators, if they have a port. Returns the observer that counts for them.
    fn serve_metrics(
        &mut self,
        methods: &Methods,
        rates: &Arc<Rates>,
        tasks: &mut JoinSet<()>,
    ) -> Option<Arc<dyn Observer>> {
        let admin = self.admin.take()?;
        let metrics = Metrics::new(methods, &self.chat, rates);
        #[cfg(feature = "cluster")]
        let metrics = match &self.cluster {
            Some(cluster) => metrics.with(cluster.durability()),
            None => metrics,
        };
        let metrics = Arc::new(metrics);
        let observer = metrics.observer();
        // It ends with the other background tasks, after the drain.
        tasks.spawn(admin::serve(admin, metrics, self.config.port.hosts()));
        Some(observer)
    }

    /// Keeps the certificate of `tls` current, redirects to https at `port`, and watches the cluster.
    fn start_tasks(&mut self, port: u16, tls: Option<Tls>, tasks: &mut JoinSet<()>) {
        if let Some(hangups) = self.hangups.take() {
            tasks.spawn(follow_certificate(&self.config.port.tls, tls, hangups));
        }
        #[cfg(feature = "acme")]
        if let Some(acme) = self.acme.take() {
            tasks.spawn(acme.keep_current());
        }
        #[cfg(feature = "cluster")]
        if let Some(cluster) = self.cluster.take() {
            tasks.spawn(cluster.watch());
        }
        if let Some(redirect) = self.redirect.take() {
            tasks.spawn(redirect::serve(redirect, port, self.config.port.hosts()));
        }
    }

    /// All services: the Greeter, the chat, health and reflection.
    fn routes<H: Health>(&self, health: HealthServer<H>, rates: &Arc<Rates>) -> anyhow::Result<Routes> {
        let greeter = GreeterServer::new(GreeterService)
            .max_decoding_message_size(MAX_GREETER_REQUEST)
            .accept_compressed(Encoding::Gzip)
            .send_compressed(Encoding::Gzip);
        let chat = self
            .chat
            .service(rates.clone())
            .accept_compressed(Encoding::Gzip)
            .send_compressed(Encoding::Gzip);
        let routes = Routes::new(RateLimit::wrap(greeter, rates, Rates::anonymous))
            .add_service(chat)
            .add_service(RateLimit::wrap(health, rates, Rates::health));
        Ok(name_unknown_methods(add_reflection(routes, rates)?))
    }

    #[cfg(feature = "dist")]
    fn page(&self) -> Page {
        self.config.page.as_ref().map_or_else(crate::inside::page, Page::new)
    }

    #[cfg(not(feature = "dist"))]
    fn page(&self) -> Page {
        Page::new(self.config.page.as_deref().unwrap_or(DEFAULT_PAGE.as_ref()))
    }

    /// Whether there is a page now.
    fn has_page(&self) -> bool {
        match &self.config.page {
            None if cfg!(feature = "dist") => true,
            page => page.as_deref().unwrap_or(DEFAULT_PAGE.as_ref()).join("index.html").exists(),
        }
    }

    fn app(&self, routes: Routes, methods: Methods) -> anyhow::Result<App> {
        let greeter_headers = [COUNT_KEY, INTERVAL_KEY].map(HeaderName::from_static);
        let traces = &self.config.traces;
        let trace_headers = TRACE_HEADERS.map(HeaderName::from_static).into_iter();
        let trace_headers = trace_headers.filter(|_| traces.are_wanted());
        let page = self.page().when_missing(PAGE_NOT_BUILT);
        let page = if traces.trace_pages { page.header(SERVER_TIMING, PAGES_TRACE) } else { page };
        let page = self.config.port.web.allow_connections(page)?;
        Ok(self
            .config
            .port
            .app(routes, greeter_headers.into_iter().chain(trace_headers))
            .page(page)
            .methods(methods)
            .max_message_size_of(GREETER, MAX_GREETER_REQUEST)
            .max_message_size_of(CHAT, MAX_REQUEST_BYTES)
            .long_responses(LARGE_RESPONSES, MAX_LARGE_RESPONSE)
            .compress_only(COMPRESSED_RESPONSES))
    }
}

/// The methods of all services.
fn methods() -> anyhow::Result<Methods> {
    let described = [
        proto::FILE_DESCRIPTOR_SET,
        proto::health::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    described
        .into_iter()
        .try_fold(Methods::default(), |all, encoded| Ok(all.and(Methods::from_descriptors(encoded)?)))
}

/// Adds server reflection (`grpcurl -plaintext localhost:50051 list`): version 1, and v1alpha, which many tools still use.
fn add_reflection(routes: Routes, rates: &Arc<Rates>) -> anyhow::Result<Routes> {
    let describe = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(proto::health::FILE_DESCRIPTOR_SET)
    };
    let v1 = RateLimit::wrap(describe().build_v1()?, rates, Rates::anonymous);
    let v1alpha = RateLimit::wrap(describe().build_v1alpha()?, rates, Rates::anonymous);
    Ok(routes.add_service(v1).add_service(v1alpha))
}
