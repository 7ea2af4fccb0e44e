//! Running other programs: in the checkout, with their output in the log of the step that runs.
//!
//! It must not know a command of this program.

mod child;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, bail};

pub(crate) use self::child::{Child, EXIT_INTERRUPTED, interrupted, reap};
use crate::{root, step};

/// A program with its arguments.
#[derive(Debug)]
pub(crate) struct Program(Command);

/// The same `cargo` that started us, in the workspace's root.
pub(crate) fn cargo<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Program {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    program(cargo, arguments)
}

/// `program`, in the workspace's root.
pub(crate) fn program<I: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = I>,
) -> Program {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    // cargo sets these for this program; they would make the builds below different from a person's.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    Program(command)
}

impl Program {
    pub(crate) fn arguments<I: AsRef<OsStr>>(mut self, more: impl IntoIterator<Item = I>) -> Self {
        self.0.args(more);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs it; an error when it fails. Within a step its output goes to the step's log, and the part of it that
    /// explains a failure to the terminal.
    pub(crate) fn run(self) -> Result<()> {
        if step::is_logging() { self.run_reading().map(drop) } else { self.run_visibly() }
    }

    /// Runs it within a step and returns the lines of its output; an error when it fails.
    pub(crate) fn run_reading(self) -> Result<Vec<String>> {
        let shown = self.shown();
        step::log(&format!("$ {shown}"));
        let shared = Arc::<Mutex<Vec<String>>>::default();
        let lines = shared.clone();
        let (mut child, reader) = self.start_reading_all(move |line| {
            step::log(line);
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        })?;
        let succeeded = child.wait()?;
        // It ends with the output.
        reader.join().ok();
        let output = std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner));
        if !succeeded {
            step::say_end_of_log(&output);
        }
        check(&shown, succeeded)?;
        Ok(output)
    }

    /// Runs it with our own output; an error when it fails.
    pub(crate) fn run_visibly(self) -> Result<()> {
        let shown = self.shown();
        check(&shown, self.start()?.wait()?)
    }

    /// Its standard output, trimmed; `None` when it cannot be started or fails.
    pub(crate) fn output(mut self) -> Option<String> {
        let output = self.0.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Starts it with our own output.
    pub(crate) fn start(mut self) -> Result<Child> {
        self.0.stdin(Stdio::null());
        let shown = self.shown();
        Child::spawn(self.0).with_context(|| format!("cannot start `{shown}`"))
    }

    /// Starts it and calls `line` with each line of its standard output, on another thread.
    pub(crate) fn start_reading(
        mut self,
        line: impl FnMut(&str) + Send + 'static,
    ) -> Result<(Child, JoinHandle<()>)> {
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        self.0.stdout(writer);
        Ok((self.start()?, read_lines(reader, line)))
    }

    /// As [`Self::start_reading`], with the lines of standard error in between, in the order of printing.
    pub(crate) fn start_reading_all(
        mut self,
        line: impl FnMut(&str) + Send + 'static,
    ) -> Result<(Child, JoinHandle<()>)> {
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        self.0.stdout(writer.try_clone().context("cannot share a pipe")?).stderr(writer);
        Ok((self.start()?, read_lines(reader, line)))
    }

    /// As a person would type it.
    pub(crate) fn shown(&self) -> String {
        let words = std::iter::once(self.0.get_program()).chain(self.0.get_args());
        let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
        words.join(" ")
    }
}

fn check(shown: &str, succeeded: bool) -> Result<()> {
    if !succeeded {
        bail!("`{shown}` failed");
    }
    Ok(())
}

fn read_lines(
    from: impl Read + Send + 'static,
    mut line: impl FnMut(&str) + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut bytes = Vec::new();
        while from.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            line(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']));
            bytes.clear();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    #[test]
    fn lines_of_both_streams_come_in_the_order_of_printing() {
        let (sender, lines) = mpsc::channel();
        let script = "echo one; echo two >&2; echo three";
        let (mut child, reader) = program("sh", ["-c", script])
            .start_reading_all(move |line| sender.send(line.to_owned()).unwrap())
            .unwrap();
        assert!(child.wait().unwrap());
        reader.join().unwrap();
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["one", "two", "three"]);
    }

    #[cfg(unix)]
    #[test]
    fn grandchildren_end_with_the_child() {
        let (sender, lines) = mpsc::channel();
        // The inner shell would outlive the outer one.
        let script = "sh -c 'echo $$; exec sleep 600' & wait";
        let (mut child, _reader) = program("sh", ["-c", script])
            .start_reading(move |line| sender.send(line.to_owned()).unwrap())
            .unwrap();
        let inner = lines.recv_timeout(Duration::from_secs(10)).unwrap();
        child.end();
        let ended = Instant::now();
        // Signal 0 only asks whether the process is there.
        while program("kill", ["-0", inner.as_str()]).output().is_some() {
            assert!(ended.elapsed() < Duration::from_secs(10), "process {inner} still runs");
            std::thread::yield_now();
        }
    }
}
