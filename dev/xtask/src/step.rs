//! The steps of a command: a line for each, its log file, and what is printed while it runs.
//!
//! All output of the programs that a step runs goes to `target/xtask/<step>.log`. The terminal shows one line with
//! counters and time, and more only when something takes long, is missing or fails. `--verbose` shows everything.

use std::fs::{self, File};
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::target;

/// Lines of a failed program that the terminal shows.
const SHOWN_LINES: usize = 40;
/// Pause between two updates of the line on a terminal.
const TICK: Duration = Duration::from_secs(1);
/// Pause between two lines about a long step where there is no terminal.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

static VERBOSE: AtomicBool = AtomicBool::new(false);
static CURRENT: Mutex<Option<Step>> = Mutex::new(None);

/// Numbered steps of one command.
#[derive(Debug)]
pub(crate) struct Steps {
    number: usize,
    of: usize,
    started: Instant,
}

/// The step that runs.
struct Step {
    heading: String,
    started: Instant,
    log: File,
    log_path: PathBuf,
    crates: usize,
    tests: usize,
    is_terminal: bool,
    /// Whether the heading is the last thing on the terminal, on an unfinished line.
    is_line_open: bool,
    reported: Instant,
}

/// Shows the output of all programs, and writes no logs.
pub(crate) fn be_verbose() {
    VERBOSE.store(true, Ordering::Relaxed);
}

impl Steps {
    pub(crate) fn new(of: usize) -> Self {
        Self { number: 0, of, started: Instant::now() }
    }

    /// Does `work` under a heading.
    pub(crate) fn step<T>(&mut self, title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.number += 1;
        let heading = format!("[{}/{}] {title}", self.number, self.of);
        let started = Instant::now();
        if VERBOSE.load(Ordering::Relaxed) {
            println!("\n{heading}");
            let result = work()?;
            println!("      {}", show(started.elapsed()));
            return Ok(result);
        }
        let (log, log_path) = open_log(title)?;
        print!("{heading}");
        flush();
        *current() = Some(Step {
            heading,
            started,
            log,
            log_path,
            crates: 0,
            tests: 0,
            is_terminal: std::io::stdout().is_terminal(),
            is_line_open: true,
            reported: started,
        });
        let ticker = start_ticker();
        let result = work();
        drop(ticker);
        if let Some(step) = current().take() {
            step.finish();
        }
        result
    }

    /// Time since the first step began.
    pub(crate) fn elapsed(&self) -> String {
        show(self.started.elapsed())
    }
}

/// Whether the output of programs goes to a log.
pub(crate) fn is_logging() -> bool {
    current().is_some()
}

/// Writes a program's line into the log, and counts it when it is progress.
pub(crate) fn log(line: &str) {
    if let Some(step) = &mut *current() {
        // The programs of the step report a full disk.
        writeln!(step.log, "{line}").ok();
        let trimmed = line.trim_start();
        step.crates += usize::from(trimmed.starts_with("Compiling ") || trimmed.starts_with("Checking "));
        step.tests += usize::from(line.starts_with("test ") && line.ends_with(" ... ok"));
    }
}

/// A detail of the step, for its log.
pub(crate) fn note(text: &str) {
    if VERBOSE.load(Ordering::Relaxed) {
        println!("      {text}");
    }
    log(text);
}

/// A line that the person at the terminal has to see.
pub(crate) fn say(text: &str) {
    log(text);
    match &mut *current() {
        Some(step) => step.say(text),
        None => println!("      {text}"),
    }
}

/// Shows the lines of `output` that explain a failure, and names the log.
pub(crate) fn say_end_of_log(output: &[String]) {
    if let Some(step) = &mut *current() {
        explanation(output).iter().for_each(|line| step.say(line));
        let path = step.log_path.display().to_string();
        step.say(&format!("the whole output is in {path}"));
    }
}

/// The first error of a compiler with its explanation, or else the last lines.
pub(crate) fn explanation(output: &[String]) -> &[String] {
    let first_error = output.iter().position(|line| line.starts_with("error"));
    let start = first_error.unwrap_or(output.len().saturating_sub(SHOWN_LINES));
    &output[start..output.len().min(start + SHOWN_LINES)]
}

/// A duration for people.
pub(crate) fn show(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

impl Step {
    fn say(&mut self, text: &str) {
        if self.is_terminal {
            print!("\r\x1b[2K");
            if self.is_line_open {
                println!("{}", self.heading);
            }
        } else if self.is_line_open {
            println!();
        }
        self.is_line_open = false;
        println!("      {text}");
    }

    /// Shows counters and time while the step runs.
    fn tick(&mut self) {
        if self.is_terminal {
            let start = if self.is_line_open { &self.heading } else { "     " };
            print!("\r\x1b[2K{start} ({})", self.progress());
            flush();
        } else if self.reported.elapsed() > REPORT_INTERVAL {
            self.reported = Instant::now();
            let progress = self.progress();
            self.say(&format!("... {progress}"));
        }
    }

    fn finish(mut self) {
        let progress = self.progress();
        if self.is_terminal {
            print!("\r\x1b[2K");
        }
        match (self.is_line_open, self.is_terminal) {
            (true, true) => println!("{} ({progress})", self.heading),
            (true, false) => println!(" ({progress})"),
            (false, _) => self.say(&progress),
        }
    }

    fn progress(&self) -> String {
        let counters = [(self.crates, "crates compiled"), (self.tests, "tests passed")];
        let counters = counters.iter().filter(|(count, _)| *count > 0);
        let mut parts: Vec<String> = counters.map(|(count, what)| format!("{count} {what}")).collect();
        parts.push(show(self.started.elapsed()));
        parts.join(", ")
    }
}

fn current() -> MutexGuard<'static, Option<Step>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Updates the line of the current step until the sender is dropped.
fn start_ticker() -> mpsc::Sender<()> {
    let (sender, stop) = mpsc::channel();
    std::thread::spawn(move || {
        while stop.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
            if let Some(step) = &mut *current() {
                step.tick();
            }
        }
    });
    sender
}

/// `target/xtask/page-optimised.log` for the title `Page, optimised`.
fn open_log(title: &str) -> Result<(File, PathBuf)> {
    let words: Vec<_> = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let folder = target().join("xtask");
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}.log", words.join("-").to_lowercase()));
    Ok((File::create(&path).with_context(|| format!("cannot write {}", path.display()))?, path))
}

fn flush() {
    std::io::stdout().flush().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_in_seconds_and_minutes() {
        assert_eq!(show(Duration::from_millis(340)), "0.3 s");
        assert_eq!(show(Duration::from_secs(75)), "75 s");
        assert_eq!(show(Duration::from_secs(390)), "6 min 30 s");
    }

    #[test]
    fn a_failure_is_explained_by_the_first_error_or_the_last_lines() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let output = lines("   Compiling a\nerror[E0308]: mismatched types\n --> src/a.rs\n   Compiling b");
        assert_eq!(explanation(&output)[0], "error[E0308]: mismatched types");
        let output = lines(&"line\n".repeat(100));
        assert_eq!(explanation(&output).len(), SHOWN_LINES);
    }
}
