//! Compiles the suite's contracts, where they are, into types, a client and a service.
//!
//! They lie in the suite's Go module and are not copied into this project. `cargo xtask conformance`
//! downloads it and names its folder; without that, everything here is built empty.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;
use prost_types::method_options::IdempotencyLevel;
use prost_types::{FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};
use tonic_prost_build::Config;

/// Names the folder that the contracts' imports start from.
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
    fs::write(out.join("methods.rs"), methods(&files.file)?)?;
    fs::write(out.join("descriptors.bin"), files.encode_to_vec())?;

    let mut messages = Config::new();
    messages.enable_type_names().type_name_domain(["."], "type.googleapis.com");
    tonic_prost_build::configure().build_transport(false).compile_fds_with_config(files, messages)?;
    Ok(())
}

/// The table of methods that the channel is told, as an array's source.
fn methods(files: &[FileDescriptorProto]) -> Result<String, std::fmt::Error> {
    let mut source = String::from("[\n");
    for file in files {
        for service in &file.service {
            for method in &service.method {
                writeln!(source, "    {},", entry(file.package(), service, method))?;
            }
        }
    }
    source.push(']');
    Ok(source)
}

fn entry(package: &str, service: &ServiceDescriptorProto, method: &MethodDescriptorProto) -> String {
    let kind =
        format!("MethodKind::from_flags({}, {})", method.client_streaming(), method.server_streaming());
    let level = method.options.as_ref().map(|options| options.idempotency_level()).unwrap_or_default();
    let idempotency = match level {
        IdempotencyLevel::IdempotencyUnknown => "Unknown",
        IdempotencyLevel::Idempotent => "Idempotent",
        IdempotencyLevel::NoSideEffects => "NoSideEffects",
    };
    let path = format!("/{package}.{}/{}", service.name(), method.name());
    format!("Method::new({path:?}, {kind}).with_idempotency(Idempotency::{idempotency})")
}
