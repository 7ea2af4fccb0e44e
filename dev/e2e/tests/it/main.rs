//! Scenarios: people with browsers of their own, the real server, the real page.

mod accessibility;
mod chat;
mod composer;
mod connection;
mod faults;
mod greeter;
mod history;
mod interop;
mod keyboard;
mod load;
mod looks;
mod rooms;
