//! Ports for servers that are started again on the same one.

pub(crate) use harness::free_port;
