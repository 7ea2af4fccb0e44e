//! Versions of the measured clients.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The packages of the JavaScript clients.
const PACKAGES: &str = include_str!("../../clients/package.json");

const LOCK: &str = include_str!("../../../../Cargo.lock");

/// All versions in a line.
pub(crate) fn all(chrome: &Path) -> Result<String> {
    let output =
        Command::new(chrome).arg("--version").output().context("the browser does not report its version")?;
    let browser = String::from_utf8_lossy(&output.stdout);
    // Debian's browser adds the name of the system.
    let browser = browser.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let packages: Value = serde_json::from_str(PACKAGES)?;
    let package = |name: &str| format!("{name} {}", packages["dependencies"][name].as_str().unwrap_or("?"));
    let of = |name: &str| format!("{name} {}", locked(name).unwrap_or("?"));
    let all = [
        browser,
        package("@connectrpc/connect-web"),
        package("@bufbuild/protobuf"),
        package("grpc-web"),
        package("google-protobuf"),
        package("@improbable-eng/grpc-web"),
        package("nice-grpc-web"),
        of("grpc-webnext-client"),
        of("tonic-web-wasm-client"),
        of("tonic"),
        of("wasm-bindgen"),
    ];
    Ok(all.join(", "))
}

fn locked(name: &str) -> Option<&'static str> {
    let (_, after) = LOCK.split_once(&format!("\nname = \"{name}\"\nversion = \""))?;
    after.split_once('"').map(|(version, _)| version)
}
