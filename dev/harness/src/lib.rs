//! Shared parts of the test suites: programs of this checkout and of the machine, child processes, waiting.
//!
//! It knows the application only by its program's command line. It must not name a contract or a test.

pub mod browser;
pub mod checkout;
#[cfg(all(unix, feature = "processes"))]
mod chromium;
#[cfg(all(unix, feature = "processes"))]
mod cluster_commands;
#[cfg(all(unix, feature = "processes"))]
mod machines;
#[cfg(all(unix, feature = "processes"))]
mod nats;
#[cfg(feature = "processes")]
mod ports;
#[cfg(all(unix, feature = "processes"))]
mod postgres;
mod postgres_programs;
#[cfg(all(unix, feature = "processes"))]
mod process;
#[cfg(all(unix, feature = "processes"))]
pub mod procfs;
#[cfg(all(unix, feature = "processes"))]
mod server;
#[cfg(all(unix, feature = "processes"))]
mod temp_folder;
#[cfg(feature = "processes")]
mod wait;

use std::time::Duration;

#[cfg(all(unix, feature = "processes"))]
pub use self::chromium::Chromium;
#[cfg(all(unix, feature = "processes"))]
pub use self::cluster_commands::{ClusterCommands, LogStatus};
#[cfg(all(unix, feature = "processes"))]
pub use self::machines::Machines;
#[cfg(all(unix, feature = "processes"))]
pub use self::nats::Nats;
#[cfg(feature = "processes")]
pub use self::ports::free_port;
#[cfg(all(unix, feature = "processes"))]
pub use self::postgres::Postgres;
pub use self::postgres_programs::postgres_programs;
#[cfg(all(unix, feature = "processes"))]
pub use self::process::Process;
#[cfg(all(unix, feature = "processes"))]
pub use self::server::{Server, program};
#[cfg(all(unix, feature = "processes"))]
pub use self::temp_folder::TempFolder;
#[cfg(feature = "processes")]
pub use self::wait::{eventually, until};

/// Time limit of every condition that a test waits for. Two browsers, a server and a compiler may share two cores.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Time limit of a server's start until it listens. Recovery and migration of a large database are part of it.
pub const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The environment variable by which the end-to-end tests have three servers of one chat in the place of one, if it is `1`.
pub const CLUSTER_VARIABLE: &str = "CHINWAG_E2E_CLUSTER";
