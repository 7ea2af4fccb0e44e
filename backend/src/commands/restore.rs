//! `chinwag restore FILE`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{DataFolder, write_lines};
use crate::chat;

/// Replaces the database with a copy.
///
/// The copy is checked first; FILE stays unchanged. All rooms get new epochs, so that clients reload them. No server may be
/// using the data folder.
#[derive(Args, Debug)]
pub struct RestoreCommand {
    /// The file to restore, created by `chinwag backup`
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Keep the existing database under a name with the date
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    folder: DataFolder,
}

impl RestoreCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let data = self.folder.prepare();
        let restored = chat::restore(&data, &self.file, self.replace)?;
        let done =
            format!("restored {} ({} events) to {}", self.file.display(), restored.events, data.display());
        let kept = restored.replaced.map(|path| format!("the previous database is {}", path.display()));
        write_lines([Some(done), kept].into_iter().flatten())?;
        Ok(ExitCode::SUCCESS)
    }
}
