//! The output of the suite's runner, line by line.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The results so far.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Number of cases that ended.
    pub(crate) total: usize,
    pub(crate) passed: usize,
    pub(crate) failures: Vec<Failure>,
    /// Lines that belong to no case: output of the programs under test, and the reason of an early end.
    pub(crate) other: Vec<String>,
    /// Whether the next lines describe the last failure.
    in_failure: bool,
}

/// A case that failed.
#[derive(Debug, Default)]
pub(crate) struct Failure {
    pub(crate) name: String,
    /// Expected and actual results, in several lines.
    pub(crate) message: Vec<String>,
}

impl Outcome {
    /// Takes the next line of the runner's output.
    pub(crate) fn line(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("FAILED: ") {
            self.in_failure = true;
            let name = name.trim_end_matches(':').to_owned();
            self.failures.push(Failure { name, message: Vec::new() });
        } else if let Some(text) = line.strip_prefix('\t').filter(|_| self.in_failure) {
            if let Some(failure) = self.failures.last_mut() {
                failure.message.push(text.trim().to_owned());
            }
        } else if let Some(total) = line.strip_prefix("Total cases: ") {
            self.in_failure = false;
            self.total = total.parse().unwrap_or(0);
        } else if let Some((passed, _)) = line.split_once(" passed, ").filter(|_| self.total > 0) {
            self.passed = passed.parse().unwrap_or(0);
        } else if !line.trim().is_empty() {
            self.in_failure = false;
            self.other.push(line.to_owned());
        }
    }

    /// Failures by cause, the most frequent first, each with its suites and their counts.
    pub(crate) fn by_cause(&self) -> Vec<String> {
        let mut causes = BTreeMap::<&str, BTreeMap<&str, usize>>::new();
        for failure in &self.failures {
            let suite = failure.name.split('/').next().unwrap_or_default();
            *causes.entry(failure.cause()).or_default().entry(suite).or_default() += 1;
        }
        let count = |suites: &BTreeMap<&str, usize>| suites.values().sum::<usize>();
        let mut causes: Vec<_> =
            causes.into_iter().map(|(cause, suites)| (count(&suites), cause, suites)).collect();
        causes.sort_by_key(|(count, ..)| Reverse(*count));
        let line = |(count, cause, suites): (usize, &str, BTreeMap<&str, usize>)| {
            let suites: Vec<_> = suites.iter().map(|(suite, count)| format!("{suite} {count}")).collect();
            format!("{count:>4} x {cause} ({})", suites.join(", "))
        };
        causes.into_iter().map(line).collect()
    }
}

impl Failure {
    /// The received status message; without one, the first complaint of the suite without its values.
    fn cause(&self) -> &str {
        let first = self.message.first().map_or("", String::as_str);
        let missed = first.split(": expected").next().unwrap_or(first);
        self.message.iter().find_map(|line| status_message(line)).unwrap_or(missed)
    }
}

/// `cut off` in `code: 2 (unknown), message: "cut off"`. Quotation marks in it are behind backslashes.
fn status_message(line: &str) -> Option<&str> {
    let (_, after) = line.split_once("message:")?;
    let quoted = after.trim_start().strip_prefix('"')?;
    let end = quoted.match_indices('"').find(|(at, _)| !quoted[..*at].ends_with('\\'))?.0;
    Some(&quoted[..end]).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> Outcome {
        let mut outcome = Outcome::default();
        text.lines().for_each(|line| outcome.line(line));
        outcome
    }

    #[test]
    fn failures_keep_their_messages() {
        let outcome = outcome(
            "a program's own line\nFAILED: Basic/HTTPVersion:1/TLS:true/unary/success:\n\
             \tactual response headers missing \"a\"\n\tand another\n\
             FAILED: Basic/HTTPVersion:2/TLS:true/unary/success:\n\tactual response headers missing \"a\"\n\n\
             Total cases: 30\n28 passed, 2 failed\n",
        );
        assert_eq!((outcome.total, outcome.passed, outcome.failures.len()), (30, 28, 2));
        assert_eq!(outcome.failures[0].message, ["actual response headers missing \"a\"", "and another"]);
        assert_eq!(outcome.other, ["a program's own line"]);
    }

    #[test]
    fn failures_are_grouped_by_cause() {
        let outcome = outcome(
            "FAILED: Errors/TLS:true/a:\n\tactual error {code: 2 (unknown), message: \"a \\\"b\\\"\"} does not match\n\
             FAILED: Basic/TLS:true/b:\n\treceived an unexpected error:\n\tcode:CODE_UNKNOWN  message:\"a \\\"b\\\"\"\n\
             FAILED: Basic/TLS:true/c:\n\theaders has incorrect values for \"x\": expected [\"1\"], got []\n",
        );
        assert_eq!(
            outcome.by_cause(),
            [
                "   2 x a \\\"b\\\" (Basic 1, Errors 1)",
                "   1 x headers has incorrect values for \"x\" (Basic 1)"
            ]
        );
    }

    #[test]
    fn the_reason_of_an_early_end_is_kept() {
        let outcome = outcome("error: client process exited\n");
        assert_eq!((outcome.total, outcome.passed), (0, 0));
        assert_eq!(outcome.other, ["error: client process exited"]);
    }
}
