//! The optimised page in `dist/`: compiled by cargo, made smaller and compressed by `dev/pack`. trunk is not needed.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::{Program, cargo, program};
use crate::root;
use crate::step::{Steps, note, say};
use crate::target;
use crate::tools::{PackTools, WasmTools, lock};

/// The page's sources, and the code that builds it.
const INPUTS: [&str; 10] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "crates",
    "dev/pack",
    "dev/xtask/src/page.rs",
    "frontend",
    "index.html",
    "proto",
    "rust-toolchain.toml",
];

/// `cargo xtask page`.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new(2);
    let tools = steps.step("Tools", WasmTools::set_up)?;
    steps.step("Page, optimised", || build(&tools))
}

/// `cargo xtask size`: the bytes that a visitor downloads.
pub(crate) fn size() -> Result<()> {
    run()?;
    println!();
    pack("size", &[dist()]).run_visibly()
}

/// `cargo xtask size --by-crate`: the page's program is built once more, with the functions' names.
pub(crate) fn size_by_crate() -> Result<()> {
    let mut steps = Steps::new(2);
    let tools = steps.step("Tools", WasmTools::set_up)?;
    let named = target().join("frontend-with-names.wasm");
    steps.step("Page with names", || {
        let words =
            "build --package frontend --bin frontend --target wasm32-unknown-unknown --profile wasm-release";
        cargo(words.split(' '))
            // Names that contain the types of generic functions.
            .arguments([
                "--config",
                "target.wasm32-unknown-unknown.rustflags=['-Csymbol-mangling-version=v0']",
            ])
            .env("CARGO_PROFILE_WASM_RELEASE_STRIP", "debuginfo")
            .run()?;
        let built = target().join("wasm32-unknown-unknown/wasm-release/frontend.wasm");
        match &tools.pack.wasm_opt {
            Some(wasm_opt) => program(wasm_opt, ["-Oz", "-g", "--all-features"])
                .arguments([built.as_os_str(), "-o".as_ref(), named.as_os_str()])
                .run(),
            None => fs::copy(built, &named).map(drop).context("cannot copy the module"),
        }
    })?;
    println!();
    pack("weigh", &[named]).run_visibly()
}

/// The folder that the page is built into.
pub(crate) fn dist() -> PathBuf {
    root().join("dist")
}

/// The folder of the page during development; the optimised one stays.
pub(crate) fn for_development() -> PathBuf {
    target().join("page-dev")
}

/// Builds the page, unless `dist/` has it from the same inputs. Of two commands in one checkout, one waits for the
/// other.
pub(crate) fn build(tools: &WasmTools) -> Result<()> {
    fs::create_dir_all(target())?;
    let _lock = lock(&target().join("page.lock"), "the page is being built already; waiting for that")?;
    let inputs = inputs(tools)?;
    // `trunk build` and `trunk serve` put another page into dist/, so its files are part of the stamp.
    let stamp = || Ok::<_, anyhow::Error>(format!("{inputs:016x} {:016x}", outputs()?));
    let stamp_file = target().join("page.stamp");
    if fs::read_to_string(&stamp_file).is_ok_and(|made| stamp().is_ok_and(|now| now == made)) {
        note("nothing has changed since it was built");
        return Ok(());
    }
    say("the first time takes two to four minutes");
    let program = compile(tools.pack.can_bundle())?;
    pack("page", &[&root().join("index.html"), &program, &dist()])
        .arguments(tools.pack.flags())
        .arguments([Path::new("--wasm-bindgen"), &tools.wasm_bindgen])
        .run()?;
    fs::write(stamp_file, stamp()?)?;
    Ok(())
}

/// Compiles the page's program. Splitting it needs relocations and names, and a bundler afterwards.
fn compile(split: bool) -> Result<PathBuf> {
    let words =
        "rustc --package frontend --bin frontend --target wasm32-unknown-unknown --profile wasm-release";
    let compile = cargo(words.split(' '));
    let compile = if split {
        compile
            .arguments(["--features", "split", "--", "-Clink-args=--emit-relocs"])
            .env("CARGO_PROFILE_WASM_RELEASE_STRIP", "none")
    } else {
        compile
    };
    compile.run()?;
    Ok(target().join("wasm32-unknown-unknown/wasm-release/frontend.wasm"))
}

/// Packs a module that wasm-bindgen made, in place, and bundles `entry`, which loads it, into `script`.
pub(crate) fn pack_module(
    tools: &PackTools,
    entry: &Path,
    glue: &Path,
    wasm: &Path,
    script: &Path,
) -> Result<()> {
    pack("module", &[entry, glue, wasm, script]).arguments(tools.flags()).run()
}

fn pack(command: &str, paths: &[impl AsRef<Path>]) -> Program {
    let words = ["run", "--quiet", "--package", "pack", "--", command];
    cargo(words).arguments(paths.iter().map(AsRef::as_ref))
}

/// Every file under `folder`, in order.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A hash of the page's sources and tools.
fn inputs(tools: &WasmTools) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    format!("{tools:?}").hash(&mut hasher);
    for input in INPUTS {
        let path = root().join(input);
        let inputs = if path.is_dir() { files(&path)? } else { vec![path] };
        for file in inputs {
            file.strip_prefix(root())?.hash(&mut hasher);
            fs::read(&file)?.hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

/// A hash of the files in `dist/`: their names contain hashes of their contents, and index.html names them all.
fn outputs() -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for file in files(&dist())? {
        file.strip_prefix(root())?.hash(&mut hasher);
        file.metadata()?.len().hash(&mut hasher);
    }
    Ok(hasher.finish())
}
