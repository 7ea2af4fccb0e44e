//! Compiles the contracts into `proto/src/generated`.
//!
//! protox parses them without protoc. One parse serves messages, services, the table of methods, the tables of messages,
//! and the descriptors for reflection.

mod schema;
mod unary;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use grpc_wire_build::MethodTable;
use prost::Message as _;
use prost_types::FileDescriptorSet;

/// Folder of the `.proto` files, from the workspace's root.
const CONTRACTS: &str = "proto";
/// The standard health service. The page does not call it, so it is not among its methods.
const HEALTH: &str = "grpc/health/v1/health.proto";
/// The changes that the chat's writer makes. Clients never see them, so they are for servers only.
const LOG: &str = "chat/log/v1/log.proto";
/// Folder of the generated code, from the workspace's root.
const GENERATED: &str = "proto/src/generated";

/// Generates all code under `root`, the workspace's root.
pub(crate) fn run(root: &Path) -> Result<()> {
    generate(&root.join(CONTRACTS), &root.join(GENERATED))
}

fn generate(contracts: &Path, out: &Path) -> Result<()> {
    let files = protox::compile(["helloworld.proto", "chat/v1/chat.proto"], [contracts])
        .context("the contracts do not compile")?;
    let server_out = out.join("server");
    fs::create_dir_all(&server_out).with_context(|| format!("cannot create {}", server_out.display()))?;

    // Messages and clients, for every target.
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .bytes(".chat.v1.Event.operation_id")
        .out_dir(out)
        .compile_fds(files.clone())
        .context("cannot generate messages and clients")?;

    // Service traits. `Subscribe` returns encoded bytes, which streams share. Buffers of a call are small, because clients
    // may open many calls.
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .extern_path(".chat.v1.SubscribeResponse", "crate::EncodedSubscribeResponse")
        .extern_path(".chat.v1", "crate::chat::v1")
        .extern_path(".helloworld", "crate::helloworld")
        .codec_path("crate::SmallBufferCodec")
        .out_dir(&server_out)
        .compile_fds(files.clone())
        .context("cannot generate the services")?;

    generate_health(contracts, &server_out)?;
    generate_log(contracts, &server_out)?;
    MethodTable::new(&files).file_name("method_table.rs").write_to(out)?;
    fs::write(out.join("methods.rs"), schema::tables(&files)?).context("cannot write the methods")?;
    fs::write(out.join("unary.rs"), unary::requests(&files)?).context("cannot write the unary requests")?;

    let descriptors = with_comments_only(files).encode_to_vec();
    fs::write(out.join("descriptors.bin"), descriptors).context("cannot write the descriptors")
}

/// The health service: messages, client, service trait and descriptors, for servers only.
fn generate_health(contracts: &Path, out: &Path) -> Result<()> {
    let files = protox::compile([HEALTH], [contracts]).context("the health service does not compile")?;
    tonic_prost_build::configure()
        .build_transport(false)
        .out_dir(out)
        .compile_fds(files.clone())
        .context("cannot generate the health service")?;
    let descriptors = with_comments_only(files).encode_to_vec();
    fs::write(out.join("health.bin"), descriptors)
        .context("cannot write the descriptors of the health service")
}

/// The messages of the chat's changes, without descriptors: no service has them.
fn generate_log(contracts: &Path, out: &Path) -> Result<()> {
    let files = protox::compile([LOG], [contracts]).context("the changes of the chat do not compile")?;
    tonic_prost_build::configure()
        .out_dir(out)
        .compile_fds(files)
        .context("cannot generate the changes of the chat")
}

/// Tools that use reflection show the comments. Places of elements without one would be most of the bytes.
fn with_comments_only(mut files: FileDescriptorSet) -> FileDescriptorSet {
    for info in files.file.iter_mut().filter_map(|file| file.source_code_info.as_mut()) {
        info.location.retain(|location| {
            location.leading_comments.is_some()
                || location.trailing_comments.is_some()
                || !location.leading_detached_comments.is_empty()
        });
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                found.insert(
                    path.file_name().unwrap().to_string_lossy().into_owned(),
                    fs::read(&path).unwrap(),
                );
            }
        }
        found
    }

    #[test]
    fn the_generated_code_is_current() {
        let root = crate::root();
        let fresh = tempfile::tempdir().unwrap();
        generate(&root.join(CONTRACTS), fresh.path()).unwrap();

        for folder in ["", "server"] {
            let committed = contents(&root.join(GENERATED).join(folder));
            assert!(
                committed == contents(&fresh.path().join(folder)),
                "{GENERATED}/{folder} is stale: run `cargo xtask codegen` and commit"
            );
        }
    }
}
