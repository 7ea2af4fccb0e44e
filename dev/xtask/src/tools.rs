//! The programs that building the page and testing need: found, or installed once for all clones.
//!
//! `<cache>/chinwag/tools/<tool>-<version>/bin` holds each. It is filled in a folder beside it and renamed, so that an
//! interrupted installation leaves no half of a tool; the next one continues it. A second installation at the same time
//! waits for the first.

mod go_install;
mod npm;
mod postgres;
mod proxy;
mod route_guide;
mod suite;

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, program};
use crate::root;
use crate::step::{note, say};

pub(crate) use self::go_install::{nats_server, pebble};
pub(crate) use self::npm::{PackTools, axe, buf, js_clients};
pub(crate) use self::postgres::postgres;
pub(crate) use self::proxy::grpc_web_proxy;
pub(crate) use self::route_guide::route_guide;
pub(crate) use self::suite::Suite;

/// The newest trunk that this Rust version builds.
const TRUNK: &str = "0.21.14";
/// The checker of licences, duplicates and sources.
const CARGO_DENY: &str = "0.20.2";
/// Firefox's WebDriver.
const GECKODRIVER: &str = "0.37.1";

/// The tools of development: those that build the page, and trunk, which serves it.
#[derive(Debug)]
pub(crate) struct Tools {
    /// Folders that come first on PATH.
    folders: Vec<PathBuf>,
    pub(crate) wasm: WasmTools,
}

impl Tools {
    /// Finds or installs trunk, and what [`WasmTools::set_up`] does.
    pub(crate) fn set_up() -> Result<Self> {
        let wasm = WasmTools::set_up()?;
        let folders = [tool("trunk", &["trunk"], TRUNK, "5 minutes")?, wasm_bindgen()?];
        Ok(Self { folders: folders.into_iter().flatten().collect(), wasm })
    }

    /// PATH with the tools in front.
    pub(crate) fn path(&self) -> Result<std::ffi::OsString> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.folders.iter().cloned().chain(std::env::split_paths(&path));
        Ok(std::env::join_paths(folders)?)
    }
}

/// The tools that make a module for the browser of a crate.
#[derive(Debug)]
pub(crate) struct WasmTools {
    pub(crate) wasm_bindgen: PathBuf,
    pub(crate) pack: PackTools,
}

impl WasmTools {
    /// Finds or installs wasm-bindgen and the wasm target, and where npm is there esbuild and wasm-opt.
    pub(crate) fn set_up() -> Result<Self> {
        c_compiler()?;
        wasm_target()?;
        Ok(Self { wasm_bindgen: wasm_bindgen_program("wasm-bindgen")?, pack: PackTools::set_up()? })
    }
}

/// A program of the wasm-bindgen version that the page is compiled with: `wasm-bindgen` or `wasm-bindgen-test-runner`.
pub(crate) fn wasm_bindgen_program(name: &str) -> Result<PathBuf> {
    Ok(wasm_bindgen()?.unwrap_or_default().join(name))
}

/// The folder of wasm-bindgen's programs; `None` when they are on PATH.
fn wasm_bindgen() -> Result<Option<PathBuf>> {
    let programs = ["wasm-bindgen", "wasm-bindgen-test-runner"];
    tool("wasm-bindgen-cli", &programs, &locked_version("wasm-bindgen")?, "2 minutes")
}

/// cargo-deny's program.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let folder = tool("cargo-deny", &["cargo-deny"], CARGO_DENY, "5 minutes")?;
    Ok(folder.unwrap_or_default().join("cargo-deny"))
}

/// geckodriver's program.
pub(crate) fn geckodriver() -> Result<PathBuf> {
    let folder = tool("geckodriver", &["geckodriver"], GECKODRIVER, "4 minutes")?;
    Ok(folder.unwrap_or_default().join("geckodriver"))
}

/// Whether strace is there and may follow another process: containers often forbid that.
pub(crate) fn can_trace() -> bool {
    let quiet = |program: &str| {
        let mut command = std::process::Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let Ok(mut traced) = quiet("sleep").arg("1").spawn() else { return false };
    let id = traced.id().to_string();
    let followed = quiet("strace").args(["-qq", "-o", "/dev/null", "-p", &id]).status();
    // `sleep` ends after a second.
    traced.wait().ok();
    followed.is_ok_and(|status| status.success())
}

fn c_compiler() -> Result<()> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    if cfg!(unix) && program(&compiler, ["--version"]).output().is_none() {
        bail!(
            "there is no C compiler (`{compiler}`), which SQLite needs: install one (Debian and Ubuntu: \
             `apt-get install build-essential`, macOS: `xcode-select --install`) or name it in CC"
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
    if program("rustup", ["--version"]).output().is_none() {
        bail!(
            "Rust's target {TARGET} is missing, and there is no rustup to add it: install Rust by \
             https://rustup.rs, or your system's package for this target"
        );
    }
    say(&format!("{TARGET}: adding it by rustup"));
    program("rustup", ["target", "add", TARGET]).run()
}

/// The folder of an installed tool; `None` when all of its `programs` are on PATH in this version.
fn tool(package: &str, programs: &[&str], version: &str, wait: &str) -> Result<Option<PathBuf>> {
    let is_right = |folder: &Path| {
        programs.iter().all(|name| version_of(&folder.join(name)).as_deref() == Some(version))
    };
    let name = programs[0];
    if is_right(Path::new("")) {
        note(&format!("{name} {version}: on PATH"));
        return Ok(None);
    }
    let home = cache()?.join(format!("{package}-{version}"));
    let bin = home.join("bin");
    if is_right(&bin) {
        note(&format!("{name} {version}: in the cache"));
        return Ok(Some(bin));
    }
    let _lock = lock_home(&home)?;
    if !is_right(&bin) {
        say(&format!("{name} {version}: installing it, once for all clones; that takes about {wait}"));
        install(package, version, &home).with_context(|| format!("cannot install {package} {version}"))?;
    }
    if !is_right(&bin) {
        bail!("{} does not say that it is version {version}", bin.join(name).display());
    }
    Ok(Some(bin))
}

/// Excludes other installations into `home` until it is dropped.
fn lock_home(home: &Path) -> Result<File> {
    let path = beside(home, "lock");
    fs::create_dir_all(path.parent().context("the folder for the tools has no parent")?)?;
    lock(&path, "another clone is installing it; waiting for that")
}

/// Excludes other programs that lock the file at `path` until it is dropped. Prints `waiting` when one has it.
pub(crate) fn lock(path: &Path, waiting: &str) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            say(waiting);
            file.lock()?;
        }
        // A file system without locks: two installations do the work twice.
        Err(TryLockError::Error(_)) => {}
    }
    Ok(file)
}

/// `tools/.trunk-0.21.14.lock` for `tools/trunk-0.21.14`.
fn beside(home: &Path, extension: &str) -> PathBuf {
    let name = home.file_name().unwrap_or_default().to_string_lossy();
    home.with_file_name(format!(".{name}.{extension}"))
}

/// The second word of `trunk 0.21.14`, which is the version in all of these tools.
fn version_of(path: &Path) -> Option<String> {
    let output = program(path, ["--version"]).output()?;
    output.split_whitespace().nth(1).map(str::to_owned)
}

fn install(package: &str, version: &str, home: &Path) -> Result<()> {
    let (unfinished, build) = (beside(home, "new"), beside(home, "build"));
    let install = |locked: bool| {
        let words = ["install", package, "--version", version, "--force"];
        let program = cargo(words.into_iter().chain(locked.then_some("--locked")));
        let folders =
            [OsStr::new("--root"), unfinished.as_os_str(), OsStr::new("--target-dir"), build.as_os_str()];
        program
            .arguments(folders)
            // This halves the time, and the tools are fast enough.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            // Outside the checkout, whose configuration is for its own crates.
            .in_folder(&std::env::temp_dir())
            .run()
    };
    install(true).or_else(|error| {
        say(&format!("{error:#}; trying with newer dependencies"));
        install(false)
    })?;
    replace(&unfinished, home)?;
    // It is kept until here, so that an interrupted installation continues.
    fs::remove_dir_all(&build).ok();
    Ok(())
}

/// Moves `new` to `home`, and deletes the unusable one there.
fn replace(new: &Path, home: &Path) -> Result<()> {
    if home.exists() {
        fs::remove_dir_all(home).with_context(|| format!("cannot remove {}", home.display()))?;
    }
    fs::rename(new, home).with_context(|| format!("cannot move {} to {}", new.display(), home.display()))
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
    fn a_lock_excludes_others_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.lock");
        let held = lock(&path, "").unwrap();
        let other = File::create(&path).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        other.try_lock().unwrap();
    }

    #[test]
    fn the_locked_version_belongs_to_the_exact_package() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(version_in_lock(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in_lock(lock, "trunk"), None);
    }
}
