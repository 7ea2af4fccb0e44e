//! The page's program: makes the calls that `conformance-client` hands out.

#[cfg(all(suite, target_arch = "wasm32"))]
fn main() {
    conformance::page::run();
}

#[cfg(not(all(suite, target_arch = "wasm32")))]
fn main() -> std::process::ExitCode {
    eprintln!("{}", conformance::NOT_BUILT);
    std::process::ExitCode::FAILURE
}
