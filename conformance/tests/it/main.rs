//! The programs as the suite starts them, without the suite.

#[cfg(suite)]
mod client;
#[cfg(not(suite))]
mod not_built;
#[cfg(suite)]
mod server;
