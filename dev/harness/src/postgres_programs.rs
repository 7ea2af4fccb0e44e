//! The programs of PostgreSQL.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// The folder of Debian's versions.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder of PostgreSQL's programs: the one that `CHINWAG_POSTGRES` names, or that of Debian's newest version.
///
/// # Errors
///
/// There are no such programs.
pub fn postgres_programs() -> Result<PathBuf> {
    let named = std::env::var_os("CHINWAG_POSTGRES").map(PathBuf::from);
    let found = named.or_else(newest).filter(|folder| folder.join("initdb").exists());
    found.context(
        "PostgreSQL is not there: install it (Debian: postgresql), or name the folder of its programs in CHINWAG_POSTGRES",
    )
}

fn newest() -> Option<PathBuf> {
    let folders = fs::read_dir(DEBIAN).ok()?.flatten().map(|entry| entry.path());
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    Some(folders.max_by_key(version)?.join("bin"))
}
