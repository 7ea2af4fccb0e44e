//! Every acknowledged send was synced to disk, as the system calls of the real program show.

#![cfg(target_os = "linux")]

use std::fs;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::chat_client::Person;
use crate::support::PATIENCE;
use crate::support::program::Program;

/// Number of sends, one after the other, each in its own transaction.
const SENDS: usize = 20;

/// Skips the test; for systems without strace or the right to trace.
const WITHOUT: &str = "CHINWAG_WITHOUT_STRACE";

#[tokio::test]
async fn every_acknowledged_send_has_synced_the_write_ahead_log() {
    if std::env::var_os(WITHOUT).is_some() {
        eprintln!("NOT TESTED: the syncs of the write-ahead log ({WITHOUT} is set)");
        return;
    }
    let server = Program::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    let trace = server.path("trace");
    let mut strace = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&trace)
        .args(["-p", &server.pid().to_string()])
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("this test needs strace ({error}); set {WITHOUT}=1 to do without it"));
    let mut lines = BufReader::new(strace.stderr.take().unwrap()).lines();
    let attached = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap_or_default();
    assert!(attached.contains("attached"), "{attached}; set {WITHOUT}=1 to do without strace");

    for number in 0..SENDS {
        ada.send("general", &number.to_string()).await;
    }

    let id = strace.id().unwrap().try_into().unwrap();
    kill_process(Pid::from_raw(id).unwrap(), Signal::INT).unwrap();
    timeout(PATIENCE, strace.wait()).await.unwrap().unwrap();
    let trace = fs::read_to_string(trace).unwrap();
    let is_sync = |line: &&str| line.contains("sync(") && line.contains("chinwag.db-wal>");
    let syncs = trace.lines().filter(is_sync).count();
    assert!(syncs >= SENDS, "{SENDS} sends were acknowledged after {syncs} syncs:\n{trace}");
}
