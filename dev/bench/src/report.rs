//! Medians, ranges, and the Markdown table.

use std::fmt;

/// Repeated measurements of one quantity.
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// `numerators` over `denominators`, round by round.
    pub(crate) fn ratios(numerators: &[f64], denominators: &[f64]) -> Self {
        Self::new(numerators.iter().zip(denominators).map(|(a, b)| a / b).collect())
    }

    fn at(&self, quantile: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let index = (quantile * last as f64).round() as usize;
        self.0.get(index).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        self.at(0.5)
    }

    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        self.at(quantile)
    }

    /// Median and range, with three digits.
    pub(crate) fn show(&self) -> String {
        if let [once] = self.0[..] {
            return format!("{} (once)", number(once));
        }
        format!("{} ({} to {})", number(self.at(0.5)), number(self.at(0.0)), number(self.at(1.0)))
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The table of the report, with a row for each figure.
pub(crate) struct Table(Vec<[String; 4]>);

impl Table {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a row, and prints it at once, because the whole run takes minutes.
    pub(crate) fn row(&mut self, what: &str, figure: String, against: &str, goal: &str) {
        eprintln!("{what}: {figure} {against}");
        self.0.push([what.to_owned(), figure, against.to_owned(), goal.to_owned()]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | median (range) | against | goal |")?;
        writeln!(f, "|---|---|---|---|")?;
        for [what, figure, against, goal] in &self.0 {
            writeln!(f, "| {what} | {figure} | {against} | {goal} |")?;
        }
        Ok(())
    }
}
