//! Scenarios: several people, each with a browser, on the real server and page.

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
mod parts;
mod rooms;
