#![doc = include_str!("../README.md")]

#[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "the observers do nothing natively"))]
mod js;

pub mod extension;
pub mod user_timing;
