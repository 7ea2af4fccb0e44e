//! Compiles `.proto` files inside a build script, without protoc.

use std::path::Path;

use prost_types::FileDescriptorSet;

use crate::Error;

/// Compiles `files` and everything they import, which is looked for in the folders `includes`.
///
/// Prints `cargo::rerun-if-changed` for every file that was read from disk, so Cargo runs the build script again
/// only when one of them or the script itself changes. Comments are kept: prost makes documentation of them.
///
/// # Errors
///
/// [`Error::Protos`] with the place in the file.
pub fn compile(
    files: impl IntoIterator<Item = impl AsRef<Path>>,
    includes: impl IntoIterator<Item = impl AsRef<Path>>,
) -> Result<FileDescriptorSet, Error> {
    let mut compiler = protox::Compiler::new(includes)?;
    compiler.include_source_info(true).include_imports(true).open_files(files)?;
    for path in compiler.files().filter_map(|file| file.path()) {
        watch(path);
    }
    Ok(compiler.file_descriptor_set())
}

#[expect(clippy::print_stdout, reason = "Cargo reads the output of a build script")]
fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}
