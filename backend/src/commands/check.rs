//! `chinwag check`.

use std::process::ExitCode;

use clap::Args;

use super::{Folder, write_lines};
use crate::chat;

/// Looks whether the database is right; changes nothing.
///
/// Checks the file's structure, that the numbers of every room's events are dense, that every event can be decoded and
/// agrees with what is stored beside it, the counts of messages and of read markers against a recount, and that
/// operations lead to their events. Writes one line for each finding, and exits with 0 when there is none, with 1
/// otherwise. A server may be using the database.
#[derive(Args, Debug)]
pub struct CheckCommand {
    #[command(flatten)]
    folder: Folder,
}

impl CheckCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let chat::Checked { rooms, events, findings, more } = chat::check(&self.folder.open())?;
        let count = findings.len() as u64 + more;
        let summary = format!("checked {rooms} rooms and {events} events: {count} findings");
        let rest = (more > 0).then(|| format!("and {more} more findings"));
        write_lines(findings.into_iter().chain(rest).chain([summary]))?;
        Ok(if count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
