//! Running other programs: what was run is named when it fails, and none outlives us.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::JoinHandle;

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
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn in_folder(mut self, folder: &std::path::Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs it with our own output; an error when it fails.
    pub(crate) fn run(mut self) -> Result<()> {
        let status = self.0.status().with_context(|| self.cannot_start())?;
        if !status.success() {
            bail!("`{}` failed ({status})", self.shown());
        }
        Ok(())
    }

    /// What it prints, trimmed; `None` when it is not there or fails.
    pub(crate) fn output(mut self) -> Option<String> {
        let Output { status, stdout, .. } =
            self.0.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        status.success().then(|| String::from_utf8_lossy(&stdout).trim().to_owned())
    }

    /// Runs it quietly, and shows what it printed when it fails.
    pub(crate) fn quiet(mut self) -> Result<()> {
        let output = self.0.stdin(Stdio::null()).output().with_context(|| self.cannot_start())?;
        if !output.status.success() {
            eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            bail!("`{}` failed ({})", self.shown(), output.status);
        }
        Ok(())
    }

    /// Starts it with our own output, to be ended by us.
    pub(crate) fn start(mut self) -> Result<Running> {
        let child = self.0.stdin(Stdio::null()).spawn().with_context(|| self.cannot_start())?;
        Ok(Running::new(child))
    }

    /// Starts it and calls `line` with each line that it prints, on another thread.
    pub(crate) fn start_reading(
        mut self,
        mut line: impl FnMut(&str) + Send + 'static,
    ) -> Result<(Running, JoinHandle<()>)> {
        self.0.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = self.0.spawn().with_context(|| self.cannot_start())?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let reader = std::thread::spawn(move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                line(&text);
            }
        });
        Ok((Running::new(child), reader))
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

/// A program that runs. Ended when this is dropped, or when we are told to end.
#[derive(Debug)]
pub(crate) struct Running(Child);

/// The ids of all programs that run.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

impl Running {
    fn new(child: Child) -> Self {
        end_with_us();
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).push(child.id());
        Self(child)
    }

    /// Waits for its end; whether it was a good one.
    pub(crate) fn wait(&mut self) -> Result<bool> {
        Ok(self.0.wait()?.success())
    }

    /// Whether it runs still.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(&mut self) {
        if self.is_alive() {
            terminate(self.0.id());
        }
        // It may have ended by itself in between.
        self.0.wait().ok();
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).retain(|id| *id != self.0.id());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ctrl-C and SIGTERM end what we started before they end us.
fn end_with_us() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let installed = ctrlc::set_handler(|| {
            let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            for id in running.iter() {
                terminate(*id);
            }
            if running.is_empty() {
                std::process::exit(130);
            }
        });
        if let Err(error) = installed {
            eprintln!("Ctrl-C will not stop the server cleanly: {error}");
        }
    });
}

fn terminate(id: u32) {
    let id = id.to_string();
    let command = if cfg!(windows) {
        program("taskkill", ["/T", "/F", "/PID", id.as_str()])
    } else {
        program("kill", ["-TERM", id.as_str()])
    };
    // It may have ended already.
    command.quiet().ok();
}
