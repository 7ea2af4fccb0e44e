//! Makes messages, client, server and method table of the contract.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = grpc_wire_build::compile(["sampler.proto"], ["../proto"])?;
    grpc_wire_build::MethodTable::new(&files).write()?;
    tonic_prost_build::configure()
        .build_transport(false)
        .build_server(std::env::var_os("CARGO_FEATURE_SERVER").is_some())
        .compile_fds(files)?;
    Ok(())
}
