//! `cargo xtask size`: what a visitor downloads, and with `--by-crate` which crate it comes from.

#[cfg(feature = "weigh")]
mod crates;

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::page::{self, files, has_extension};

/// What the whole page may weigh, compressed by brotli: 220 KB.
const TARGET_BYTES: u64 = 220_000;

pub(crate) fn run() -> Result<()> {
    page::run()?;
    let dist = page::dist();
    let (mut total_plain, mut total) = (0, 0);
    println!("\n| file | bytes | brotli |\n|---|---:|---:|");
    for file in files(&dist)? {
        if has_extension(&file, &["br", "gz"]) {
            continue;
        }
        let plain = fs::metadata(&file)?.len();
        // A file that is not worth compressing is sent as it is.
        let sent =
            fs::metadata(Path::new(&format!("{}.br", file.display()))).map_or(plain, |data| data.len());
        println!("| {} | {plain} | {sent} |", file.strip_prefix(&dist)?.display());
        total_plain += plain;
        total += sent;
    }
    println!("| all | {total_plain} | {total} |\n");
    let share = total as f64 / TARGET_BYTES as f64 * 100.0;
    println!("{share:.0} % of the target of {TARGET_BYTES} bytes");
    if total > TARGET_BYTES {
        println!("`cargo xtask size --by-crate` says what each dependency costs");
    }
    Ok(())
}

#[cfg(feature = "weigh")]
pub(crate) fn by_crate() -> Result<()> {
    crates::run()
}

/// Starts this program again, built with a parser of WebAssembly.
#[cfg(not(feature = "weigh"))]
pub(crate) fn by_crate() -> Result<()> {
    let words = "run --quiet --package xtask --features weigh -- size --by-crate";
    crate::command::cargo(words.split(' ')).run()
}
