//! `cargo xtask chaos`: builds the server and the program that breaks it, and runs that.

use std::path::Path;

use anyhow::Result;

use crate::command::{Program, cargo, program};
use crate::step::Steps;
use crate::target;
use crate::tools::nats_server;

/// Flags that make a run long, or measure: the server is then built as it is run for real.
const RELEASE_FLAGS: [&str; 4] = ["--minutes", "--messages", "--kills", "--measure"];

/// A run as it is ordered.
pub(crate) fn run(flags: &[String]) -> Result<()> {
    let mut build = vec!["build", "--package", "backend", "--package", "chaos"];
    let profile = if needs_release(flags) {
        build.push("--release");
        "release"
    } else {
        "debug"
    };
    Steps::new(1).step("Server and chaos", || cargo(build).run())?;
    chaos(profile, flags).run_visibly()
}

/// A run with three servers of one chat on three servers of NATS.
pub(crate) fn cluster(flags: &[String]) -> Result<()> {
    let mut build =
        vec!["build", "--package", "backend", "--features", "backend/cluster", "--package", "chaos"];
    let profile = if needs_release(flags) {
        build.push("--release");
        "release"
    } else {
        "debug"
    };
    let mut steps = Steps::new(2);
    let nats = steps.step("Tools", nats_server)?;
    steps.step("Server and chaos", || cargo(build).run())?;
    let flags: Vec<_> = flags.iter().cloned().chain(["--cluster".to_owned()]).collect();
    chaos(profile, &flags).env("CHINWAG_NATS", nats).run_visibly()
}

/// The short form, with the programs that the tests on the host have built.
pub(crate) fn short() -> Result<()> {
    chaos("debug", &[]).run()
}

/// The flags of the cluster's short form. The seed begins with faults of many kinds.
const SHORT_CLUSTER: [&str; 4] = ["--cluster", "--minutes=1", "--seed=3", "--senders=24"];

/// The short form of [`cluster`], with the programs that the tests on the host have built, and `nats`, the server of NATS.
pub(crate) fn short_cluster(nats: &Path) -> Result<()> {
    chaos("debug", &SHORT_CLUSTER.map(str::to_owned)).env("CHINWAG_NATS", nats).run()
}

fn chaos(profile: &str, flags: &[String]) -> Program {
    let name = format!("chaos{}", std::env::consts::EXE_SUFFIX);
    program(target().join(profile).join(name), flags)
}

fn needs_release(flags: &[String]) -> bool {
    let is_long = |flag: &String| RELEASE_FLAGS.iter().any(|name| flag.split('=').next() == Some(name));
    flags.iter().any(is_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_with_a_length_or_a_target_use_release_builds() {
        let needs_release =
            |text: &str| needs_release(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for long in ["--minutes 3", "--seed 1 --minutes=2.5", "--messages 1000000 --kills 100", "--kills=7"] {
            assert!(needs_release(long), "{long}");
        }
        for short in ["", "--seed 9 --only kill"] {
            assert!(!needs_release(short), "{short}");
        }
    }
}
