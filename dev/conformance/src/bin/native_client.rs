//! A client without a browser.

use std::process::ExitCode;

#[cfg(all(suite, unix))]
fn main() -> ExitCode {
    match conformance::native::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance-native-client: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(all(suite, unix)))]
fn main() -> ExitCode {
    eprintln!("{}", conformance::NOT_BUILT);
    ExitCode::FAILURE
}
