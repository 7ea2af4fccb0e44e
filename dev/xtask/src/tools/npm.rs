//! Tools from npm. All of them are optional: without npm the page is larger and some tests are left out.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{beside, cache, lock_home, replace};
use crate::command::program;
use crate::step::{note, say};

/// The npm package of `wasm-opt`. Its version does not have to match another tool's.
const BINARYEN: &str = "132.0.0";
/// An older `wasm-opt` on PATH rejects the instructions that Rust generates.
const OLDEST_WASM_OPT: u32 = 120;
/// The bundler of the page's script. Newer ones need the same flags.
const ESBUILD: &str = "0.28.2";
/// The accessibility checker of the end-to-end tests.
const AXE: &str = "4.14.1";
/// The linter of the contracts, in the version of `dev/bench/clients/package.json`.
const BUF: &str = "1.75.0";

/// The tools of `dev/pack`.
#[derive(Debug)]
pub(crate) struct PackTools {
    pub(crate) esbuild: Option<PathBuf>,
    pub(crate) wasm_opt: Option<PathBuf>,
}

impl PackTools {
    pub(super) fn set_up() -> Result<Self> {
        let esbuild = binary("esbuild", ESBUILD, "esbuild")?;
        if esbuild.is_none() {
            say("esbuild: npm is not there to fetch it; the page is 5 % larger without");
        }
        Ok(Self { esbuild, wasm_opt: wasm_opt()? })
    }

    /// Whether esbuild is there.
    pub(crate) fn can_bundle(&self) -> bool {
        self.esbuild.is_some()
    }

    /// The flags that name them to `dev/pack`.
    pub(crate) fn flags(&self) -> Vec<OsString> {
        let flags = [("--esbuild", &self.esbuild), ("--wasm-opt", &self.wasm_opt)];
        let given = flags.into_iter().filter_map(|(flag, path)| Some([flag.into(), path.clone()?.into()]));
        given.flatten().collect()
    }
}

/// axe-core's script.
pub(crate) fn axe() -> Result<Option<PathBuf>> {
    let package = npm_package("axe-core", AXE)?;
    Ok(package.map(|folder| folder.join("node_modules/axe-core/axe.min.js")))
}

/// buf's program.
pub(crate) fn buf() -> Result<Option<PathBuf>> {
    binary("@bufbuild/buf", BUF, "buf")
}

/// The folder with the packages that `package.json` and `package-lock.json` in `folder` name.
pub(crate) fn js_clients(folder: &Path) -> Result<Option<PathBuf>> {
    let lists = ["package.json", "package-lock.json"].map(|name| folder.join(name));
    let mut hasher = DefaultHasher::new();
    for list in &lists {
        fs::read(list).with_context(|| format!("cannot read {}", list.display()))?.hash(&mut hasher);
    }
    let home = cache()?.join(format!("clients-{:016x}", hasher.finish()));
    npm(&home, "clients", |unfinished| {
        for list in &lists {
            fs::copy(list, unfinished.join(list.file_name().unwrap_or_default()))?;
        }
        Ok(vec!["ci".into()])
    })
}

fn wasm_opt() -> Result<Option<PathBuf>> {
    let on_path = program("wasm-opt", ["--version"]).output();
    let version = on_path.as_deref().and_then(|text| text.split_whitespace().nth(2)?.parse::<u32>().ok());
    if version.is_some_and(|version| version >= OLDEST_WASM_OPT) {
        note("wasm-opt: on PATH");
        return Ok(Some("wasm-opt".into()));
    }
    let wasm_opt = binary("binaryen", BINARYEN, "wasm-opt")?;
    if wasm_opt.is_none() {
        say("wasm-opt: npm is not there to fetch it; the page is 2 % larger without");
    }
    Ok(wasm_opt)
}

/// The program `name` of an npm package.
fn binary(package: &str, version: &str, name: &str) -> Result<Option<PathBuf>> {
    let name = if cfg!(windows) { format!("{name}.cmd") } else { name.to_owned() };
    let folder = npm_package(package, version)?;
    Ok(folder.map(|folder| folder.join("node_modules/.bin").join(name)))
}

/// The folder of an npm package; `None` without npm, or when npm cannot fetch it.
fn npm_package(name: &str, version: &str) -> Result<Option<PathBuf>> {
    let wanted = format!("{name}@{version}");
    let home = cache()?.join(format!("{}-{version}", name.rsplit('/').next().unwrap_or(name)));
    npm(&home, &wanted, |_| Ok(vec!["install".into(), "--no-save".into(), OsString::from(&wanted)]))
}

/// `home`, filled by npm; `None` without npm, or when npm fails. `prepare` puts npm's input into a new folder, and
/// returns npm's command.
fn npm(
    home: &Path,
    what: &str,
    prepare: impl FnOnce(&Path) -> Result<Vec<OsString>>,
) -> Result<Option<PathBuf>> {
    let is_filled = || home.join("node_modules").exists();
    if is_filled() {
        note(&format!("{what}: in the cache"));
        return Ok(Some(home.to_owned()));
    }
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    if program(npm, ["--version"]).output().is_none() {
        return Ok(None);
    }
    let _lock = lock_home(home)?;
    if is_filled() {
        return Ok(Some(home.to_owned()));
    }
    say(&format!("{what}: installing it by npm"));
    let unfinished = beside(home, "new");
    fs::create_dir_all(&unfinished)?;
    let installed = program(npm, prepare(&unfinished)?)
        .arguments(["--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
        .arguments([&unfinished])
        .in_folder(&unfinished)
        .run();
    if let Err(error) = installed {
        say(&format!("npm cannot install {what}: {error:#}"));
        return Ok(None);
    }
    replace(&unfinished, home)?;
    Ok(Some(home.to_owned()))
}
