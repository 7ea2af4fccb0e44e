//! `cargo xtask bench`: builds what is measured as it is run for real, and measures.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::browser::Browser;
use crate::clients::{Clients, emptied, folder};
use crate::command::{cargo, program};
use crate::page::shrink;
use crate::server::target;
use crate::step::Steps;
use crate::tools::WasmTools;

/// The clients in JavaScript, by the names of their sources.
const SCRIPTS: [&str; 2] = ["connect_web", "grpc_web"];
/// The clients in Rust, by the names of their examples in `dev/bench/page`.
const MODULES: [&str; 2] = ["channel", "tonic_web_wasm_client"];

pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["chat"] => chat(),
        ["channel", options @ ..] => channel(options),
        _ => bail!("there are two benchmarks: `cargo xtask bench chat` and `cargo xtask bench channel`"),
    }
}

fn chat() -> Result<()> {
    cargo(["build", "--release", "--package", "backend", "--package", "bench"]).run()?;
    cargo(["run", "--release", "--quiet", "--package", "bench", "--", "chat"]).run()
}

fn channel(options: &[&str]) -> Result<()> {
    let mut steps = Steps::new(3);
    let (tools, clients, browser) = steps.step("Tools and browser", || {
        let clients = Clients::set_up()?.context("npm has to be there, for the clients in JavaScript")?;
        Ok((WasmTools::set_up()?, clients, Browser::set_up()?))
    })?;
    let pages = target().join("bench-pages");
    steps.step("Pages, optimised", || build(&tools, &clients, &pages))?;
    steps.step("Measuring", || {
        let words = ["run", "--release", "--quiet", "--package", "bench", "--", "channel"];
        let measure = cargo(words).arguments([&pages]).arguments(options);
        measure.env("CHROME", &browser.chrome).run()
    })
}

/// What the pages load, and each page that is weighed in a folder of its own under `one_call`.
fn build(tools: &WasmTools, clients: &Clients, pages: &Path) -> Result<()> {
    emptied(pages)?;
    fs::copy(folder().join("index.html"), pages.join("index.html"))?;
    for name in SCRIPTS.into_iter().chain(["page", "fetch"]) {
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
    for name in MODULES {
        module(tools, name, pages)?;
        let folder = pages.join("one_call").join(name);
        let glue = module(tools, &format!("one_call_{name}"), &folder)?;
        clients.module_around("one_call/module.js", &glue, &folder.join("page.js"))?;
        // It is in the page's script now.
        fs::remove_file(glue)?;
    }
    Ok(())
}

/// Makes `<name>_bg.wasm` of an example, and the script that loads it, which is given back.
fn module(tools: &WasmTools, name: &str, folder: &Path) -> Result<PathBuf> {
    let examples = target().join("wasm32-unknown-unknown/wasm-release/examples");
    program(&tools.wasm_bindgen, ["--target", "web", "--no-typescript", "--out-dir"])
        .arguments([folder])
        .arguments([examples.join(format!("{name}.wasm"))])
        .quiet()?;
    if let Some(wasm_opt) = &tools.wasm_opt {
        shrink(wasm_opt, &folder.join(format!("{name}_bg.wasm")))?;
    }
    Ok(folder.join(format!("{name}.js")))
}
