//! Compiles the suite's contracts into types, a client and a service.
//!
//! The contracts are part of the suite's Go module. `cargo xtask conformance` downloads it and names its folder; without
//! it, this package is built empty.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use grpc_wire_build::MethodTable;
use prost::Message as _;
use tonic_prost_build::Config;

/// The variable that names the folder of the contracts.
const FOLDER: &str = "CHINWAG_CONFORMANCE_PROTOS";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={FOLDER}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(suite)");
    let Some(folder) = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty()) else { return Ok(()) };
    println!("cargo::rustc-cfg=suite");
    generate(Path::new(&folder), &PathBuf::from(std::env::var("OUT_DIR")?))
}

fn generate(folder: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let roots = ["client_compat.proto", "server_compat.proto", "service.proto"];
    let roots = roots.map(|name| format!("connectrpc/conformance/v1/{name}"));
    let files = protox::compile(roots, [folder])?;
    MethodTable::new(&files).types_from("::tonic_web_channel").write_to(out)?;
    fs::write(out.join("descriptors.bin"), files.encode_to_vec())?;

    let mut messages = Config::new();
    messages.enable_type_names().type_name_domain(["."], "type.googleapis.com");
    tonic_prost_build::configure().build_transport(false).compile_fds_with_config(files, messages)?;
    Ok(())
}
