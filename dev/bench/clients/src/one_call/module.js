// A page that makes one unary call with a client in Rust, to be weighed. `the-module` is what wasm-bindgen
// made.

import init, { greet } from "the-module";

await init();
document.title = await greet(location.origin);
