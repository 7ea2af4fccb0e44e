//! Makes messages, client, server and method table of `proto/clock.proto`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = grpc_wire_build::compile(["clock.proto"], ["proto"])?;
    grpc_wire_build::MethodTable::new(&files).write()?;
    tonic_prost_build::configure().build_transport(false).compile_fds(files)?;
    Ok(())
}
