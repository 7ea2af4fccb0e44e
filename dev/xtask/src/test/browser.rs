//! What cargo runs browser tests with (see `.cargo/config.toml`): wasm-bindgen's runner, beside servers that
//! let the tests' page call.
//!
//! Our server listens on the port after the page's, and one that answers wrongly on the port after that, which is
//! how the tests find them.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::faults;
use crate::browser::Browser;
use crate::command::{cargo, program};
use crate::root;
use crate::server::{Server, binary, target};
use crate::tools::test_runner;

/// `cargo xtask browser-test MODULE [FLAGS]`, in the folder of the package that is tested.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let runner = test_runner()?;
    let browser = Browser::set_up()?;
    let folder = Folder::new()?;
    let page_port = three_free_ports()?;
    let page = format!("127.0.0.1:{page_port}");
    let _server = if calls_the_backend() { Some(server(&folder.0, page_port)?) } else { None };
    faults::start(page_port + 2)?;
    program(runner, arguments)
        .in_folder(&std::env::current_dir()?)
        .env("CHROMEDRIVER", &browser.driver)
        .env("WASM_BINDGEN_TEST_ADDRESS", &page)
        .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", capabilities(&browser, &folder.0)?)
        .run()
}

/// The libraries know no service, and their tests need not wait until one is built.
fn calls_the_backend() -> bool {
    let libraries = ["tonic-web-channel", "tonic-web-devtools"];
    std::env::var_os("CARGO_PKG_NAME")
        .is_none_or(|package| libraries.iter().all(|library| package != *library))
}

fn server(folder: &Path, page_port: u16) -> Result<Server> {
    let listen = format!("127.0.0.1:{}", page_port + 1);
    let (data, origin) = (folder.join("data").display().to_string(), format!("http://127.0.0.1:{page_port}"));
    // All tests share one address.
    let rates = "--rates=false";
    let flags = ["--listen", &listen, "--data", &data, "--cors-origin", &origin, "--log", "warn", rates];
    Server::start(&backend()?, &flags)
}

/// The server that the other tests use, or one that is built now.
fn backend() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CHINWAG_BACKEND") {
        return Ok(path.into());
    }
    cargo(["build", "--package", "backend"]).run()?;
    Ok(binary("debug"))
}

/// What the browser is started with: the file that others use too, and which browser.
fn capabilities(browser: &Browser, folder: &Path) -> Result<OsString> {
    let common = root().join("frontend/webdriver.json");
    let text = fs::read_to_string(&common).with_context(|| format!("cannot read {}", common.display()))?;
    let options = "\"goog:chromeOptions\": {";
    if !text.contains(options) {
        bail!("{} says nothing of Chrome", common.display());
    }
    let named = text.replace(options, &format!("{options}\n    \"binary\": {:?},", browser.chrome));
    let file = folder.join("webdriver.json");
    fs::write(&file, named)?;
    Ok(file.into())
}

/// The first of three ports in a row that nobody listens on right now.
fn three_free_ports() -> Result<u16> {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    for _ in 0..100 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = first.local_addr()?.port();
        if port < u16::MAX - 1 && is_free(port + 1) && is_free(port + 2) {
            return Ok(port);
        }
    }
    bail!("there are no three free ports in a row")
}

/// A folder that goes when this is dropped.
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
