//! Errors of a build script.

use std::path::PathBuf;

/// A table that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a serialised `google.protobuf.FileDescriptorSet`.
    #[error("these bytes are not a serialised google.protobuf.FileDescriptorSet")]
    Descriptors(#[from] prost::DecodeError),
    /// The `.proto` files do not compile.
    #[cfg(feature = "protox")]
    #[error("the .proto files do not compile")]
    Protos(#[from] protox::Error),
    /// No service was found, so the table would be empty. A misspelt package is the usual reason.
    #[error("no service in {}", searched(.packages))]
    NoService {
        /// The packages that were asked for; empty for all.
        packages: Vec<String>,
    },
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The table cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The path of the table.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// `OUT_DIR` is not set, because no build script is running.
    #[error("OUT_DIR is not set: call this in build.rs, or name a folder with write_to")]
    NoOutDir,
}

fn searched(packages: &[String]) -> String {
    match packages {
        [] => "the descriptors".to_owned(),
        packages => format!("package {}", packages.join(", ")),
    }
}
