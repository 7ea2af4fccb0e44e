//! `cargo xtask bench`: release builds of everything that is measured, and the measurement.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Subcommand;

use crate::browser::Browser;
use crate::clients::{Clients, emptied, folder};
use crate::command::{Program, cargo, program};
use crate::page::pack_module;
use crate::server::binary;
use crate::step::{Steps, say};
use crate::tools::{WasmTools, grpc_web_proxy, nats_server};
use crate::{root, target};

/// The clients in JavaScript, by the names of their sources.
const SCRIPTS: [&str; 4] = ["connect_web", "grpc_web", "improbable", "nice_grpc_web"];
/// The clients in Rust, by the names of their examples in `dev/bench/page`.
const MODULES: [&str; 4] = ["channel", "socket", "tonic_web_wasm_client", "webnext"];

/// The measurements.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// The server beside SQLite and bare HTTP/2
    Chat {
        /// `--case sends,catch-up`; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// The page in Chromium: start, sending, a large room, many messages
    Page {
        /// `--rounds N`, `--case start,sending`; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// A room with thousands of subscribers, beside Centrifuge's library and bare writes
    FanOut {
        /// `--subscribers N`, `--rounds N`, `--restart`, `--idle` and others; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Three servers of one chat on three of NATS, beside one server alone
    Cluster {
        /// `--rounds N`, `--events N`, `--case sends,pauses` and others; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// The gateway beside grpcwebproxy and nginx
    Gateway {
        /// `--rounds N`; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// tonic-web-channel beside other clients in a browser
    Channel {
        /// `--rounds N`, `--case a,b`, `--only ours,fetch` and others; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

pub(crate) fn run(what: Bench) -> Result<()> {
    match what {
        Bench::Chat { options } => chat(&options),
        Bench::Page { options } => page(&options),
        Bench::FanOut { options } => fan_out(&options),
        Bench::Cluster { options } => cluster(&options),
        Bench::Gateway { options } => gateway(&options),
        Bench::Channel { options } => channel(&options),
    }
}

fn chat(options: &[String]) -> Result<()> {
    let build = ["build", "--release", "--package", "backend", "--package", "bench"];
    Steps::new(1).step("Server and clients", || cargo(build).run())?;
    cargo(["run", "--release", "--quiet", "--package", "bench", "--", "chat"])
        .arguments(options)
        .run_visibly()
}

fn page(options: &[String]) -> Result<()> {
    let mut steps = Steps::new(2);
    let (tools, browser) =
        steps.step("Tools and browser", || Ok((WasmTools::set_up()?, Browser::set_up()?)))?;
    steps.step("Page, optimised, and server", || {
        crate::page::build(&tools)?;
        cargo(["build", "--release", "--package", "backend", "--package", "bench"]).run()
    })?;
    cargo(["run", "--release", "--quiet", "--package", "bench", "--", "page"])
        .arguments(options)
        .env("CHINWAG_BACKEND", binary("release"))
        .env("CHINWAG_DIST", crate::page::dist())
        .env("CHROME", &browser.chrome)
        .env("CHROMEDRIVER", &browser.driver)
        .run_visibly()
}

fn fan_out(options: &[String]) -> Result<()> {
    let mut steps = Steps::new(2);
    let peer = steps.step("Centrifuge's library", centrifuge)?;
    steps.step("Server and clients", || {
        cargo(["build", "--release", "--package", "backend", "--package", "bench"]).run()
    })?;
    let measure = cargo(["run", "--release", "--quiet", "--package", "bench", "--", "fan-out"]);
    let measure = measure.arguments(options).env("CHINWAG_BACKEND", binary("release"));
    match peer {
        Some(peer) => measure.env("CENTRIFUGE", peer).run_visibly(),
        None => measure.run_visibly(),
    }
}

/// The program of `dev/bench/centrifuge`; `None` without Go, or when Go cannot fetch the library.
fn centrifuge() -> Result<Option<PathBuf>> {
    if program("go", ["version"]).output().is_none() {
        say("there is no `go` to build the peer, which is left out");
        return Ok(None);
    }
    let built = target().join(format!("bench-centrifuge{}", std::env::consts::EXE_SUFFIX));
    let build = program("go", ["build", "-o"]).arguments([&built]);
    if let Err(error) = build.in_folder(&root().join("dev/bench/centrifuge")).run() {
        say(&format!("Go cannot build the peer, which is left out: {error:#}"));
        return Ok(None);
    }
    Ok(Some(built))
}

fn cluster(options: &[String]) -> Result<()> {
    let mut steps = Steps::new(2);
    let nats = steps.step("Tools", nats_server)?;
    steps.step("Servers and clients", || {
        let words =
            "build --release --package backend --features backend/cluster,backend/postgres --package bench";
        cargo(words.split(' ')).run()
    })?;
    let bench = target().join("release").join(format!("bench{}", std::env::consts::EXE_SUFFIX));
    let measure = program(bench, ["cluster"]).arguments(options);
    measure.env("CHINWAG_BACKEND", binary("release")).env("CHINWAG_NATS", nats).run_visibly()
}

fn gateway(options: &[String]) -> Result<()> {
    let mut steps = Steps::new(2);
    let proxy = steps.step("grpcwebproxy", grpc_web_proxy)?;
    steps.step("Gateway and clients", || {
        cargo(["build", "--release", "--package", "backend", "--package", "bench"]).run()
    })?;
    let measure = cargo(["run", "--release", "--quiet", "--package", "bench", "--", "gateway"]);
    with_proxy(measure.arguments(options), proxy).env("CHINWAG_BACKEND", binary("release")).run_visibly()
}

/// Tells a measurement of `grpcwebproxy`, if it is there.
fn with_proxy(measure: Program, proxy: Option<PathBuf>) -> Program {
    match proxy {
        Some(proxy) => measure.env("GRPCWEBPROXY", proxy),
        None => measure,
    }
}

fn channel(options: &[String]) -> Result<()> {
    let mut steps = Steps::new(2);
    let (tools, clients, browser, proxy) = steps.step("Tools and browser", || {
        let clients = Clients::set_up()?.context("npm has to be there, for the clients in JavaScript")?;
        Ok((WasmTools::set_up()?, clients, Browser::set_up()?, grpc_web_proxy()?))
    })?;
    let pages = target().join("bench-pages");
    steps.step("Pages, optimised, and server", || {
        build(&tools, &clients, &pages)?;
        cargo(["build", "--release", "--package", "bench"]).run()
    })?;
    let words = ["run", "--release", "--quiet", "--package", "bench", "--", "channel"];
    let measure = with_proxy(cargo(words).arguments([&pages]).arguments(options), proxy);
    measure.env("CHROME", &browser.chrome).run_visibly()
}

/// Builds the scripts and modules that the pages load, and under `one_call` a folder for each page that is weighed.
fn build(tools: &WasmTools, clients: &Clients, pages: &Path) -> Result<()> {
    emptied(pages)?;
    fs::copy(folder().join("index.html"), pages.join("index.html"))?;
    for name in SCRIPTS.into_iter().chain(["page", "fetch", "raw_socket"]) {
        let source = format!("{name}.js");
        clients.module(&source, &pages.join(&source))?;
    }
    for name in SCRIPTS {
        let folder = pages.join("one_call").join(name);
        clients.module(&format!("one_call/{name}.js"), &folder.join("page.js"))?;
    }
    let arguments =
        "build --profile wasm-release --target wasm32-unknown-unknown --package bench-page --examples";
    cargo(arguments.split(' ')).run()?;
    let sources = folder().join("src");
    for name in MODULES {
        let glue = module(tools, name, &target().join("bench-modules"))?;
        let wasm = pages.join(format!("{name}_bg.wasm"));
        fs::rename(glue.with_file_name(format!("{name}_bg.wasm")), &wasm)?;
        pack_module(
            &tools.pack,
            &sources.join("module.js"),
            &glue,
            &wasm,
            &pages.join(format!("{name}.js")),
        )?;

        let folder = pages.join("one_call").join(name);
        let glue = module(tools, &format!("one_call_{name}"), &folder)?;
        let wasm = folder.join(format!("one_call_{name}_bg.wasm"));
        pack_module(&tools.pack, &sources.join("one_call/module.js"), &glue, &wasm, &folder.join("page.js"))?;
        // The bundle contains them.
        fs::remove_file(glue)?;
        let snippets = folder.join("snippets");
        if snippets.is_dir() {
            fs::remove_dir_all(snippets)?;
        }
    }
    Ok(())
}

/// Makes `<name>_bg.wasm` of an example, and the script that loads it, whose path is returned.
fn module(tools: &WasmTools, name: &str, folder: &Path) -> Result<PathBuf> {
    let examples = target().join("wasm32-unknown-unknown/wasm-release/examples");
    program(&tools.wasm_bindgen, ["--target", "web", "--no-typescript", "--out-dir"])
        .arguments([folder])
        .arguments([examples.join(format!("{name}.wasm"))])
        .run()?;
    Ok(folder.join(format!("{name}.js")))
}
