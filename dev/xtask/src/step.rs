//! Saying what happens, and how long it took.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Numbered steps of one command.
#[derive(Debug)]
pub(crate) struct Steps {
    number: usize,
    of: usize,
    started: Instant,
}

impl Steps {
    pub(crate) fn new(of: usize) -> Self {
        Self { number: 0, of, started: Instant::now() }
    }

    /// Does `work` under a heading.
    pub(crate) fn step<T>(&mut self, title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.number += 1;
        println!("\n[{}/{}] {title}", self.number, self.of);
        let start = Instant::now();
        let result = work()?;
        println!("      done in {}", show(start.elapsed()));
        Ok(result)
    }

    /// How long all of it has taken so far.
    pub(crate) fn elapsed(&self) -> String {
        show(self.started.elapsed())
    }
}

/// A line that belongs to the step.
pub(crate) fn note(text: &str) {
    println!("      {text}");
}

/// A duration as people say it.
pub(crate) fn show(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_as_people_say_them() {
        assert_eq!(show(Duration::from_millis(340)), "0.3 s");
        assert_eq!(show(Duration::from_secs(75)), "75 s");
        assert_eq!(show(Duration::from_secs(390)), "6 min 30 s");
    }
}
