//! The programs that building the page and testing need: found, or installed once for all clones.
//!
//! `<cache>/chinwag/tools/<tool>-<version>/bin` holds each. It is filled in a folder beside it and renamed,
//! so that an interrupted installation leaves nothing half done; the next one goes on where it stopped. Of
//! two at once, one waits for the other.

mod suite;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, program};
use crate::root;
use crate::step::note;

pub(crate) use self::suite::Suite;

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
        let folders = [
            tool("trunk", &["trunk"], TRUNK, "5 minutes")?,
            tool(
                "wasm-bindgen-cli",
                &["wasm-bindgen", "wasm-bindgen-test-runner"],
                &wasm_bindgen,
                "2 minutes",
            )?,
        ];
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

/// What runs browser tests.
pub(crate) fn test_runner() -> Result<PathBuf> {
    let name = Path::new("wasm-bindgen-test-runner");
    Ok(wasm_bindgen()?.map_or_else(|| name.to_owned(), |folder| folder.join(name)))
}

/// The folder of wasm-bindgen, in the version that the page is compiled with; `None` when it is on PATH.
pub(crate) fn wasm_bindgen() -> Result<Option<PathBuf>> {
    let programs = ["wasm-bindgen", "wasm-bindgen-test-runner"];
    tool("wasm-bindgen-cli", &programs, &locked_version("wasm-bindgen")?, "2 minutes")
}

/// axe-core's script, where npm is there to fetch it.
pub(crate) fn axe() -> Result<Option<PathBuf>> {
    let package = npm_package("axe-core", AXE)?;
    Ok(package.map(|folder| folder.join("node_modules/axe-core/axe.min.js")))
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
    // It ends by itself.
    traced.wait().ok();
    followed.is_ok_and(|status| status.success())
}

/// What makes modules for the browser of a crate's WebAssembly.
#[derive(Debug)]
pub(crate) struct WasmTools {
    pub(crate) wasm_bindgen: PathBuf,
    pub(crate) wasm_opt: Option<PathBuf>,
}

impl WasmTools {
    pub(crate) fn set_up() -> Result<Self> {
        wasm_target()?;
        let name = Path::new("wasm-bindgen");
        let wasm_bindgen = wasm_bindgen()?.map_or_else(|| name.to_owned(), |folder| folder.join(name));
        Ok(Self { wasm_bindgen, wasm_opt: wasm_opt()? })
    }
}

/// The folder that npm installed the packages into which `package.json` and `package-lock.json` in `folder`
/// name; `None` without npm, or when npm cannot fetch them.
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

fn c_compiler() -> Result<()> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    if cfg!(unix) && program(&compiler, ["--version"]).output().is_none() {
        bail!(
            "there is no C compiler (`{compiler}`), which SQLite is built with: install one (Debian and \
             Ubuntu: `apt-get install build-essential`, macOS: `xcode-select --install`) or name it in CC"
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
    note(&format!("{TARGET}: adding it by rustup"));
    program("rustup", ["target", "add", TARGET]).run()
}

/// The folder of a tool that was installed here; `None` when all of its `programs` on PATH are right.
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
        note(&format!("{name} {version}: installing it, once for all clones; that takes about {wait}"));
        install(package, version, &home).with_context(|| format!("cannot install {package} {version}"))?;
    }
    if !is_right(&bin) {
        bail!("{} does not say that it is version {version}", bin.join(name).display());
    }
    Ok(Some(bin))
}

/// Keeps others from installing into `home` until it is dropped.
fn lock_home(home: &Path) -> Result<File> {
    let path = beside(home, "lock");
    fs::create_dir_all(path.parent().context("the folder for the tools has no parent")?)?;
    lock(&path, "another clone is installing it; waiting for that")
}

/// Keeps others from what the file at `path` stands for until it is dropped. Says `waiting` when one has it.
pub(crate) fn lock(path: &Path, waiting: &str) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            note(waiting);
            file.lock()?;
        }
        // A file system without locks: two at once only do the work twice.
        Err(TryLockError::Error(_)) => {}
    }
    Ok(file)
}

/// `tools/.trunk-0.21.14.lock` for `tools/trunk-0.21.14`.
fn beside(home: &Path, extension: &str) -> PathBuf {
    let name = home.file_name().unwrap_or_default().to_string_lossy();
    home.with_file_name(format!(".{name}.{extension}"))
}

/// `trunk 0.21.14` says its version in the second word, as they all do.
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
            // The wait is half as long this way, and the tools are fast enough.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            // The workspace's configuration is not meant for the tools.
            .in_folder(&std::env::temp_dir())
            .run()
    };
    install(true).or_else(|error| {
        note(&format!("{error:#}; trying with newer dependencies"));
        install(false)
    })?;
    replace(&unfinished, home)?;
    // Only kept so that an interrupted installation can go on.
    fs::remove_dir_all(&build).ok();
    Ok(())
}

/// Moves `new` to `home`. What was there before was found wanting.
fn replace(new: &Path, home: &Path) -> Result<()> {
    if home.exists() {
        fs::remove_dir_all(home).with_context(|| format!("cannot remove {}", home.display()))?;
    }
    fs::rename(new, home).with_context(|| format!("cannot move {} to {}", new.display(), home.display()))
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
    let wanted = format!("{name}@{version}");
    let home = cache()?.join(format!("{name}-{version}"));
    npm(&home, &wanted, |_| Ok(vec!["install".into(), "--no-save".into(), OsString::from(&wanted)]))
}

/// `home`, when npm has filled it now or before. `prepare` fills a new folder with what npm has to find there,
/// and gives npm's command.
fn npm(
    home: &Path,
    what: &str,
    prepare: impl FnOnce(&Path) -> Result<Vec<OsString>>,
) -> Result<Option<PathBuf>> {
    let is_filled = || home.join("node_modules").exists();
    if is_filled() {
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
    note(&format!("{what}: installing it by npm"));
    let unfinished = beside(home, "new");
    fs::create_dir_all(&unfinished)?;
    let installed = program(npm, prepare(&unfinished)?)
        .arguments(["--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
        .arguments([&unfinished])
        .in_folder(&unfinished)
        .quiet();
    if let Err(error) = installed {
        note(&format!("npm cannot install {what}: {error:#}"));
        return Ok(None);
    }
    replace(&unfinished, home)?;
    Ok(Some(home.to_owned()))
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
    fn nobody_else_has_a_lock_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.lock");
        let held = lock(&path, "").unwrap();
        let other = File::create(&path).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        other.try_lock().unwrap();
    }

    #[test]
    fn the_locked_version_is_that_of_the_package_itself() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(version_in_lock(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in_lock(lock, "trunk"), None);
    }
}
