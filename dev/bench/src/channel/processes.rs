//! What the system says that a browser's processes take.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process::cpu_in_stat;

/// Asks Linux to forget the highest size that a process has had.
const FORGET_PEAK: &str = "5";

/// The CPU time that a browser has used: the process of this number, and all that it has started and that
/// still run.
pub(crate) fn cpu(browser: u32) -> Result<Duration> {
    let parents = parents()?;
    let own = parents.keys().filter(|id| descends(**id, browser, &parents));
    // Any of them may end at any time.
    Ok(own.filter_map(|id| cpu_in_stat(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)).sum())
}

/// The processes in which a browser runs pages, with what each of them holds now, bytes.
pub(crate) struct Renderers(HashMap<u32, f64>);

impl Renderers {
    /// Those of the browser whose process has this number. Their peaks are counted from now on.
    pub(crate) fn of(browser: u32) -> Result<Self> {
        let parents = parents()?;
        let mut renderers = HashMap::new();
        for id in parents.keys().filter(|id| descends(**id, browser, &parents)) {
            // Any of them may end at any time.
            let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            if !String::from_utf8_lossy(&arguments).contains("--type=renderer") {
                continue;
            }
            if fs::write(format!("/proc/{id}/clear_refs"), FORGET_PEAK).is_ok()
                && let Ok(resident) = field(*id, "VmRSS:")
            {
                renderers.insert(*id, resident);
            }
        }
        anyhow::ensure!(!renderers.is_empty(), "the browser has no process for pages");
        Ok(Self(renderers))
    }

    /// By how much the one that grew most was larger at its peak. The page's is: the others are spare.
    pub(crate) fn peak_since(&self) -> Result<f64> {
        let grown = self.0.iter().filter_map(|(id, before)| Some(field(*id, "VmHWM:").ok()? - before));
        grown.max_by(f64::total_cmp).context("the browser has ended")
    }
}

/// The parent of every process.
fn parents() -> Result<HashMap<u32, u32>> {
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        // The second field is the program's name in brackets, and may hold anything.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        parents.extend(parent.map(|parent: u32| (id, parent)));
    }
    Ok(parents)
}

fn descends(id: u32, from: u32, parents: &HashMap<u32, u32>) -> bool {
    std::iter::successors(Some(id), |id| parents.get(id).copied()).any(|ancestor| ancestor == from)
}

/// A size in `/proc/<id>/status`, bytes.
fn field(id: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such field")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0)
}
