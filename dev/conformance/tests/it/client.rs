//! The client in a browser, without a usable browser.

use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, browser: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance-client"))
        .arg(folder)
        .env("CHROME", browser)
        .output()
        .unwrap()
}

fn page() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["conformance-page.js", "conformance-page_bg.wasm"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    folder
}

fn error(output: &Output) -> String {
    assert!(!output.status.success());
    assert_eq!(output.stdout, b"");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_error_names_a_missing_browser() {
    let text = error(&run(page().path(), "no-such-browser"));
    assert!(text.contains("cannot start the browser `no-such-browser`"), "{text}");
}

#[test]
fn the_error_names_a_missing_page() {
    let folder = tempfile::tempdir().unwrap();
    let text = error(&run(folder.path(), "no-such-browser"));
    assert!(text.contains("conformance-page.js"), "{text}");
}

#[test]
fn it_succeeds_without_cases() {
    // The stand-in for the browser still runs at the end.
    let folder = page();
    let browser = folder.path().join("browser");
    std::fs::write(&browser, "#!/bin/sh\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = run(folder.path(), browser.to_str().unwrap());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
