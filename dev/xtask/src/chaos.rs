//! `cargo xtask chaos`: builds the server and what breaks it, and lets them at each other.

use anyhow::Result;

use crate::command::cargo;
use crate::server::target;

/// From so many minutes on, the server is built as it is run for real.
const RELEASE_MINUTES: f64 = 2.0;

/// A run as it is ordered, in a release build when it is long.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let mut build = vec!["build", "--package", "backend", "--package", "chaos"];
    let profile = if is_long(arguments) {
        build.push("--release");
        "release"
    } else {
        "debug"
    };
    cargo(build).run()?;
    start(profile, arguments)
}

/// The short form, with the programs that the tests on the host have built.
pub(crate) fn short() -> Result<()> {
    start("debug", &[])
}

fn start(profile: &str, arguments: &[&str]) -> Result<()> {
    let program = target().join(profile).join(format!("chaos{}", std::env::consts::EXE_SUFFIX));
    crate::command::program(program, arguments).run()
}

/// Whether it runs for more than [`RELEASE_MINUTES`] or until a target is reached, or measures.
fn is_long(arguments: &[&str]) -> bool {
    let value = |name: &str| {
        arguments.iter().enumerate().find_map(|(index, argument)| match argument.strip_prefix(name) {
            Some("") => arguments.get(index + 1).copied(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        })
    };
    let minutes = value("--minutes").and_then(|minutes| minutes.parse::<f64>().ok());
    let has = |name: &str| value(name).is_some();
    has("--messages") || has("--kills") || has("--measure") || minutes.is_some_and(|n| n > RELEASE_MINUTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_those_with_a_target_or_of_many_minutes() {
        for long in ["--minutes 3", "--seed 1 --minutes=2.5", "--messages 1000000 --kills 100", "--kills=7"] {
            assert!(is_long(&long.split(' ').collect::<Vec<_>>()), "{long}");
        }
        for short in ["", "--minutes 2", "--minutes=0.5", "--seed 9 --only kill"] {
            assert!(!is_long(&short.split(' ').collect::<Vec<_>>()), "{short}");
        }
    }
}
