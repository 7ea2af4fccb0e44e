//! The client in a browser: serves a page that makes calls, opens it, and passes the suite's cases to the page and the
//! results back.
//!
//! It must not know the content of a case.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use harness::Chromium;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::pb::client_compat_response::Result as Outcome;
use crate::pb::{ClientCompatRequest, ClientCompatResponse, ClientErrorResult};
use crate::{pipe, tunnel};

/// Cases that wait for a worker. When the queue is full, the suite waits.
const WAITING_CASES: usize = 16;
/// Results that wait to be written. When the queue is full, the workers wait.
const WAITING_ANSWERS: usize = 16;
/// Time limit until the page asks for its first case. The suite gives up after 20 s without a result.
const START_TIMEOUT: Duration = Duration::from_secs(18);
/// Time limit of a case. A worker that has not crashed gives up sooner.
const WORKER_TIMEOUT: Duration = Duration::from_secs(15);
/// Lines of the browser's output that are shown when it fails.
const SHOWN_LINES: usize = 20;

/// The suite's certificates are its own; its messages in the console explain failures.
const FLAGS: [&str; 4] =
    ["--disable-extensions", "--disable-quic", "--enable-logging=stderr", "--ignore-certificate-errors"];

const PAGE: &str = "<!doctype html><title>Conformance</title>
<script type=\"module\">import start from '/conformance-page.js'; start();</script>";

/// `conformance-client FOLDER [direct]`: the folder holds the page's program. With `direct` the page opens its sockets at
/// the server of each case, which must accept them, and not through this program. CHROME names another browser.
pub fn run() -> Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        bail!("name the folder with the page's program");
    };
    let is_direct = std::env::args_os().nth(2).is_some_and(|word| word == "direct");
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(serve(&folder, is_direct));
    // Standard input may still be open, and must not be waited for.
    runtime.shutdown_background();
    result
}

async fn serve(folder: &Path, is_direct: bool) -> Result<()> {
    let browser = std::env::var("CHROME").unwrap_or_else(|_| "chromium".to_owned());
    let (cases, waiting) = mpsc::channel(WAITING_CASES);
    let (answers, given) = mpsc::channel(WAITING_ANSWERS);
    let bridge = Arc::new(Bridge { cases: waiting.into(), answers, open: Mutex::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
    let query = if is_direct { "?direct" } else { "" };
    let page = format!("http://{}/{query}", listener.local_addr()?);
    tokio::spawn(
        axum::serve(listener, routes(folder, &bridge)?.with_state(Arc::clone(&bridge))).into_future(),
    );

    let log = folder.join("browser.log");
    let mut chromium = Chromium::start(Path::new(&browser), &FLAGS, &page, Some(&log))?;
    let result = tokio::select! {
        result = pass_on(cases, given) => result,
        error = chromium.ended() => Err(error),
        error = interrupted() => Err(error),
        () = never_started(&bridge) => {
            Err(anyhow::anyhow!("the page did not ask for a case within {START_TIMEOUT:?}"))
        }
    };
    chromium.end().await?;
    if result.is_err() {
        eprintln!("`{browser}` printed:\n{}", excerpt(&log));
    }
    result
}

/// Reads cases and writes results until every case has one.
async fn pass_on(
    cases: mpsc::Sender<ClientCompatRequest>,
    mut answers: mpsc::Receiver<ClientCompatResponse>,
) -> Result<()> {
    let mut reader: JoinHandle<Result<usize>> = tokio::spawn(async move {
        let (mut stdin, mut read) = (tokio::io::stdin(), 0);
        while let Some(case) = pipe::read(&mut stdin).await? {
            read += 1;
            cases.send(case).await.context("no worker takes cases")?;
        }
        Ok(read)
    });
    let (mut stdout, mut answered, mut read) = (tokio::io::stdout(), 0, None);
    while read != Some(answered) {
        tokio::select! {
            all = &mut reader, if read.is_none() => read = Some(all??),
            answer = answers.recv() => {
                let answer = answer.context("no worker gives results")?;
                pipe::write(&mut stdout, &answer.encode_to_vec()).await?;
                answered += 1;
            }
        }
    }
    Ok(())
}

async fn interrupted() -> anyhow::Error {
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            terminate.recv().await;
            anyhow::anyhow!("stopped")
        }
        Err(error) => anyhow::Error::from(error).context("cannot wait for SIGTERM"),
    }
}

/// State between the page and the suite.
struct Bridge {
    cases: tokio::sync::Mutex<mpsc::Receiver<ClientCompatRequest>>,
    answers: mpsc::Sender<ClientCompatResponse>,
    /// The cases without a result that the page has: names, and addresses of servers on this machine. `None` before its first
    /// question.
    open: Mutex<Option<HashMap<String, Option<SocketAddr>>>>,
}

impl Bridge {
    fn open<T>(&self, change: impl FnOnce(&mut HashMap<String, Option<SocketAddr>>) -> T) -> T {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        change(open.get_or_insert_default())
    }

    /// Passes `answer` to the suite, unless the case has a result: a second one would end the whole run.
    async fn answer(&self, answer: ClientCompatResponse) {
        if self.open(|open| open.remove(&answer.test_name)).is_some() {
            // The receiver is dropped at the end of the run.
            self.answers.send(answer).await.ok();
        }
    }

    /// Waits for the next case; `None` when there are no more.
    async fn next(self: &Arc<Self>) -> Option<ClientCompatRequest> {
        let case = self.cases.lock().await.recv().await?;
        let server = u16::try_from(case.port).ok().and_then(|port| tunnel::address(&case.host, port));
        self.open(|open| open.insert(case.test_name.clone(), server));
        let (bridge, test_name) = (Arc::clone(self), case.test_name.clone());
        tokio::spawn(async move {
            tokio::time::sleep(WORKER_TIMEOUT).await;
            let message = format!("the page's worker did not answer within {WORKER_TIMEOUT:?}");
            let result = Some(Outcome::Error(ClientErrorResult { message }));
            bridge.answer(ClientCompatResponse { test_name, result }).await;
        });
        Some(case)
    }
}

/// Ends when the page has not asked for a case in time.
async fn never_started(bridge: &Bridge) {
    tokio::time::sleep(START_TIMEOUT).await;
    let started = bridge.open.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    if started {
        std::future::pending().await
    }
}

fn routes(folder: &Path, bridge: &Arc<Bridge>) -> Result<Router<Arc<Bridge>>> {
    let program = folder.join("conformance-page.js");
    ensure!(program.is_file(), "{} is missing", program.display());
    let bridge = Arc::clone(bridge);
    let is_allowed = move |server| bridge.open(|open| open.values().any(|named| *named == Some(server)));
    let routes = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/next", post(next))
        .route("/tunnel/{host}/{port}", tunnel::route(is_allowed));
    with_files(routes, folder, "")
}

/// Adds a route for each script and module in `folder`, which wasm-bindgen has written.
fn with_files(mut routes: Router<Arc<Bridge>>, folder: &Path, prefix: &str) -> Result<Router<Arc<Bridge>>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let url = format!("{prefix}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        let content_type = match path.extension().and_then(|extension| extension.to_str()) {
            Some("js") => "text/javascript",
            Some("wasm") => "application/wasm",
            _ if path.is_dir() => {
                routes = with_files(routes, &path, &url)?;
                continue;
            }
            _ => continue,
        };
        let content = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let content = Bytes::from(content);
        routes = routes.route(&url, get(async move || ([(CONTENT_TYPE, content_type)], content.clone())));
    }
    Ok(routes)
}

/// Takes a worker's result of its last case, empty at first, and responds with the next case.
async fn next(State(bridge): State<Arc<Bridge>>, answer: Bytes) -> Response {
    bridge.open(|_| ());
    if !answer.is_empty() {
        match ClientCompatResponse::decode(answer) {
            Ok(answer) => bridge.answer(answer).await,
            Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        }
    }
    match bridge.next().await {
        Some(case) => case.encode_to_vec().into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// The first lines of the page's console, or else the last lines of the browser's output.
fn excerpt(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let page: Vec<&str> = text.lines().filter(|line| line.contains(":CONSOLE:")).take(SHOWN_LINES).collect();
    if !page.is_empty() {
        return page.join("\n");
    }
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}
