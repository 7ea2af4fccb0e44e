//! gRPC-Web clients of others, bundled from `dev/bench/clients`: for the comparisons, and for the end-to-end
//! tests that call our server with them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::{Program, program};
use crate::root;
use crate::server::target;
use crate::tools::js_clients;

/// The clients' packages and the tools that come with them.
#[derive(Debug)]
pub(crate) struct Clients {
    /// The folder that npm installed into.
    packages: PathBuf,
}

impl Clients {
    /// Installs the packages and generates the Greeter; `None` where npm is not there or cannot fetch them.
    pub(crate) fn set_up() -> Result<Option<Self>> {
        let Some(packages) = js_clients(&folder())? else { return Ok(None) };
        let clients = Self { packages };
        let (contract, template) = (root().join("proto/helloworld.proto"), folder().join("buf.gen.json"));
        clients
            .tool("buf")?
            .arguments(["generate".as_ref(), root().join("proto").as_os_str()])
            .arguments(["--path".as_ref(), contract.as_os_str()])
            .arguments(["--template".as_ref(), template.as_os_str()])
            .arguments(["--output".as_ref(), generated().as_os_str()])
            .quiet()?;
        Ok(Some(clients))
    }

    /// Both clients with one interface in one script.
    pub(crate) fn interop(&self) -> Result<PathBuf> {
        let script = generated().join("interop.js");
        let from = self.bundle("interop.js")?.arguments(["--format=iife"]);
        from.arguments([output(&script)]).quiet()?;
        Ok(script)
    }

    /// One module in one file: `source` in `dev/bench/clients/src`, and all that it imports.
    pub(crate) fn module(&self, source: &str, to: &Path) -> Result<()> {
        self.bundle(source)?.arguments([output(to)]).quiet()
    }

    /// The same of a source that imports `the-module`, which is the file `module`.
    pub(crate) fn module_around(&self, source: &str, module: &Path, to: &Path) -> Result<()> {
        let alias = format!("--alias:the-module={}", module.display());
        self.bundle(source)?.arguments([alias.into(), output(to)]).quiet()
    }

    fn bundle(&self, source: &str) -> Result<Program> {
        let source = folder().join("src").join(source);
        let options = ["--bundle", "--minify", "--format=esm", "--log-level=warning"];
        // The sources lie in the checkout, what they import lies elsewhere.
        let folders = std::env::join_paths([self.packages.join("node_modules"), generated()])?;
        let esbuild = self.tool("esbuild")?;
        Ok(esbuild.arguments([source]).arguments(options).env("NODE_PATH", folders))
    }

    /// A program of one of the packages, which finds the others.
    fn tool(&self, name: &str) -> Result<Program> {
        let programs = self.packages.join("node_modules/.bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([programs.clone()].into_iter().chain(std::env::split_paths(&path)))?;
        let name = if cfg!(windows) { format!("{name}.cmd") } else { name.to_owned() };
        Ok(program(programs.join(name), [""; 0]).env("PATH", path))
    }
}

/// A folder that holds nothing else than what is made now.
pub(crate) fn emptied(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// The sources.
pub(crate) fn folder() -> PathBuf {
    root().join("dev/bench/clients")
}

/// What is made of them.
fn generated() -> PathBuf {
    target().join("clients")
}

fn output(file: &Path) -> OsString {
    format!("--outfile={}", file.display()).into()
}
