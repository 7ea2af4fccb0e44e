//! Makes messages, client, server, method table and descriptors of `proto/quotes.proto`.

use std::path::Path;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = grpc_wire_build::compile(["quotes.proto"], ["proto"])?;
    grpc_wire_build::MethodTable::new(&files).write()?;
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("descriptors.bin"), files.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_transport(false)
        .build_server(std::env::var_os("CARGO_FEATURE_SSR").is_some())
        .compile_fds(files)?;
    Ok(())
}
