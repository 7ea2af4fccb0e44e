//! `cargo xtask bench`: builds what is measured as it is run for real, and measures.

use anyhow::{Result, bail};

use crate::command::cargo;

pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let ["chat"] = arguments else { bail!("there is one benchmark: `cargo xtask bench chat`") };
    cargo(["build", "--release", "--package", "backend", "--package", "bench"]).run()?;
    cargo(["run", "--release", "--quiet", "--package", "bench", "--", "chat"]).run()
}
