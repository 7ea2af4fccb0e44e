//! Built without the suite's contracts.

use std::process::Command;

#[test]
fn every_program_names_the_command_that_builds_it() {
    let programs = [
        env!("CARGO_BIN_EXE_conformance-client"),
        env!("CARGO_BIN_EXE_conformance-native-client"),
        env!("CARGO_BIN_EXE_conformance-page"),
        env!("CARGO_BIN_EXE_conformance-server"),
    ];
    for program in programs {
        let output = Command::new(program).output().unwrap();
        assert!(!output.status.success(), "{program}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("cargo xtask conformance"), "{program}: {text}");
    }
}
