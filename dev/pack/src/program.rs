//! The page's program: split into parts, bound to JavaScript, bundled and made smaller.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::files::named_by_content;
use crate::module::{Tools, run};
use crate::panics;

/// The script of wasm-bindgen, and of the program's parts, which import it.
const GLUE: &str = "page.js";
/// The script that loads the parts.
const LOADER: &str = "./__wasm_split.js";
/// Fetches a module. A browser has six connections of HTTP/1.1 to a host, and a network that falls silent keeps each that waits for
/// an answer: three are left for calls, by which the page finds that out.
const FETCH_PART: &str = "
let turns = 3;
const waiting = [];
async function fetchPart(address) {
    if (turns > 0) turns--;
    else await new Promise((go) => waiting.push(go));
    try {
        const response = await fetch(address, { signal: AbortSignal.timeout(60000) });
        return new Response(await response.arrayBuffer(), response);
    } finally {
        const next = waiting.shift();
        if (next) next();
        else turns++;
    }
}
";
/// The packed script before the module's name is known.
const ENTRY: &str = "import init from 'the-module'; init({ module_or_path: '/WASM' });";

/// The names of the files that a page loads at its start.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) script: String,
    pub(crate) module: String,
}

/// Writes the packed program into `dist`: a script, a module, and a module for each part. `work` is an empty folder.
pub(crate) fn pack(compiled: &Path, dist: &Path, work: &Path, tools: &Tools) -> Result<Files> {
    let main = work.join("main.wasm");
    let parts = split(compiled, &main, work)?;
    bind(&main, work, tools, &["--keep-lld-exports", "--no-demangle"])?;
    let (entry, script, module) = (work.join("entry.mjs"), work.join("bundle.js"), work.join("page_bg.wasm"));
    fs::write(&entry, ENTRY)?;
    tools.pack(&entry, &work.join(GLUE), &module, &parts, &script)?;

    let mut text = fs::read_to_string(&script)?;
    let mut move_to_dist = |file: &Path, stem: &str, address: &str| -> Result<String> {
        let name = named_by_content(file, &dist.join(stem))?;
        ensure!(text.matches(address).count() == 1, "the script does not load {} once", file.display());
        text = text.replace(address, &format!("./{name}"));
        Ok(name)
    };
    for part in &parts {
        let name = part.file_name().context("a part has a name")?.to_string_lossy();
        move_to_dist(part, &name, &format!("./{name}"))?;
    }
    let module = move_to_dist(&module, "page.wasm", "/WASM")?;
    fs::write(&script, text)?;
    Ok(Files { script: named_by_content(&script, &dist.join("page.js"))?, module })
}

/// Writes a program that is as the compiler made it into `dist`, for want of esbuild.
pub(crate) fn copy(compiled: &Path, dist: &Path, tools: &Tools) -> Result<Files> {
    bind(compiled, dist, tools, &[])?;
    tools.optimize(&dist.join("page_bg.wasm"))?;
    fs::write(dist.join("start.js"), "import init from './page.js'; init();")?;
    Ok(Files { script: "start.js".to_owned(), module: "page_bg.wasm".to_owned() })
}

/// Splits the parts off, into `work`. Returns their modules.
fn split(compiled: &Path, main: &Path, work: &Path) -> Result<Vec<PathBuf>> {
    let wasm = fs::read(compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
    // Before splitting, which leaves out what nothing names any more.
    let wasm = panics::without_texts(&wasm)?;
    let glue = format!("./{GLUE}");
    let mut options = wasm_split_cli_support::Options::new(&wasm);
    options.output_dir = work;
    options.main_out_path = main;
    options.main_module = &glue;
    options.link_name = LOADER;
    let split = wasm_split_cli_support::transform(options);
    let mut parts = split.map_err(|error| anyhow!("cannot split the program: {error:#}"))?.split_modules;
    let loader = fs::read_to_string(work.join(LOADER))?;
    let fetch = "const src = fetch(";
    ensure!(loader.contains(fetch), "the loader of parts fetches in another way");
    let loader = loader.replace(fetch, "const src = fetchPart(") + FETCH_PART;
    // The page says that a part could not be loaded; it is no error of the program.
    let report = "console.error(e);";
    ensure!(loader.matches(report).count() == 1, "the loader of parts is another one");
    fs::write(work.join(LOADER), loader.replace(report, ""))?;
    // An empty module is not loaded.
    parts.retain(|part| part.file_name().is_some_and(|name| loader.contains(&*name.to_string_lossy())));
    parts.sort();
    Ok(parts)
}

/// Makes `page.js` and `page_bg.wasm` in `folder` by wasm-bindgen.
fn bind(wasm: &Path, folder: &Path, tools: &Tools, flags: &[&str]) -> Result<()> {
    let mut command = Command::new(&tools.wasm_bindgen);
    command.args(["--target", "web", "--no-typescript", "--out-name", "page", "--out-dir"]);
    run(command.arg(folder).args(flags).arg(wasm))
}
