// Runs before the page's own scripts. `window.watch` has the times at which something was painted, milliseconds since the page's address
// was opened.

const watch = (window.watch = {
  memory: null,
  // The longest task since the last reset; tasks up to 50 ms do not count.
  longest: 0,
  // From each key's press to the next paint.
  keys: [],
});

let waiting = [];
// The end of a frame: the task that draws has ended. Messages overtake timers, and few other tasks come between.
const ends = new MessageChannel();
ends.port1.onmessage = () => {
  const now = performance.now();
  const painted = waiting;
  waiting = [];
  for (const resolve of painted) resolve(now);
};
const frame = () => {
  ends.port2.postMessage(null);
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);

/// The time of the next paint. What a task of a frame's drawing changes is painted with that frame.
watch.painted = () => new Promise((resolve) => waiting.push(resolve));

/// The time at which `holds` was first true in a painted page.
watch.when = (holds) =>
  new Promise((resolve) => {
    const check = () => {
      if (!holds()) return;
      observer.disconnect();
      watch.painted().then(resolve);
    };
    const observer = new MutationObserver(check);
    observer.observe(document, { subtree: true, childList: true, characterData: true });
    check();
  });

const articles = () => document.querySelectorAll("[role=log] article");
watch.form = watch.when(() => document.querySelector(".chat-join form"));
watch.messages = watch.when(() => articles().length > 0);

/// Waits for a message with this text at the end of the room; the time counts from the last Enter, or since the epoch on another's screen.
watch.expect = (text) => {
  watch.shown = watch.when(() => [...articles()].at(-1)?.textContent.includes(text));
};

/// Waits for messages after a click on another room's link; the time counts from the click.
watch.expectRoom = (text) => {
  let clicked = 0;
  addEventListener("click", (event) => (clicked = event.timeStamp), { capture: true, once: true });
  watch.opened = watch
    .when(() => clicked && [...articles()].at(-1)?.textContent.includes(text))
    .then((painted) => painted - clicked);
};

addEventListener(
  "keydown",
  (event) => {
    watch.pressed = event.timeStamp;
    watch.painted().then((painted) => watch.keys.push(painted - event.timeStamp));
  },
  { capture: true },
);

new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) watch.longest = Math.max(watch.longest, duration);
}).observe({ type: "longtask" });

for (const name of ["instantiate", "instantiateStreaming"]) {
  const original = WebAssembly[name];
  WebAssembly[name] = async (...parameters) => {
    const result = await original.apply(WebAssembly, parameters);
    const exports = Object.values((result.instance ?? result).exports);
    watch.memory ??= exports.find((value) => value instanceof WebAssembly.Memory) ?? null;
    return result;
  };
}
