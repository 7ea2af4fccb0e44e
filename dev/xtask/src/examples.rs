//! `cargo xtask examples`: builds every application in `examples/`, and runs the command that it names for its checks:
//!
//! ```toml
//! [package.metadata.chinwag]
//! ci = "cargo run -- --check"
//! ```
//!
//! The words of `ci` are a program and its arguments. It runs in the example's folder, with the tools on PATH, instead of
//! the build. An example that is a workspace writes `[workspace.metadata.chinwag]`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::browser::Browser;
use crate::command::program;
use crate::step::Steps;
use crate::tools::Tools;
use crate::{manifests, root, target};

pub(crate) fn run() -> Result<()> {
    let examples = all()?;
    let mut steps = Steps::new(examples.len() + 1);
    let (tools, browser) = steps.step("Tools and browser", || Ok((Tools::set_up()?, Browser::set_up()?)))?;
    examples.iter().try_for_each(|example| steps.step(&example.name(), || example.check(&tools, &browser)))
}

/// All applications, by their names.
pub(crate) fn all() -> Result<Vec<Example>> {
    let manifests = manifests(&root().join("examples"))?;
    Ok(manifests.into_iter().map(|manifest| Example { manifest }).collect())
}

/// An application in `examples/`.
pub(crate) struct Example {
    manifest: PathBuf,
}

impl Example {
    /// The name of its folder.
    pub(crate) fn name(&self) -> String {
        self.folder().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(&self.manifest)
    }

    /// Builds it, or runs its command.
    pub(crate) fn check(&self, tools: &Tools, browser: &Browser) -> Result<()> {
        let text = fs::read_to_string(&self.manifest)?;
        let command = ci_command(&text).unwrap_or("cargo build");
        let (name, arguments) = command.split_once(' ').unwrap_or((command, ""));
        program(name, arguments.split_terminator(' '))
            .in_folder(self.folder())
            // With the folder and the setting of the workspace, most dependencies are built already.
            .env("CARGO_TARGET_DIR", target())
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .env("PATH", tools.path()?)
            .env("CHROME", &browser.chrome)
            .env("CHROMEDRIVER", &browser.driver)
            .run()
            .with_context(|| format!("example {}", self.name()))
    }
}

/// The value of `ci` under `[package.metadata.chinwag]` or `[workspace.metadata.chinwag]`.
fn ci_command(manifest: &str) -> Option<&str> {
    let (_, section) = manifest.split_once(".metadata.chinwag]")?;
    let section = section.split("\n[").next()?;
    section.lines().find_map(|line| line.strip_prefix("ci = \"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_an_example_is_read_from_its_own_section() {
        let manifest = "[package]\nci = \"no\"\n\n[package.metadata.chinwag]\nci = \"cargo run -- --check\"\n\n[lints]\n";
        assert_eq!(ci_command(manifest), Some("cargo run -- --check"));
        assert_eq!(ci_command("[package.metadata.chinwag]\n[lints]\nci = \"no\"\n"), None);
        assert_eq!(ci_command("[workspace.metadata.chinwag]\nci = \"./check\"\n"), Some("./check"));
        assert_eq!(ci_command("[package]\n"), None);
    }
}
