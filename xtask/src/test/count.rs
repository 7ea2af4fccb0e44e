//! Counting what test programs say of themselves.

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
}

impl Count {
    /// Runs test programs, shows what they print and counts it. A program that fails without saying which
    /// test did counts as one that failed.
    pub(crate) fn tests(&mut self, kind: &str, program: Program) -> Result<()> {
        let shown = program.shown();
        let heard = Arc::new(Mutex::new(Count::default()));
        let listener = heard.clone();
        let (mut running, reader) = program.start_reading(move |line| {
            println!("{line}");
            listener.lock().unwrap_or_else(PoisonError::into_inner).line(line);
        })?;
        let good = running.wait()?;
        // It only ends by the end of the output.
        reader.join().ok();
        let mut heard = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        if !good && heard.failed == 0 {
            heard.failed = 1;
            heard.failures.push(format!("`{shown}`"));
        }
        if heard.passed + heard.failed == 0 {
            heard.failed = 1;
            heard.failures.push(format!("`{shown}` ran no test"));
        }
        println!("      {kind}: {} passed, {} failed", heard.passed, heard.failed);
        self.passed += heard.passed;
        self.failed += heard.failed;
        self.failures.append(&mut heard.failures);
        Ok(())
    }

    /// One check of our own.
    pub(crate) fn check(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => {
                println!("test {name} ... ok");
                self.passed += 1;
            }
            Err(error) => {
                println!("test {name} ... FAILED: {error:#}");
                self.failed += 1;
                self.failures.push(name.to_owned());
            }
        }
    }

    fn line(&mut self, line: &str) {
        if let Some(summary) = line.strip_prefix("test result: ") {
            self.passed += number_before(summary, " passed");
            self.failed += number_before(summary, " failed");
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... FAIL")) {
            self.failures.push(name.0.to_owned());
        }
    }
}

fn number_before(text: &str, word: &str) -> usize {
    let number = text.split(word).next().and_then(|before| before.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::program;

    #[test]
    fn results_of_several_programs_are_added_and_failures_named() {
        let mut count = Count::default();
        for line in [
            "test a::works ... ok",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test b::breaks ... FAILED",
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            count.line(line);
        }
        assert_eq!((count.passed, count.failed), (15, 1));
        assert_eq!(count.failures, ["b::breaks"]);
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
