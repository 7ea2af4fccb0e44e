//! Running other programs: what was run is named when it fails, and none outlives us.
//!
//! Each has a process group of its own: Ctrl-C and SIGTERM reach us alone, and we ask the whole group once to
//! end, so that nothing goes on that the program has started in its turn.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::root;

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
    // What cargo tells us about ourselves would make the builds below different from a person's.
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

    pub(crate) fn in_folder(mut self, folder: &std::path::Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs it with our own output; an error when it fails.
    pub(crate) fn run(self) -> Result<()> {
        let shown = self.shown();
        succeeded(&shown, self.spawn()?.ended()?)
    }

    /// What it prints, trimmed; `None` when it is not there or fails.
    pub(crate) fn output(mut self) -> Option<String> {
        let Output { status, stdout, .. } =
            self.0.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        status.success().then(|| String::from_utf8_lossy(&stdout).trim().to_owned())
    }

    /// Runs it quietly, and shows what it printed when it fails.
    pub(crate) fn quiet(self) -> Result<()> {
        let shown = self.shown();
        let (sender, lines) = mpsc::channel();
        let (mut running, reader) = self.start_reading_all(move |line| {
            // Nobody reads any more when we are told to end.
            sender.send(line.to_owned()).ok();
        })?;
        let status = running.ended()?;
        // It only ends by the end of the output.
        reader.join().ok();
        if !status.success() {
            lines.iter().for_each(|line| eprintln!("{line}"));
        }
        succeeded(&shown, status)
    }

    /// Starts it with our own output, to be ended by us.
    pub(crate) fn start(self) -> Result<Running> {
        self.spawn()
    }

    /// Starts it and calls `line` with each line that it prints, on another thread.
    pub(crate) fn start_reading(
        mut self,
        line: impl FnMut(&str) + Send + 'static,
    ) -> Result<(Running, JoinHandle<()>)> {
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        self.0.stdout(writer);
        Ok((self.spawn()?, read_lines(reader, line)))
    }

    /// As [`Self::start_reading`], with what it prints as errors in between, in the order of printing.
    pub(crate) fn start_reading_all(
        mut self,
        line: impl FnMut(&str) + Send + 'static,
    ) -> Result<(Running, JoinHandle<()>)> {
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        self.0.stdout(writer.try_clone().context("cannot share a pipe")?).stderr(writer);
        Ok((self.spawn()?, read_lines(reader, line)))
    }

    fn spawn(mut self) -> Result<Running> {
        end_with_us();
        self.0.stdin(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut self.0, 0);
        // Under the lock, so that a signal finds it either not started or listed.
        let mut running = running();
        if interrupted() {
            bail!("stopped");
        }
        let child = self.0.spawn().with_context(|| self.cannot_start())?;
        running.push(child.id());
        Ok(Running(child))
    }

    /// As a person would type it.
    pub(crate) fn shown(&self) -> String {
        let words = std::iter::once(self.0.get_program()).chain(self.0.get_args());
        let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
        words.join(" ")
    }

    fn cannot_start(&self) -> String {
        format!("cannot start `{}`", self.shown())
    }
}

fn succeeded(shown: &str, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{shown}` failed ({status})");
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

/// Whether we were told to end, by Ctrl-C or by a signal.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The ids of all programs that we have started and that run still, each the leader of its process group.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program that we have started. Ended when this is dropped, or when we are told to end.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// How long it may take to end when it is asked to; then it is killed.
    const PATIENCE: Duration = Duration::from_secs(20);
    /// How long what it has started may take to end after it, when we are told to end.
    const LAST_MOMENTS: Duration = Duration::from_secs(5);

    /// Waits for its end; whether it was a good one. An error when we are told to end meanwhile.
    pub(crate) fn wait(&mut self) -> Result<bool> {
        let status = self.ended()?;
        if status.code().is_none() {
            eprintln!("it did not end by itself: {status}");
        }
        Ok(status.success())
    }

    fn ended(&mut self) -> Result<ExitStatus> {
        let status = self.0.wait()?;
        if interrupted() {
            // What it has started was asked to end, too, and may have others to end: a browser, for one.
            let asked = Instant::now();
            while has_members(self.0.id()) && asked.elapsed() < Self::LAST_MOMENTS {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        // What it left behind would keep its output open.
        signal(self.0.id(), Urgency::Killed);
        self.forget();
        if interrupted() {
            bail!("stopped");
        }
        Ok(status)
    }

    /// Whether it runs still.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(&mut self) {
        // Whoever told us to end has asked it already; a second time would mean "at once".
        if self.is_alive() && !interrupted() {
            signal(self.0.id(), Urgency::Asked);
        }
        let asked = Instant::now();
        while self.is_alive() {
            if asked.elapsed() > Self::PATIENCE {
                signal(self.0.id(), Urgency::Killed);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.forget();
    }

    fn forget(&self) {
        running().retain(|id| *id != self.0.id());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ctrl-C and SIGTERM end what we started, and then us. The second time at once.
fn end_with_us() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let installed = ctrlc::set_handler(|| {
            let again = INTERRUPTED.swap(true, Ordering::SeqCst);
            let running = running();
            for id in running.iter() {
                signal(*id, if again { Urgency::Killed } else { Urgency::Asked });
            }
            // Otherwise whoever waits for one of them goes on, and fails.
            if again || running.is_empty() {
                std::process::exit(EXIT_INTERRUPTED.into());
            }
        });
        if let Err(error) = installed {
            eprintln!("Ctrl-C will not stop the server cleanly: {error}");
        }
    });
}

/// What a shell reports of a program that Ctrl-C ended.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

#[derive(Clone, Copy)]
enum Urgency {
    Asked,
    Killed,
}

/// Tells the process group that `leader` leads.
#[cfg(unix)]
fn signal(leader: u32, urgency: Urgency) {
    use nix::sys::signal::{Signal, killpg};
    let signal = match urgency {
        Urgency::Asked => Signal::SIGTERM,
        Urgency::Killed => Signal::SIGKILL,
    };
    if let Ok(leader) = leader.try_into() {
        // It may have ended already.
        killpg(nix::unistd::Pid::from_raw(leader), signal).ok();
    }
}

/// Whether anybody is left in the process group that `leader` led.
#[cfg(unix)]
fn has_members(leader: u32) -> bool {
    leader
        .try_into()
        .is_ok_and(|leader| nix::sys::signal::killpg(nix::unistd::Pid::from_raw(leader), None).is_ok())
}

/// On Windows nothing was asked.
#[cfg(not(unix))]
fn has_members(_: u32) -> bool {
    false
}

/// Ends `leader` and what it started. Windows has no way to ask.
#[cfg(not(unix))]
fn signal(leader: u32, _: Urgency) {
    // It may have ended already.
    program("taskkill", ["/T", "/F", "/PID", &leader.to_string()]).output();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn lines_come_in_the_order_of_printing_whichever_stream_they_are_printed_to() {
        let (sender, lines) = mpsc::channel();
        let script = "echo one; echo two >&2; echo three";
        let (mut running, reader) = program("sh", ["-c", script])
            .start_reading_all(move |line| sender.send(line.to_owned()).unwrap())
            .unwrap();
        assert!(running.wait().unwrap());
        reader.join().unwrap();
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["one", "two", "three"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_a_program_has_started_ends_with_it() {
        let (sender, lines) = mpsc::channel();
        // The inner shell would outlive the outer one.
        let script = "sh -c 'echo $$; exec sleep 600' & wait";
        let (mut running, _reader) = program("sh", ["-c", script])
            .start_reading(move |line| sender.send(line.to_owned()).unwrap())
            .unwrap();
        let inner = lines.recv_timeout(Duration::from_secs(10)).unwrap();
        running.end();
        let started = Instant::now();
        // A signal that is none asks whether the process is there.
        while program("kill", ["-0", inner.as_str()]).output().is_some() {
            assert!(started.elapsed() < Duration::from_secs(10), "process {inner} runs still");
            std::thread::yield_now();
        }
    }
}
