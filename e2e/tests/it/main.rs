//! Scenarios: people with browsers of their own, the real server, the real page.

mod greeter;
