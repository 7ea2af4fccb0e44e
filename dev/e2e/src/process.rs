//! A child process that ends with its owner, whatever becomes of the test.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{PATIENCE, Result};

/// A running program. Killed, and waited for, when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts a program and waits for the first line of its standard output that `find` takes.
    pub(crate) fn start<T: Send + 'static>(
        command: &mut Command,
        find: impl Fn(&str) -> Option<T> + Send + 'static,
    ) -> Result<(Process, T)> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{program} does not start"))?;
        let output = child.stdout.take().context("its output is piped")?;
        let process = Process { child };
        let (found, wait) = mpsc::sync_channel(1);
        // Reads to the end, so that the program never waits for a reader.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(std::io::Result::ok) {
                if let Some(value) = find(&line) {
                    // Only the first is waited for.
                    found.try_send(value).ok();
                }
            }
        });
        match wait.recv_timeout(PATIENCE) {
            Ok(value) => Ok((process, value)),
            Err(_) => bail!("{program} did not say that it is ready"),
        }
    }

    /// SIGTERM: the program ends as it wants to. Returns when it is gone, with whether it says that all
    /// is well.
    pub(crate) fn terminate(&mut self) -> Result<bool> {
        let pid = Pid::from_raw(self.child.id().try_into()?).context("a process has a number")?;
        kill_process(pid, Signal::TERM)?;
        Ok(self.child.wait()?.success())
    }

    /// SIGKILL: the program gets no chance to do anything. Returns when it is gone.
    pub(crate) fn kill(&mut self) -> Result {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.kill().ok();
    }
}
