//! The checkout that the current program works in.
//!
//! It is found at run time: a built checkout can be renamed, and no program keeps the old path.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// A file that only the root of a checkout has at this path.
const MARKER: &str = "dev/xtask/Cargo.toml";

/// The root of the checkout around the current folder or, outside of any, around this program.
pub fn root() -> Result<PathBuf> {
    let current = std::env::current_dir().context("cannot read the current folder")?;
    around(&current)
        .or_else(|| around(&std::env::current_exe().ok()?))
        .with_context(|| format!("{} is not in a checkout of Chinwag", current.display()))
}

fn around(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|folder| folder.join(MARKER).is_file()).map(Path::to_owned)
}

/// The folder of build results: `CARGO_TARGET_DIR`, or `target` in the checkout.
pub fn target() -> Result<PathBuf> {
    Ok(root()?.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into())))
}

/// The program `name` beside this one. cargo puts test programs one folder deeper than others.
pub fn built_program(name: &str) -> Result<PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let mut found = own.ancestors().skip(1).take(2).map(|folder| folder.join(&name));
    found
        .find(|path| path.is_file())
        .with_context(|| format!("there is no `{name}` beside {}", own.display()))
}

/// The existing file that an environment variable names. `None` when the variable is not set or empty.
pub fn file_in(variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    if !path.exists() {
        bail!("{variable} names {}, which does not exist", path.display());
    }
    // A relative path is relative to the folder of the person who set the variable, which is this one.
    Ok(Some(path.canonicalize()?))
}

#[cfg(all(test, feature = "processes"))]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_checkout_is_found_at_its_new_path() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::create_dir_all(old.join("dev/xtask/src")).unwrap();
        std::fs::write(old.join(MARKER), "").unwrap();
        assert_eq!(around(&old.join("dev/xtask/src")), Some(old.clone()));
        std::fs::rename(&old, &new).unwrap();
        assert_eq!(around(&new.join("dev/xtask/src")), Some(new));
    }
}
