//! Pictures of the page for people to look at.

fn main() {}
