//! PostgreSQL, which the system has or not: it is nothing to install for a test.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::step::note;

/// The folder of Debian's versions.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder of the programs of PostgreSQL: the one that is named, or that of Debian's newest version.
pub(crate) fn postgres() -> Result<PathBuf> {
    let named = std::env::var_os("CHINWAG_POSTGRES").map(PathBuf::from);
    let found = named.or_else(newest).filter(|folder| folder.join("initdb").exists());
    let folder = found.context(
        "PostgreSQL is not there: install it (Debian: postgresql), or name the folder of its programs in CHINWAG_POSTGRES",
    )?;
    note(&format!("PostgreSQL: {}", folder.display()));
    Ok(folder)
}

fn newest() -> Option<PathBuf> {
    let folders = std::fs::read_dir(DEBIAN).ok()?.flatten().map(|entry| entry.path());
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    Some(folders.max_by_key(version)?.join("bin"))
}
