//! The server that the suite calls.

use std::process::ExitCode;

#[cfg(all(suite, unix))]
fn main() -> ExitCode {
    match conformance::server::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(all(suite, unix)))]
fn main() -> ExitCode {
    eprintln!("{}", conformance::NOT_BUILT);
    ExitCode::FAILURE
}
