//! The runner of browser tests in `.cargo/config.toml`: wasm-bindgen's runner, and servers for the tests' calls.
//!
//! The application's server listens on the port after the page's, and the one with faulty responses on the port after
//! that: the tests compute both.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::faulty_server;
use crate::browser::Browser;
use crate::command::{cargo, program};
use crate::root;
use crate::server::{Server, binary};
use crate::target;
use crate::tools::wasm_bindgen_program;

/// Seconds for the driver to listen. The runner's own 5 are too few for a machine that has never run it.
const DRIVER_SECONDS: &str = "60";

/// Seconds for all tests of a module, with the browser's compilation of it. The runner's own 20 are too few for the
/// frontend's program without optimisation on a slow machine.
const TESTS_SECONDS: &str = "300";

/// `cargo xtask browser-test MODULE [FLAGS]`, in the folder of the package that is tested.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let runner = wasm_bindgen_program("wasm-bindgen-test-runner")?;
    let browser = Browser::set_up()?;
    let folder = Folder::new()?;
    let page_port = three_free_ports()?;
    let page = format!("127.0.0.1:{page_port}");
    let _server = if calls_the_backend() { Some(server(&folder.0, page_port)?) } else { None };
    faulty_server::start(page_port + 2)?;
    knock(page_port);
    program(runner, arguments)
        .in_folder(&std::env::current_dir()?)
        .env("CHROMEDRIVER", &browser.driver)
        .env("WASM_BINDGEN_TEST_ADDRESS", &page)
        .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", capabilities(&browser, &folder.0)?)
        .env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", DRIVER_SECONDS)
        .env("WASM_BINDGEN_TEST_TIMEOUT", TESTS_SECONDS)
        .run()
}

/// Opens and closes a connection to the runner's server again and again, until this program ends.
///
/// That server, tiny_http 0.12, has a thread per connection, and counts a thread as free until it wakes. Of connections
/// that come at the same time, one can thus wait for a thread that another took, for as long as the browser keeps that
/// one open: five minutes, in which the tests' page does not load. The next connection is given a thread of its own,
/// which serves those that wait once it is free.
fn knock(page_port: u16) {
    const INTERVAL: Duration = Duration::from_millis(100);
    std::thread::spawn(move || {
        loop {
            TcpStream::connect((Ipv4Addr::LOCALHOST, page_port)).ok();
            std::thread::sleep(INTERVAL);
        }
    });
}

/// The tests of most libraries need no service, and start sooner without one. Cargo runs tests in the folder of their package.
/// (Its `CARGO_PKG_NAME` is no help: `cargo xtask`, the runner, sets it to its own.)
fn calls_the_backend() -> bool {
    let libraries = root().join("crates");
    std::env::current_dir()
        .is_ok_and(|folder| !folder.starts_with(&libraries) || folder.ends_with("tonic-web-channel"))
}

fn server(folder: &Path, page_port: u16) -> Result<Server> {
    let listen = format!("127.0.0.1:{}", page_port + 1);
    let (data, origin) = (folder.join("data").display().to_string(), format!("http://127.0.0.1:{page_port}"));
    // All tests share one address.
    let rates = "--rates=false";
    let flags = ["--listen", &listen, "--data", &data, "--cors-origin", &origin, "--log", "warn", rates];
    Server::start(&backend()?, &flags)
}

/// The server in `CHINWAG_BACKEND`, or one that is built now.
fn backend() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CHINWAG_BACKEND") {
        return Ok(path.into());
    }
    cargo(["build", "--package", "backend"]).run()?;
    Ok(binary("debug"))
}

/// The browser's capabilities: its program, and the flags of all suites.
fn capabilities(browser: &Browser, folder: &Path) -> Result<OsString> {
    let (chrome, flags) = (&browser.chrome, harness::browser::FLAGS);
    let file = folder.join("webdriver.json");
    // Without control characters, Rust writes strings as JSON does.
    let options = format!("{{\"binary\": {chrome:?}, \"args\": {flags:?}}}");
    fs::write(&file, format!("{{\"goog:chromeOptions\": {options}}}"))?;
    Ok(file.into())
}

/// The first of three free ports in a row. They are below those that Linux gives to outgoing connections, one of which
/// could take a port before its server listens.
fn three_free_ports() -> Result<u16> {
    const PORTS: Range<u16> = 20_000..32_000;
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    // Test programs beside each other begin apart.
    let steps = PORTS.len() / 3;
    let start = std::process::id() as usize % steps;
    let mut firsts = PORTS.step_by(3).cycle().skip(start).take(steps);
    let found = firsts.find(|first| (*first..first + 3).all(is_free));
    found.context("there are no three free ports in a row")
}

/// A folder that is deleted when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = target().join(format!("browser-test-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
