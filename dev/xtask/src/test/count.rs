//! Counting what test programs say of themselves, and of what cargo says of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use crate::command::Program;

/// What all test programs together said.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// What failed, by name.
    pub(crate) failures: Vec<String>,
    /// Passed and failed, by what kind of test it is.
    pub(crate) kinds: BTreeMap<&'static str, (usize, usize)>,
    /// The kind of what runs now.
    kind: &'static str,
    /// The test program that runs now, until it has said its result.
    unfinished: Option<String>,
}

impl Count {
    /// Runs test programs, shows what they print and counts it. What does not compile, ends without a result
    /// or leaves tests out counts as failed.
    pub(crate) fn tests(&mut self, kind: &'static str, program: Program) -> Result<()> {
        let shown = program.shown();
        println!("      {shown}");
        let heard = Arc::new(Mutex::new(Count { kind, ..Count::default() }));
        let listener = heard.clone();
        let (mut running, reader) = program.start_reading_all(move |line| {
            println!("{line}");
            listener.lock().unwrap_or_else(PoisonError::into_inner).line(line);
        })?;
        let good = running.wait()?;
        // It only ends by the end of the output.
        reader.join().ok();
        let mut heard = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        heard.finish();
        heard.kind = kind;
        if !good && heard.failed == 0 {
            heard.fail(format!("`{shown}`"));
        }
        if heard.passed + heard.failed == 0 {
            heard.fail(format!("`{shown}` ran no test"));
        }
        self.passed += heard.passed;
        self.failed += heard.failed;
        self.failures.append(&mut heard.failures);
        for (kind, (passed, failed)) in heard.kinds {
            let of_kind = self.kinds.entry(kind).or_default();
            *of_kind = (of_kind.0 + passed, of_kind.1 + failed);
        }
        Ok(())
    }

    /// One check of our own.
    pub(crate) fn check(&mut self, kind: &'static str, name: &str, result: Result<()>) {
        self.kind = kind;
        match result {
            Ok(()) => {
                println!("test {name} ... ok");
                self.add(1, 0);
            }
            Err(error) => {
                println!("test {name} ... FAILED: {error:#}");
                self.fail(name.to_owned());
            }
        }
    }

    fn add(&mut self, passed: usize, failed: usize) {
        self.passed += passed;
        self.failed += failed;
        let kind = self.kinds.entry(self.kind).or_default();
        *kind = (kind.0 + passed, kind.1 + failed);
    }

    fn fail(&mut self, what: String) {
        self.add(0, 1);
        self.failures.push(what);
    }

    fn line(&mut self, line: &str) {
        if let Some(summary) = line.strip_prefix("test result: ") {
            self.unfinished = None;
            let ignored = number_before(summary, " ignored");
            self.add(number_before(summary, " passed"), number_before(summary, " failed") + ignored);
            if ignored > 0 {
                self.failures.push(format!("{ignored} ignored tests"));
            }
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... FAIL")) {
            self.failures.push(name.0.to_owned());
        } else if let Some(program) = started(line) {
            self.finish();
            if program.contains("/e2e-") {
                self.kind = "end to end";
            } else if self.kind == "end to end" {
                self.kind = "on the host";
            }
            self.unfinished = Some(program.to_owned());
        } else if line == NOTHING_TO_RUN {
            self.unfinished = None;
        } else if let Some(what) = line.strip_prefix("error: could not compile ") {
            self.fail(format!("{what} (it does not compile)"));
        } else if line.starts_with("    `-p ") {
            // cargo ends with the arguments that run the failed programs again.
            self.failures.push(format!("cargo test {}", line.trim().trim_matches('`')));
        }
    }

    /// No more comes from the program that ran last.
    fn finish(&mut self) {
        if let Some(program) = self.unfinished.take() {
            self.fail(format!("{program} ended without a result"));
        }
    }
}

/// What the runner of browser tests says of a program without any.
const NOTHING_TO_RUN: &str = "no tests to run!";

/// The program that cargo says it starts: `     Running tests/it/main.rs (target/debug/deps/it-0123)`.
fn started(line: &str) -> Option<&str> {
    line.strip_prefix("     Running ").or_else(|| line.strip_prefix("   Doc-tests ").map(|_| line.trim()))
}

fn number_before(text: &str, word: &str) -> usize {
    let number = text.split(word).next().and_then(|before| before.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::program;

    fn count(lines: &[&str]) -> Count {
        let mut count = Count { kind: "on the host", ..Count::default() };
        for line in lines {
            count.line(line);
        }
        count.finish();
        count
    }

    #[test]
    fn results_of_several_programs_are_added_and_failures_named() {
        let count = count(&[
            "     Running unittests src/lib.rs (target/debug/deps/a-1)",
            "test a::works ... ok",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "     Running tests/it/main.rs (target/debug/deps/e2e-2)",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.01s",
            "   Doc-tests b",
            "test b::breaks ... FAILED",
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
        ]);
        assert_eq!(count.kinds["end to end"], (2, 0));
        assert_eq!(count.kinds["on the host"], (15, 1));
        assert_eq!((count.passed, count.failed), (17, 1));
        assert_eq!(count.failures, ["b::breaks"]);
    }

    #[test]
    fn a_program_that_crashes_between_others_counts_as_failed_and_is_named() {
        let good = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let count = count(&[
            "     Running unittests src/lib.rs (target/debug/deps/a-1)",
            good,
            "     Running tests/it/main.rs (target/debug/deps/it-2)",
            "test b::overflows_the_stack ... ",
            "     Running unittests src/main.rs (target/debug/deps/c-3)",
            good,
            "   Doc-tests c",
        ]);
        assert_eq!((count.passed, count.failed), (2, 2));
        assert_eq!(
            count.failures,
            [
                "tests/it/main.rs (target/debug/deps/it-2) ended without a result",
                "Doc-tests c ended without a result"
            ]
        );
    }

    #[test]
    fn what_does_not_compile_and_what_is_ignored_counts_as_failed() {
        let count = count(&[
            "error: could not compile `backend` (test \"it\") due to 1 previous error",
            "test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out",
        ]);
        assert_eq!((count.passed, count.failed), (1, 3));
    }

    #[test]
    fn a_program_that_fails_or_tests_nothing_counts_as_failed() {
        let mut count = Count::default();
        count.tests("broken", program("false", [""; 0])).unwrap();
        count.tests("empty", program("true", [""; 0])).unwrap();
        assert_eq!((count.passed, count.failed), (0, 2));
        assert_eq!(count.failures, ["`false`", "`true` ran no test"]);
    }
}
