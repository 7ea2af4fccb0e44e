//! A client that passes each call of the suite on to a page in a browser.

use std::process::ExitCode;

#[cfg(all(suite, unix))]
fn main() -> ExitCode {
    match conformance::bridge::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance-client: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(all(suite, unix)))]
fn main() -> ExitCode {
    eprintln!("{}", conformance::NOT_BUILT);
    ExitCode::FAILURE
}
