//! A child process that never outlives its owner.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Lines of standard error that are kept.
const MAX_LOG_LINES: usize = 2_000;

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: Log,
}

/// The newest lines of standard error. Clones are the same log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    newest: VecDeque<String>,
    panics: u64,
}

impl Process {
    /// Starts a program and waits for the first line of its standard output from which `find` gets a value.
    pub fn start<T: Send + 'static>(
        command: &mut Command,
        limit: Duration,
        find: impl Fn(&str) -> Option<T> + Send + 'static,
    ) -> Result<(Self, T)> {
        Self::start_with_log(command, Log::default(), limit, find)
    }

    pub(crate) fn start_with_log<T: Send + 'static>(
        command: &mut Command,
        log: Log,
        limit: Duration,
        find: impl Fn(&str) -> Option<T> + Send + 'static,
    ) -> Result<(Self, T)> {
        let name = command.get_program().to_string_lossy().into_owned();
        let (found, wait) = mpsc::sync_channel(1);
        let process = Self::spawn(command, log, move |line| {
            if let Some(value) = find(line) {
                // Only the first is waited for.
                found.try_send(value).ok();
            }
        })?;
        match wait.recv_timeout(limit) {
            Ok(value) => Ok((process, value)),
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("{name} is not ready after {limit:?}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                bail!("{name} ended before it was ready; its log: {:#?}", process.log.lines())
            }
        }
    }

    /// Starts a program that says nothing when it is ready.
    pub fn start_quietly(command: &mut Command) -> Result<Self> {
        Self::spawn(command, Log::default(), |_| {})
    }

    /// Starts a program and calls `line` with each line of its standard output, on another thread.
    pub(crate) fn spawn(
        command: &mut Command,
        log: Log,
        line: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        read_lines(child.stdout.take().context("standard output is piped")?, line);
        let errors = log.clone();
        read_lines(child.stderr.take().context("standard error is piped")?, move |line| errors.add(line));
        Ok(Self { child, log })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends SIGTERM and waits for the end, `limit` at most.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait()? {
                Some(status) => return Ok(status),
                None if Instant::now() > deadline => bail!("it still runs {limit:?} after SIGTERM"),
                None => thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// The newest lines of its standard error.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.kill().ok();
    }
}

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().newest.iter().cloned().collect()
    }

    pub(crate) fn panics(&self) -> u64 {
        self.lock().panics
    }

    fn add(&self, line: &str) {
        let mut lines = self.lock();
        lines.panics += u64::from(line.contains("panicked at"));
        if lines.newest.len() == MAX_LOG_LINES {
            lines.newest.pop_front();
        }
        lines.newest.push_back(line.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads to the end, so that the program never waits for a reader.
fn read_lines(from: impl Read + Send + 'static, mut line: impl FnMut(&str) + Send + 'static) {
    thread::spawn(move || {
        for text in BufReader::new(from).lines().map_while(std::io::Result::ok) {
            line(&text);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PATIENCE;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_start_returns_the_value_of_the_first_matching_line() {
        let script = "echo port none; echo port 7; exec sleep 600";
        let port = |line: &str| line.strip_prefix("port ")?.parse::<u16>().ok();
        let (process, port) = Process::start(&mut shell(script), PATIENCE, port).unwrap();
        assert_eq!(port, 7);
        let pid = Pid::from_child(&process.child);
        drop(process);
        assert!(rustix::process::test_kill_process(pid).is_err(), "dropping does not kill it");
    }

    #[test]
    fn the_log_of_a_failed_start_is_part_of_the_error() {
        let started = Process::start(&mut shell("echo no disk >&2; exit 1"), PATIENCE, |_| Some(()));
        let error = format!("{:#}", started.unwrap_err());
        assert!(error.contains("ended before it was ready"), "{error}");
    }

    #[test]
    fn a_process_that_ignores_sigterm_fails_to_terminate() {
        let script = "trap '' TERM; echo ready; while :; do sleep 0.1; done";
        let (mut process, ()) = Process::start(&mut shell(script), PATIENCE, |_| Some(())).unwrap();
        process.terminate(Duration::from_millis(50)).unwrap_err();
        assert!(!process.has_ended());
    }
}
