//! The command line of the program. `cargo xtask test` runs its short form separately.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::process::{Command, Output};

fn chaos(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chaos")).args(arguments.split(' ')).output().unwrap()
}

fn plan(arguments: &str) -> Vec<String> {
    let output = chaos(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_printed_steps_depend_only_on_the_seed() {
    let steps = plan("--seed 7 --plan 50");
    assert_eq!(steps.len(), 50);
    assert_eq!(steps, plan("--seed 7 --plan 50"));
    assert_ne!(steps, plan("--seed 8 --plan 50"));
}

#[test]
fn faults_and_attacks_are_chosen_by_name() {
    let names = |arguments: &str| -> Vec<String> {
        let mut names: Vec<_> =
            plan(arguments).iter().map(|step| step.split(' ').next().unwrap().to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    assert_eq!(names("--plan 100 --only kill,cut"), ["cut", "kill"]);
    assert_eq!(names("--plan 100 --only kill,cut,joins --without joins,cut"), ["kill"]);
}

#[test]
fn options_that_leave_nothing_to_do_are_refused() {
    for arguments in ["--only kill --without kill", "--kills 3 --without kill", "--only rain", "--minutes 0"]
    {
        let output = chaos(arguments);
        assert!(!output.status.success() && !output.stderr.is_empty(), "{arguments}: {output:?}");
    }
}
