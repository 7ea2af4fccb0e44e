//! `chinwag backup FILE`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{DataFolder, write_lines};
use crate::chat;

/// Copies the database to a file.
///
/// A server may be using the database: the copy shows a single moment, and writes go on. The copy is checked, and is on
/// disk when the command ends.
#[derive(Args, Debug)]
pub struct BackupCommand {
    /// The file to create; it must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    folder: DataFolder,
}

impl BackupCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let bytes = chat::backup(&self.folder.prepare(), &self.file)?;
        write_lines([format!("copied the database to {} ({bytes} bytes)", self.file.display())])?;
        Ok(ExitCode::SUCCESS)
    }
}
