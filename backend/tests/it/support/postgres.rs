//! A server of PostgreSQL. The unit tests have this file, too.

use fastrand::Rng;
use harness::{Postgres, free_port, postgres_programs};

/// The server. Killed when dropped.
#[derive(Debug)]
pub(crate) struct PostgresServer(pub(crate) Postgres);

impl PostgresServer {
    /// Starts it with an empty database. `None` where its programs are not.
    pub(crate) fn start() -> Option<Self> {
        if let Err(error) = postgres_programs() {
            eprintln!("skipped: {error:#}");
            return None;
        }
        let mut server = Self(Postgres::new(free_port(&mut Rng::new()).unwrap()).unwrap());
        server.start_again();
        Some(server)
    }

    /// Starts it with the folder and the port that it had.
    pub(crate) fn start_again(&mut self) {
        self.0.start().unwrap();
        self.0.answers().unwrap();
    }

    /// Ends it as a crash does.
    pub(crate) fn crash(&mut self) {
        self.0.crash().unwrap();
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }
}
