//! Scenarios: several people, each with a browser, on the real server and page.

mod accessibility;
mod base_path;
mod chat;
mod composer;
mod connection;
mod explorer;
mod faults;
mod frame;
mod greeter;
mod history;
mod identity;
mod interop;
mod keyboard;
mod load;
mod looks;
mod message_looks;
mod network;
mod offline;
mod parts;
mod reading;
mod rooms;
mod route_guide;
mod sockets;
mod start;
mod tabs;
mod traces;
