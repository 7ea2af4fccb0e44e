// A client in Rust for the page that measures. `the-module` is wasm-bindgen's script.

export * from "the-module";
export { default } from "the-module";
