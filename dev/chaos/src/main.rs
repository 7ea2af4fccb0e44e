//! `cargo xtask chaos`: faults and attacks on the real server while many clients send and read, and a check that no
//! acknowledged message is lost, doubled or out of order.
//!
//! It knows the server only from outside: its program, port, data folder and contract.
#![cfg_attr(
    target_os = "linux",
    expect(clippy::print_stdout, reason = "the report is what this program is for")
)]

#[cfg(target_os = "linux")]
mod attacks;
#[cfg(target_os = "linux")]
mod check;
#[cfg(target_os = "linux")]
mod cluster;
#[cfg(target_os = "linux")]
mod cluster_fault;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod disturbance;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod people;
#[cfg(target_os = "linux")]
mod person;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod reader;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod room;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod sender;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod shared;
#[cfg(target_os = "linux")]
mod small_disk;
#[cfg(target_os = "linux")]
mod wire;
#[cfg(target_os = "linux")]
mod world;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    run::main()
}

/// Other systems cannot limit a running process, and have one loopback address.
#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!(
        "SKIPPED: chaos needs Linux (limits of a running process, and a loopback network of many addresses)"
    );
}
