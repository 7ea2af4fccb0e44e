//! The gRPC-Web clients in JavaScript, bundled from `dev/bench/clients`: for the comparisons, and for the end-to-end
//! tests of the server.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::{Program, program};
use crate::root;
use crate::target;
use crate::tools::js_clients;

/// The clients' npm packages, with the tools among them.
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
            .run()?;
        Ok(Some(clients))
    }

    /// One script with both clients under one interface.
    pub(crate) fn interop(&self) -> Result<PathBuf> {
        let script = generated().join("interop.js");
        let from = self.bundle("interop.js")?.arguments(["--format=iife"]);
        from.arguments([output(&script)]).run()?;
        Ok(script)
    }

    /// Bundles `source` in `dev/bench/clients/src` into one file.
    pub(crate) fn module(&self, source: &str, to: &Path) -> Result<()> {
        self.bundle(source)?.arguments([output(to)]).run()
    }

    fn bundle(&self, source: &str) -> Result<Program> {
        let source = folder().join("src").join(source);
        let options = ["--bundle", "--minify", "--format=esm", "--log-level=warning"];
        // The sources are in the checkout, their packages in the cache.
        let folders = std::env::join_paths([self.packages.join("node_modules"), generated()])?;
        let esbuild = self.tool("esbuild")?;
        Ok(esbuild.arguments([source]).arguments(options).env("NODE_PATH", folders))
    }

    /// A program of one of the packages, with the others on PATH.
    fn tool(&self, name: &str) -> Result<Program> {
        let programs = self.packages.join("node_modules/.bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([programs.clone()].into_iter().chain(std::env::split_paths(&path)))?;
        let name = if cfg!(windows) { format!("{name}.cmd") } else { name.to_owned() };
        Ok(program(programs.join(name), [""; 0]).env("PATH", path))
    }
}

/// Makes `folder` an empty folder.
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

/// The generated code and the bundles.
fn generated() -> PathBuf {
    target().join("clients")
}

fn output(file: &Path) -> OsString {
    format!("--outfile={}", file.display()).into()
}
