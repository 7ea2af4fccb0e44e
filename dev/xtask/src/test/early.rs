//! The builds of later steps, while tests wait for browsers.
//!
//! End-to-end tests leave a part of the processors idle. These builds take what is left, at the lowest priority, so that
//! the steps that need them find them done. A failure is left to those steps.

use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use super::BROWSER_TESTS;
use crate::command::{Program, cargo};
use crate::conformance;
use crate::page;
use crate::step::log;
use crate::tools::Suite;

/// Starts the builds when `starts` has a message. cargo locks its folder while it builds: before that, they would
/// delay the tests.
pub(super) fn builds(starts: Receiver<()>, suite: Option<&Suite>) -> JoinHandle<()> {
    let browser_tests = cargo(BROWSER_TESTS.split(' ')).arguments(["--no-run"]);
    let conformance = suite.map(|suite| conformance::page_build(suite, conformance::Transport::Fetch));
    let programs = [Some(browser_tests), Some(page::build_as_trunk()), conformance];
    std::thread::spawn(move || {
        if starts.recv().is_ok() {
            programs.into_iter().flatten().for_each(run);
        }
    })
}

fn run(program: Program) {
    let Some(program) = program.at_lowest_priority() else { return };
    log(&format!("$ {}", program.shown()));
    if let Ok((mut child, reader)) = program.start_reading_all(log) {
        // Its step fails, too.
        child.wait().ok();
        reader.join().ok();
    }
}
