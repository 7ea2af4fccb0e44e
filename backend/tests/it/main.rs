//! The server from outside: a real listener, real clients, a real database file.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod answers;
#[cfg(target_os = "linux")]
mod budget;
mod chat;
mod chat_client;
mod chat_kill;
mod chat_stream;
mod commands;
mod cors;
mod damage;
mod deadlines;
mod discovery;
mod first_start;
mod fsync;
mod greeter;
mod grpc_web;
mod page;
mod program;
mod rates;
mod stalled_readers;
mod storage;
mod support;
mod tls;
mod unread;
mod web;
mod went_back;
