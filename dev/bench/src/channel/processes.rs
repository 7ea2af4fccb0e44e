//! CPU time and memory of a browser's processes.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::procfs::{cpu_time, forget_peak, parent, peak_resident_bytes, resident_bytes};

/// CPU time of the browser's process `browser` and of all its running descendants.
pub(crate) fn cpu(browser: u32) -> Result<Duration> {
    // Any of them may end at any time.
    Ok(descendants(browser)?.into_iter().filter_map(|id| cpu_time(id).ok()).sum())
}

/// The processes in which a browser runs pages, with their memory at the start of a measurement, bytes.
pub(crate) struct Renderers(HashMap<u32, u64>);

impl Renderers {
    /// Starts a measurement of the browser's process `browser`.
    pub(crate) fn of(browser: u32) -> Result<Self> {
        let mut renderers = HashMap::new();
        for id in descendants(browser)? {
            // Any of them may end at any time.
            let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&arguments).contains("--type=renderer")
                && forget_peak(id).is_ok()
                && let Ok(resident) = resident_bytes(id)
            {
                renderers.insert(id, resident);
            }
        }
        ensure!(!renderers.is_empty(), "the browser has no process for pages");
        Ok(Self(renderers))
    }

    /// The largest growth of a process up to its peak. That process has the page; the others are spare.
    pub(crate) fn peak_since(&self) -> Result<f64> {
        let growth =
            |(id, before): (&u32, &u64)| Some(peak_resident_bytes(*id).ok()?.saturating_sub(*before));
        Ok(self.0.iter().filter_map(growth).max().context("the browser has ended")? as f64)
    }
}

/// A process and all that it has started, directly or not.
fn descendants(ancestor: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        if let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            && std::iter::successors(Some(id), |id| parent(*id)).any(|id| id == ancestor)
        {
            found.push(id);
        }
    }
    Ok(found)
}
