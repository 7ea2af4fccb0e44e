import { defineConfig } from "vite";

// A server that speaks gRPC-Web, such as `cargo run` in the folder two above.
const backend = process.env.BACKEND ?? "http://127.0.0.1:50051";
const proxy = { "/helloworld.Greeter": backend };

export default defineConfig({ server: { proxy }, preview: { proxy } });
