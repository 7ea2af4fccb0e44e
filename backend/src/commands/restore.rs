//! `chinwag restore FILE`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Folder, write_lines};
use crate::chat;

/// Puts a copy in the place of the database.
///
/// The copy is checked first, and FILE stays as it is. All rooms get new epochs, so that clients read them anew. No
/// server may be using the data folder.
#[derive(Args, Debug)]
pub struct RestoreCommand {
    /// The file to be restored, made by `chinwag backup`
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Put the database aside that is there, under a name with the date
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    folder: Folder,
}

impl RestoreCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let data = self.folder.open();
        let restored = chat::restore(&data, &self.file, self.replace)?;
        let done =
            format!("restored {} ({} events) to {}", self.file.display(), restored.events, data.display());
        let kept = restored.replaced.map(|path| format!("the database that was there is {}", path.display()));
        write_lines([Some(done), kept].into_iter().flatten())?;
        Ok(ExitCode::SUCCESS)
    }
}
