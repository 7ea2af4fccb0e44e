//! Counts tests, from the output of test programs and of cargo.
//!
//! Each line of the output goes to the step's log. Failed tests are shown, with what they printed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use crate::command::Program;
use crate::step::{explanation, log, say, say_end_of_log};

/// The results of all test programs.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// Names of failed tests.
    pub(crate) failures: Vec<String>,
    /// Passed and failed, by kind of test.
    pub(crate) kinds: BTreeMap<&'static str, (usize, usize)>,
    /// The kind of the running tests.
    kind: &'static str,
    /// The running test program, until its result is known.
    unfinished: Option<String>,
    /// Whether the next lines are the output of failed tests.
    in_failures: bool,
    /// The output of failed tests and programs.
    pub(crate) explanations: Vec<String>,
}

impl Count {
    /// Runs test programs and counts their results. Compile errors, programs without a result and ignored tests count
    /// as failed.
    pub(crate) fn tests(&mut self, kind: &'static str, program: Program) -> Result<()> {
        // Of long outputs often the end alone is kept, and backtraces would take its place.
        let program = program.env("RUST_BACKTRACE", "0");
        let shown = program.shown();
        log(&format!("$ {shown}"));
        let shared = Arc::new(Mutex::new((Count { kind, ..Count::default() }, Vec::new())));
        let counting = shared.clone();
        let (mut child, reader) = program.start_reading_all(move |line| {
            log(line);
            let (count, lines) = &mut *counting.lock().unwrap_or_else(PoisonError::into_inner);
            if started(line).is_some() {
                count.explain_unfinished(lines);
                lines.clear();
            }
            if count.line(line) {
                count.explain(line);
            }
            lines.push(line.to_owned());
        })?;
        let succeeded = child.wait()?;
        // It ends with the output.
        reader.join().ok();
        let (mut count, lines) = std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner));
        count.explain_unfinished(&lines);
        count.finish();
        if !succeeded && count.failed == 0 {
            count.fail(format!("`{shown}`"));
        }
        if count.passed + count.failed == 0 {
            count.fail(format!("`{shown}` ran no test"));
        }
        if !succeeded && count.explanations.is_empty() {
            count.explain_with_end_of(&lines);
        }
        self.add_all(count);
        Ok(())
    }

    fn add_all(&mut self, mut other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.append(&mut other.failures);
        self.explanations.append(&mut other.explanations);
        for (kind, (passed, failed)) in other.kinds {
            let total = self.kinds.entry(kind).or_default();
            *total = (total.0 + passed, total.1 + failed);
        }
    }

    /// Counts a check that no test program makes.
    pub(crate) fn check(&mut self, kind: &'static str, name: &str, result: Result<()>) {
        self.kind = kind;
        match result {
            Ok(()) => {
                log(&format!("test {name} ... ok"));
                self.add(1, 0);
            }
            Err(error) => {
                self.explain(&format!("test {name} ... FAILED: {error:#}"));
                self.fail(name.to_owned());
            }
        }
    }

    fn add(&mut self, passed: usize, failed: usize) {
        self.passed += passed;
        self.failed += failed;
        let total = self.kinds.entry(self.kind).or_default();
        *total = (total.0 + passed, total.1 + failed);
    }

    fn fail(&mut self, what: String) {
        self.add(0, 1);
        self.failures.push(what);
    }

    /// Counts the next line of output; whether people have to see it.
    fn line(&mut self, line: &str) -> bool {
        // A second such line begins the bare list of names.
        let was_in_failures = self.in_failures;
        self.in_failures = match line {
            FAILURES => !was_in_failures,
            line => was_in_failures && !line.starts_with("test result: "),
        };
        self.count(line);
        self.in_failures || line.starts_with("test ") && line.ends_with(" ... FAILED")
    }

    fn count(&mut self, line: &str) {
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

    /// Shows the end of `output` when its program ended without a result.
    fn explain_unfinished(&mut self, output: &[String]) {
        if self.unfinished.is_some() {
            self.explain_with_end_of(output);
        }
    }

    fn explain_with_end_of(&mut self, output: &[String]) {
        say_end_of_log(output);
        self.explanations.extend_from_slice(explanation(output));
    }

    /// Shows a line about a failure now, and keeps it for the end of the run.
    fn explain(&mut self, line: &str) {
        say(line);
        self.explanations.push(line.to_owned());
    }

    /// The last program has ended.
    fn finish(&mut self) {
        if let Some(program) = self.unfinished.take() {
            self.fail(format!("{program} ended without a result"));
        }
    }
}

/// The line that begins the output of failed tests.
const FAILURES: &str = "failures:";
/// The browser runner's line for a program without tests.
const NOTHING_TO_RUN: &str = "no tests to run!";

/// The test program in cargo's line `     Running tests/it/main.rs (target/debug/deps/it-0123)`.
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
    fn results_of_several_programs_are_added() {
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
    fn a_crashed_program_counts_as_failed() {
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
    fn compile_errors_and_ignored_tests_count_as_failed() {
        let count = count(&[
            "error: could not compile `backend` (test \"it\") due to 1 previous error",
            "test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out",
        ]);
        assert_eq!((count.passed, count.failed), (1, 3));
    }

    #[test]
    fn a_program_without_tests_counts_as_failed() {
        let mut count = Count::default();
        count.tests("broken", program("false", [""; 0])).unwrap();
        count.tests("empty", program("true", [""; 0])).unwrap();
        assert_eq!((count.passed, count.failed), (0, 2));
        assert_eq!(count.failures, ["`false`", "`true` ran no test"]);
    }

    #[test]
    fn the_end_of_a_run_repeats_what_failures_printed() {
        let mut count = Count::default();
        let run = "echo '     Running a (b)'; echo 'no browser'; exit 1";
        count.tests("in the browser", program("sh", ["-c", run])).unwrap();
        count.check("chaos", "nothing is lost", Err(anyhow::anyhow!("one message is lost")));
        let expected =
            ["     Running a (b)", "no browser", "test nothing is lost ... FAILED: one message is lost"];
        assert_eq!(count.explanations, expected);
    }

    #[test]
    fn only_the_output_of_failed_tests_is_shown() {
        let mut count = Count::default();
        let output = "test a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\nleft: 1\n\nfailures:\n    b\n\n\
                      test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        let shown: Vec<_> = output.lines().filter(|line| count.line(line) && !line.is_empty()).collect();
        assert_eq!(shown, ["test b ... FAILED", "failures:", "---- b stdout ----", "left: 1"]);
    }
}
