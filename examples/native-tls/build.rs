//! Makes messages, client, server, method table and descriptors of `proto/clock.proto`.

use std::path::Path;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = grpc_wire_build::compile(["clock.proto"], ["proto"])?;
    grpc_wire_build::MethodTable::new(&files).write()?;
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("descriptors.bin"), files.encode_to_vec())?;
    tonic_prost_build::configure().build_transport(false).compile_fds(files)?;
    Ok(())
}
