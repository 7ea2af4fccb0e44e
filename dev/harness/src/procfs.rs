//! Memory and CPU time of a process, from `/proc`. Linux only.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The unit of CPU time in `/proc`, on every Linux that matters.
const TICK: Duration = Duration::from_millis(10);

/// Resident memory now, bytes.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    size(pid, "VmRSS:")
}

/// The highest resident memory since the start or since [`forget_peak`], bytes.
pub fn peak_resident_bytes(pid: u32) -> Result<u64> {
    size(pid, "VmHWM:")
}

/// Counts the peak of [`peak_resident_bytes`] from now on.
pub fn forget_peak(pid: u32) -> Result<()> {
    // 5 is the command in proc(5) that resets VmHWM.
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// CPU time so far, user and system.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    cpu_time_in(&stat).context("/proc has no CPU time")
}

fn cpu_time_in(stat: &str) -> Option<Duration> {
    let fields = after_name(stat)?;
    Some(TICK * (fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?))
}

/// The process that started this one.
pub fn parent(pid: u32) -> Option<u32> {
    after_name(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?.get(1)?.parse().ok()
}

/// The processes that this one started and that run, such as its workers.
pub fn children(pid: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let ids = fs::read_to_string(thread?.path().join("children"))?;
        children.extend(ids.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
    }
    Ok(children)
}

/// The fields of `stat` behind the program's name, which stands in brackets and may hold any character.
fn after_name(stat: &str) -> Option<Vec<&str>> {
    Some(stat.rsplit_once(") ")?.1.split(' ').collect())
}

fn size(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.with_context(|| format!("/proc has no {name}"))?.trim().trim_end_matches(" kB");
    Ok(kib.parse::<u64>()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_any_program_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 0 0 0 0 0 25 5 0 0";
        assert_eq!(cpu_time_in(stat), Some(Duration::from_millis(300)));
    }

    #[test]
    fn children_of_all_threads_are_found() {
        let start = || std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let mut started = [start(), std::thread::spawn(start).join().unwrap()];
        let found = children(std::process::id()).unwrap();
        for child in &mut started {
            assert!(found.contains(&child.id()), "{found:?}");
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
