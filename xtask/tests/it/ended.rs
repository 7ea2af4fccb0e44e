//! What becomes of the programs that a command has started when the command is told to end.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Stands for cargo: starts something that would outlive it, and says by which number it can be found.
const CARGO: &str = "#!/bin/sh\nsh -c 'echo $$; exec sleep 600' &\nwait\n";

fn is_alive(process: Pid) -> bool {
    kill(process, None).is_ok()
}

#[test]
fn a_command_that_is_told_to_end_takes_along_what_its_programs_have_started() {
    let folder = tempfile::tempdir().unwrap();
    let cargo = folder.path().join("cargo");
    std::fs::write(&cargo, CARGO).unwrap();
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["bench", "chat"])
        .env("CARGO", &cargo)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(command.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let started = Pid::from_raw(line.trim().parse().unwrap());
    assert!(is_alive(started));

    kill(Pid::from_raw(command.id().try_into().unwrap()), Signal::SIGTERM).unwrap();

    assert_eq!(command.wait().unwrap().code(), Some(INTERRUPTED));
    let told = Instant::now();
    while is_alive(started) {
        assert!(told.elapsed() < Duration::from_secs(10), "process {started} runs still");
        std::thread::yield_now();
    }
}
