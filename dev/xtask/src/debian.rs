//! Debian's packages.

use std::path::Path;

use anyhow::Result;

use crate::command::program;

/// Installs Debian's packages.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    program("apt-get", ["update"]).run()?;
    program("apt-get", ["install", "--yes", "--no-install-recommends"])
        .arguments(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

/// Whether this is a Debian of which this user is root.
pub(crate) fn may_install() -> bool {
    cfg!(target_os = "linux")
        && Path::new("/etc/debian_version").exists()
        && program("id", ["-u"]).output().as_deref() == Some("0")
}
