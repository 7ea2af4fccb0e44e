//! The end of child processes when a command is told to end.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Exit code that a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a command with the script `cargo` instead of cargo, sends it `signal` when the script has printed a process id
/// several times, and returns that id and the command's exit code.
fn end_command(folder: &Path, cargo: &str, signal: Signal) -> (Pid, Option<i32>) {
    let program = folder.join("cargo");
    std::fs::write(&program, cargo).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["--verbose", "bench", "chat"])
        .env("CARGO", &program)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(command.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The command may still be registering the script when that prints its first line.
    let id = lines.filter_map(|line| line.parse().ok()).nth(3).unwrap();

    kill(Pid::from_raw(command.id().try_into().unwrap()), signal).unwrap();

    (Pid::from_raw(id), command.wait().unwrap().code())
}

fn wait_for_end(process: Pid) {
    let started = Instant::now();
    // Without a signal, `kill` only asks whether the process is there.
    while kill(process, None).is_ok() {
        assert!(started.elapsed() < PATIENCE, "process {process} still runs");
        std::thread::yield_now();
    }
}

/// The inner shell would outlive the outer one.
const GRANDCHILD: &str = "#!/bin/sh\nsh -c 'while :; do echo $$; sleep 0.1; done' &\nwait\n";

#[test]
fn sigterm_ends_grandchildren() {
    let folder = tempfile::tempdir().unwrap();
    let (grandchild, code) = end_command(folder.path(), GRANDCHILD, Signal::SIGTERM);
    assert_eq!(code, Some(INTERRUPTED));
    wait_for_end(grandchild);
}

#[test]
fn sigkill_ends_grandchildren() {
    let folder = tempfile::tempdir().unwrap();
    let (grandchild, code) = end_command(folder.path(), GRANDCHILD, Signal::SIGKILL);
    assert_eq!(code, None);
    wait_for_end(grandchild);
}

#[test]
fn grandchildren_have_time_to_end_their_own_children() {
    let folder = tempfile::tempdir().unwrap();
    let ended = folder.path().join("ended");
    let tidy = format!(
        "trap 'sleep 0.3; echo > {}; exit' TERM; while :; do echo $$; sleep 0.1; done",
        ended.display()
    );
    std::fs::write(folder.path().join("tidy"), tidy).unwrap();
    let cargo = format!("#!/bin/sh\nsh {}/tidy &\nwait\n", folder.path().display());
    end_command(folder.path(), &cargo, Signal::SIGTERM);
    assert!(ended.exists(), "it was killed before its trap had ended");
}
