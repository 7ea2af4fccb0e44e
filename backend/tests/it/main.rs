//! The server from outside: real listeners, clients and database files.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[cfg(all(feature = "acme", target_os = "linux"))]
mod acme;
mod base_path;
#[cfg(target_os = "linux")]
mod budget;
mod certificates;
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
mod gateway;
mod greeter;
mod grpc_web;
mod identity;
#[cfg(feature = "cluster")]
mod jetstream;
mod metrics;
mod older_copy;
mod page;
#[cfg(feature = "postgres")]
mod postgres;
mod program;
mod rates;
#[cfg(target_os = "linux")]
mod readiness;
mod sizes;
mod socket;
mod stalled_clients;
mod storage;
mod support;
#[cfg(target_os = "linux")]
mod systemd;
mod tls;
mod traces;
mod unread_responses;
mod web;
