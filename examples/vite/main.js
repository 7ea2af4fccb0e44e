import init, { Greeter } from "./pkg/vite_example.js";

// Vite finds `new URL("vite_example_bg.wasm", import.meta.url)` in that module and adds the file to the page.
await init();

const greeter = new Greeter(location.origin);
const element = (id) => document.getElementById(id);
let watch;

element("greet").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = element("name").value;
  try {
    element("greeting").textContent = await greeter.sayHello(name);
  } catch (error) {
    element("greeting").textContent = `Failed: ${error.message}`;
  }
  watch?.free();
  element("greetings").replaceChildren();
  watch = greeter.watch(name, (greeting) => {
    const item = document.createElement("li");
    item.textContent = greeting;
    element("greetings").append(item);
  });
});
