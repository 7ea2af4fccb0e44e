//! What becomes of the programs that a command has started when the command is told to end.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Longer than any of it takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a command whose cargo is the script `cargo`, and tells it to end when that has printed a number.
fn told_to_end(folder: &Path, cargo: &str) -> Pid {
    let program = folder.join("cargo");
    std::fs::write(&program, cargo).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["bench", "chat"])
        .env("CARGO", &program)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(command.stdout.take().unwrap()).read_line(&mut line).unwrap();

    kill(Pid::from_raw(command.id().try_into().unwrap()), Signal::SIGTERM).unwrap();

    assert_eq!(command.wait().unwrap().code(), Some(INTERRUPTED));
    Pid::from_raw(line.trim().parse().unwrap())
}

#[test]
fn a_command_that_is_told_to_end_takes_along_what_its_programs_have_started() {
    let folder = tempfile::tempdir().unwrap();
    // It would outlive what has started it.
    let started = told_to_end(folder.path(), "#!/bin/sh\nsh -c 'echo $$; exec sleep 60' &\nwait\n");
    let told = Instant::now();
    // A signal that is none asks whether the process is there.
    while kill(started, None).is_ok() {
        assert!(told.elapsed() < PATIENCE, "process {started} runs still");
        std::thread::yield_now();
    }
}

#[test]
fn what_has_others_to_end_may_do_so() {
    let folder = tempfile::tempdir().unwrap();
    let ended = folder.path().join("ended");
    let tidy = format!(
        "trap 'sleep 0.3; echo > {}; exit' TERM; echo $$; while :; do sleep 0.1; done",
        ended.display()
    );
    std::fs::write(folder.path().join("tidy"), tidy).unwrap();
    told_to_end(folder.path(), &format!("#!/bin/sh\nsh {}/tidy &\nwait\n", folder.path().display()));
    assert!(ended.exists(), "it was killed before it had ended what it had to");
}
