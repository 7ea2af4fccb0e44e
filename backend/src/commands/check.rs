//! `chinwag check`.

use std::process::ExitCode;

use clap::Args;

use super::{DataFolder, write_lines};
use crate::chat;

/// Checks the database; changes nothing.
///
/// Checks the structure of the file, that event numbers are dense, that every event can be decoded and matches its
/// columns, that the counts of messages and of read markers equal a recount, and that operations match their events.
/// Prints one line per finding, and exits with 0 if there is none, with 1 otherwise. A server may be using the database.
#[derive(Args, Debug)]
pub struct CheckCommand {
    #[command(flatten)]
    folder: DataFolder,
}

impl CheckCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let chat::CheckReport { rooms, events, findings, omitted } = chat::check(&self.folder.prepare())?;
        let count = findings.len() as u64 + omitted;
        let summary = format!("checked {rooms} rooms and {events} events: {count} findings");
        let rest = (omitted > 0).then(|| format!("and {omitted} more findings"));
        write_lines(findings.into_iter().chain(rest).chain([summary]))?;
        Ok(if count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
