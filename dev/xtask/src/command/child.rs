//! Child processes, none of which outlives this program.
//!
//! Each child leads a process group, so that Ctrl-C and SIGTERM reach this program alone. It then asks every group to
//! end, with all that the child has started in its turn. A second process, the reaper, does the same when this program
//! is killed and cannot: it reads the groups from a pipe and acts when the pipe closes.

use std::collections::BTreeSet;
use std::io::{BufRead as _, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Exit code that a shell reports for a program that Ctrl-C ended.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

/// Time between SIGTERM and SIGKILL for a child.
const GRACE: Duration = Duration::from_secs(20);
/// Time that a child's own children have after the child has ended, once this program was told to end.
const GRANDCHILDREN_GRACE: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Running children, each the leader of its process group, and the pipe to the reaper.
static RUNNING: Mutex<Running> = Mutex::new(Running { groups: BTreeSet::new(), reaper: None });

struct Running {
    groups: BTreeSet<u32>,
    reaper: Option<ChildStdin>,
}

/// A child process. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Child(std::process::Child);

/// Whether this program was told to end, by Ctrl-C or SIGTERM.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// The hidden command `cargo xtask reap`: reads `+GROUP` and `-GROUP` in lines, and ends the remaining groups at the
/// end of its input.
pub(crate) fn reap() {
    let mut groups = BTreeSet::new();
    for line in std::io::stdin().lock().lines().map_while(std::io::Result::ok) {
        match line.split_at_checked(1).and_then(|(sign, id)| Some((sign, id.parse::<u32>().ok()?))) {
            Some(("+", id)) => groups.insert(id),
            Some((_, id)) => groups.remove(&id),
            None => false,
        };
    }
    groups.iter().for_each(|id| signal(*id, Urgency::Terminate));
    let asked = Instant::now();
    while groups.iter().any(|id| has_members(*id)) && asked.elapsed() < GRANDCHILDREN_GRACE {
        sleep(POLL_INTERVAL);
    }
    groups.iter().for_each(|id| signal(*id, Urgency::Kill));
}

impl Child {
    pub(super) fn spawn(mut command: Command) -> Result<Self> {
        end_children_on_signal();
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        // Under the lock, so that a signal finds the child either not started or listed.
        let mut running = running();
        if interrupted() {
            bail!("stopped");
        }
        running.start_reaper();
        let child = command.spawn()?;
        running.add(child.id());
        Ok(Self(child))
    }

    /// Waits for its end; whether it succeeded. An error when this program is told to end meanwhile.
    pub(crate) fn wait(&mut self) -> Result<bool> {
        let status = self.0.wait()?;
        if interrupted() {
            let ended = Instant::now();
            while has_members(self.0.id()) && ended.elapsed() < GRANDCHILDREN_GRACE {
                sleep(POLL_INTERVAL);
            }
        }
        // Remaining grandchildren would keep its output open.
        signal(self.0.id(), Urgency::Kill);
        running().remove(self.0.id());
        if interrupted() {
            bail!("stopped");
        }
        if status.code().is_none() {
            eprintln!("it was killed: {status}");
        }
        Ok(status.success())
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Asks it to end, and waits for the end.
    pub(crate) fn end(&mut self) {
        // The signal handler has asked already; a second SIGTERM would mean "at once".
        if self.is_alive() && !interrupted() {
            signal(self.0.id(), Urgency::Terminate);
        }
        let asked = Instant::now();
        while self.is_alive() {
            if asked.elapsed() > GRACE {
                signal(self.0.id(), Urgency::Kill);
            }
            sleep(POLL_INTERVAL);
        }
        running().remove(self.0.id());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Running {
    fn add(&mut self, id: u32) {
        self.groups.insert(id);
        self.report('+', id);
    }

    /// Without it, only SIGKILL leaves children behind.
    fn start_reaper(&mut self) {
        if self.reaper.is_none() {
            self.reaper = start_reaper().ok();
        }
    }

    fn remove(&mut self, id: u32) {
        if self.groups.remove(&id) {
            self.report('-', id);
        }
    }

    fn report(&mut self, sign: char, id: u32) {
        if let Some(reaper) = &mut self.reaper {
            writeln!(reaper, "{sign}{id}").ok();
        }
    }
}

fn start_reaper() -> Result<ChildStdin> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("reap").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C must not reach it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()?.stdin.take().context("its input is piped")
}

/// Ctrl-C and SIGTERM end the children, and then this program; the second time at once.
fn end_children_on_signal() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let installed = ctrlc::set_handler(|| {
            let again = INTERRUPTED.swap(true, Ordering::SeqCst);
            let running = running();
            let urgency = if again { Urgency::Kill } else { Urgency::Terminate };
            running.groups.iter().for_each(|id| signal(*id, urgency));
            // Otherwise the thread that waits for a child goes on, and fails.
            if again || running.groups.is_empty() {
                std::process::exit(EXIT_INTERRUPTED.into());
            }
        });
        if let Err(error) = installed {
            eprintln!("Ctrl-C will not stop the server cleanly: {error}");
        }
    });
}

#[derive(Clone, Copy)]
enum Urgency {
    Terminate,
    Kill,
}

/// Sends a signal to the process group of `leader`.
#[cfg(unix)]
fn signal(leader: u32, urgency: Urgency) {
    use nix::sys::signal::{Signal, killpg};
    let signal = match urgency {
        Urgency::Terminate => Signal::SIGTERM,
        Urgency::Kill => Signal::SIGKILL,
    };
    if let Ok(leader) = leader.try_into() {
        // It may have ended already.
        killpg(nix::unistd::Pid::from_raw(leader), signal).ok();
    }
}

/// Whether the process group of `leader` still has members.
#[cfg(unix)]
fn has_members(leader: u32) -> bool {
    leader
        .try_into()
        .is_ok_and(|leader| nix::sys::signal::killpg(nix::unistd::Pid::from_raw(leader), None).is_ok())
}

/// Windows has no process groups of this kind; `taskkill` has ended all of them.
#[cfg(not(unix))]
fn has_members(_: u32) -> bool {
    false
}

/// Ends `leader` and its children. Windows has no SIGTERM.
#[cfg(not(unix))]
fn signal(leader: u32, _: Urgency) {
    // It may have ended already.
    super::program("taskkill", ["/T", "/F", "/PID", &leader.to_string()]).output();
}
