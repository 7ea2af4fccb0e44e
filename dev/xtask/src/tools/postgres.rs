//! PostgreSQL: found, or installed on a Debian of which this user is root.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::debian::{install, may_install};
use crate::step::{note, say};

/// The folder of Debian's versions.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder of Debian's settings of new databases. A package that finds this one there makes and starts none itself.
const SETTINGS: &str = "/etc/postgresql-common/createcluster.d";
const NO_DATABASE: &str = "create_main_cluster = false\n";

/// The folder of the programs of PostgreSQL: the one that is named, or that of Debian's newest version.
pub(crate) fn postgres() -> Result<PathBuf> {
    if find().is_err() && may_install() {
        say("no PostgreSQL: installing Debian's postgresql, without a database of its own");
        fs::create_dir_all(SETTINGS)?;
        fs::write(format!("{SETTINGS}/no-database.conf"), NO_DATABASE)?;
        install(&["postgresql"])?;
    }
    let folder = find()?;
    note(&format!("PostgreSQL: {}", folder.display()));
    Ok(folder)
}

fn find() -> Result<PathBuf> {
    let named = std::env::var_os("CHINWAG_POSTGRES").map(PathBuf::from);
    let found = named.or_else(newest).filter(|folder| folder.join("initdb").exists());
    found.context(
        "PostgreSQL is not there: install it (Debian: postgresql), or name the folder of its programs in CHINWAG_POSTGRES",
    )
}

fn newest() -> Option<PathBuf> {
    let folders = std::fs::read_dir(DEBIAN).ok()?.flatten().map(|entry| entry.path());
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    Some(folders.max_by_key(version)?.join("bin"))
}
