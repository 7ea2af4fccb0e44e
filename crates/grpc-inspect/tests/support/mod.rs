//! The descriptors of `tests/protos`.

use grpc_inspect::pool::Pool;
use prost::Message as _;

/// `everything2.proto` and `everything3.proto` with their comments.
pub(crate) fn everything() -> Pool {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/protos");
    let mut compiler = protox::Compiler::new([folder]).unwrap();
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(["everything2.proto", "everything3.proto"]).unwrap();
    Pool::from_set(&compiler.file_descriptor_set().encode_to_vec()).unwrap()
}
