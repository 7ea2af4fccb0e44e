//! The engine against `h2`'s server, and against frames that no good server sends.

mod calls;
mod peer;
mod rules;
