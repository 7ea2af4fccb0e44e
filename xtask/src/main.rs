//! Every command that a developer needs: `cargo xtask <command>`.

mod codegen;

use std::path::Path;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    match std::env::args().nth(1).as_deref() {
        Some("codegen") => codegen::run(root),
        other => bail!("no such command: {other:?}"),
    }
}
