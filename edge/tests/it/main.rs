//! One port with small limits, and clients that do not behave.

mod limits;
mod shutdown;
mod support;
