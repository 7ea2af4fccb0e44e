//! Makes messages, client and method table of `proto/helloworld.proto`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = grpc_wire_build::compile(["helloworld.proto"], ["proto"])?;
    grpc_wire_build::MethodTable::new(&files).write()?;
    tonic_prost_build::configure().build_transport(false).build_server(false).compile_fds(files)?;
    Ok(())
}
