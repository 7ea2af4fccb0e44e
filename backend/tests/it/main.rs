//! The server from outside: a real listener, real clients, a real database file.

mod greeter;
mod support;
