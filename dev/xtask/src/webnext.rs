//! `cargo xtask webnext`: our sockets beside those of grpc-webnext, in a workspace of its own.

use anyhow::{Context as _, Result};

use crate::command::{cargo, program};
use crate::debian::{install, may_install};
use crate::step::say;
use crate::{root, target};

/// Debian's packages of what the peer's build needs: `protoc`, and the library of clang.
const PACKAGES: [&str; 2] = ["protobuf-compiler", "libclang-dev"];

pub(crate) fn run() -> Result<()> {
    let has = |package: &&str| program("dpkg-query", ["--show", package]).output().is_some();
    if may_install() && !PACKAGES.iter().all(has) {
        say(&format!("installing Debian's {}", PACKAGES.join(" and ")));
        install(&PACKAGES)?;
    }
    cargo(["test", "--locked"])
        .in_folder(&root().join("dev/webnext"))
        .env("CARGO_TARGET_DIR", target().join("webnext"))
        .run_visibly()
        .with_context(|| {
            format!("the peer's server needs {}, by their names in Debian", PACKAGES.join(" and "))
        })
}
