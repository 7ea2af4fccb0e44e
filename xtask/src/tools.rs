//! The programs that building the page needs: found, or installed once for all clones.
//!
//! `<cache>/chinwag/tools/<tool>-<version>/bin` holds each. It is filled in a folder beside it and renamed,
//! so that an interrupted installation leaves nothing half done and two at once do no harm.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, program};
use crate::root;
use crate::step::note;

/// The newest trunk that our Rust version builds.
const TRUNK: &str = "0.21.14";
/// The version of binaryen's npm package that `wasm-opt` is taken from. It does not have to match anything.
const BINARYEN: &str = "132.0.0";
/// An older `wasm-opt` on PATH does not know what Rust's wasm uses.
const OLDEST_WASM_OPT: u32 = 120;
/// The accessibility checker of the end-to-end tests.
const AXE: &str = "4.14.1";

/// What builds the page.
#[derive(Debug)]
pub(crate) struct Tools {
    /// Folders that come first on PATH.
    folders: Vec<PathBuf>,
    pub(crate) wasm_opt: Option<PathBuf>,
}

impl Tools {
    /// Finds or installs trunk, wasm-bindgen, the wasm target, and `wasm-opt` where that is possible.
    pub(crate) fn set_up() -> Result<Self> {
        c_compiler()?;
        wasm_target()?;
        let wasm_bindgen = locked_version("wasm-bindgen")?;
        let folders =
            vec![tool("trunk", "trunk", TRUNK)?, tool("wasm-bindgen-cli", "wasm-bindgen", &wasm_bindgen)?];
        Ok(Self { folders: folders.into_iter().flatten().collect(), wasm_opt: wasm_opt()? })
    }

    /// PATH with the tools in front.
    pub(crate) fn path(&self) -> Result<std::ffi::OsString> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.folders.iter().cloned().chain(std::env::split_paths(&path));
        Ok(std::env::join_paths(folders)?)
    }

    /// What tells one set of tools from another.
    pub(crate) fn fingerprint(&self) -> String {
        format!("{TRUNK} {:?} {:?}", self.folders, self.wasm_opt)
    }
}

/// axe-core's script, where npm is there to fetch it.
pub(crate) fn axe() -> Result<Option<PathBuf>> {
    let package = npm_package("axe-core", AXE)?;
    Ok(package.map(|folder| folder.join("node_modules/axe-core/axe.min.js")))
}

fn c_compiler() -> Result<()> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    if cfg!(unix) && program(&compiler, ["--version"]).output().is_none() {
        bail!(
            "there is no C compiler (`{compiler}`): SQLite is built from its source. On Debian and Ubuntu \
             `apt-get install build-essential` brings one, on macOS `xcode-select --install`"
        );
    }
    Ok(())
}

pub(crate) fn wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let sysroot = program("rustc", ["--print", "sysroot"]).output().context("`rustc` does not answer")?;
    if Path::new(&sysroot).join("lib/rustlib").join(TARGET).join("lib").exists() {
        note(&format!("{TARGET}: there"));
        return Ok(());
    }
    note(&format!("{TARGET}: adding it by rustup"));
    program("rustup", ["target", "add", TARGET]).run().with_context(|| {
        format!("Rust's target {TARGET} is missing and rustup cannot add it; see https://rustup.rs")
    })
}

/// The folder of a tool that was installed here; `None` when the one on PATH is right.
fn tool(package: &str, name: &str, version: &str) -> Result<Option<PathBuf>> {
    if version_of(Path::new(name)).as_deref() == Some(version) {
        note(&format!("{name} {version}: on PATH"));
        return Ok(None);
    }
    let home = cache()?.join(format!("{package}-{version}"));
    let bin = home.join("bin");
    if version_of(&bin.join(name)).as_deref() == Some(version) {
        note(&format!("{name} {version}: in the cache"));
        return Ok(Some(bin));
    }
    note(&format!("{name} {version}: installing it, once for all clones; this takes some minutes"));
    install(package, version, &home)?;
    match version_of(&bin.join(name)) {
        Some(found) if found == version => Ok(Some(bin)),
        found => bail!("{} says that it is version {found:?}, not {version}", bin.join(name).display()),
    }
}

/// `trunk 0.21.14` says its version in the second word, as they all do.
fn version_of(path: &Path) -> Option<String> {
    let output = program(path, ["--version"]).output()?;
    output.split_whitespace().nth(1).map(str::to_owned)
}

fn install(package: &str, version: &str, home: &Path) -> Result<()> {
    let unfinished = home.with_file_name(format!(".{package}-{version}-{}", std::process::id()));
    let folder = unfinished.display().to_string();
    let arguments = ["install", package, "--version", version, "--root", folder.as_str()];
    let build = |locked: bool| {
        let arguments = arguments.into_iter().chain(locked.then_some("--locked"));
        // The wait is half as long this way, and the tools are fast enough.
        cargo(arguments)
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            // A target for the tools would otherwise be the workspace's.
            .in_folder(&std::env::temp_dir())
            .run()
    };
    let result = build(true).or_else(|error| {
        note(&format!("{error:#}; trying with newer dependencies"));
        build(false)
    });
    let moved = result.and_then(|()| {
        fs::rename(&unfinished, home).or_else(|error| {
            // Somebody else was faster.
            if home.join("bin").exists() { Ok(()) } else { Err(error.into()) }
        })
    });
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).ok();
    }
    moved.with_context(|| format!("cannot install {package} {version}"))
}

/// `wasm-opt` makes the page smaller; without it, it is larger and works.
fn wasm_opt() -> Result<Option<PathBuf>> {
    let on_path = program("wasm-opt", ["--version"]).output();
    let version = on_path.as_deref().and_then(|text| text.split_whitespace().nth(2)?.parse::<u32>().ok());
    if version.is_some_and(|version| version >= OLDEST_WASM_OPT) {
        note("wasm-opt: on PATH");
        return Ok(Some("wasm-opt".into()));
    }
    let Some(folder) = npm_package("binaryen", BINARYEN)? else {
        note("wasm-opt: skipped, neither it nor npm is there; the page is somewhat larger without");
        return Ok(None);
    };
    note(&format!("wasm-opt {BINARYEN}: in the cache"));
    Ok(Some(folder.join("node_modules/.bin/wasm-opt")))
}

/// The folder that an npm package was installed into; `None` without npm, or when npm cannot fetch it.
fn npm_package(name: &str, version: &str) -> Result<Option<PathBuf>> {
    let home = cache()?.join(format!("{name}-{version}"));
    if home.join("node_modules").join(name).exists() {
        return Ok(Some(home));
    }
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    if program(npm, ["--version"]).output().is_none() {
        return Ok(None);
    }
    note(&format!("{name} {version}: installing it by npm"));
    let unfinished = home.with_file_name(format!(".{name}-{version}-{}", std::process::id()));
    fs::create_dir_all(&unfinished)?;
    let wanted = format!("{name}@{version}");
    let folder = unfinished.display().to_string();
    let installed = program(
        npm,
        ["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix", &folder, &wanted],
    )
    .in_folder(&unfinished)
    .quiet();
    if installed.is_ok() && fs::rename(&unfinished, &home).is_err() && !home.exists() {
        bail!("cannot move {} to {}", unfinished.display(), home.display());
    }
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).ok();
    }
    if let Err(error) = installed {
        note(&format!("npm cannot install {wanted}: {error:#}"));
        return Ok(None);
    }
    Ok(Some(home))
}

/// The folder for tools, outside every clone.
fn cache() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("CHINWAG_TOOLS") {
        return Ok(folder);
    }
    let home = || set("HOME").or_else(|| set("USERPROFILE"));
    let cache = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else {
        set("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache")))
    };
    let cache = cache.context("there is no home folder; set CHINWAG_TOOLS to a folder for the tools")?;
    Ok(cache.join("chinwag/tools"))
}

/// The version of `package` in `Cargo.lock`.
fn locked_version(package: &str) -> Result<String> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    version_in_lock(&lock, package).with_context(|| format!("Cargo.lock does not name {package}"))
}

fn version_in_lock(lock: &str, package: &str) -> Option<String> {
    let (_, after) = lock.split_once(&format!("\nname = \"{package}\"\nversion = \""))?;
    after.split_once('"').map(|(version, _)| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_that_of_the_package_itself() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(version_in_lock(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in_lock(lock, "trunk"), None);
    }
}
