//! PostgreSQL: found, or installed on a Debian of which this user is root.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use harness::postgres_programs;

use crate::debian::{install, may_install};
use crate::step::{note, say};

/// The folder of Debian's settings of new databases. A package that finds this one there makes and starts none itself.
const SETTINGS: &str = "/etc/postgresql-common/createcluster.d";
const NO_DATABASE: &str = "create_main_cluster = false\n";

/// The folder of the programs of PostgreSQL: the one that is named, or that of Debian's newest version.
pub(crate) fn postgres() -> Result<PathBuf> {
    if postgres_programs().is_err() && may_install() {
        say("no PostgreSQL: installing Debian's postgresql, without a database of its own");
        fs::create_dir_all(SETTINGS)?;
        fs::write(format!("{SETTINGS}/no-database.conf"), NO_DATABASE)?;
        install(&["postgresql"])?;
    }
    let folder = postgres_programs()?;
    note(&format!("PostgreSQL: {}", folder.display()));
    Ok(folder)
}
