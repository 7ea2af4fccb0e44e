// The microtasks by which Rust's futures run, one at a time.

/// Firefox runs microtasks also in the middle of one, while a call of the browser's own waits for another process. The queue of
/// Rust's futures would then be entered a second time: wasm-bindgen refuses that, and the queue, which waits for its microtask, never runs
/// again. Such a microtask is run after the current one instead.
export function one_at_a_time() {
    const queue = globalThis.queueMicrotask.bind(globalThis);
    let isRunning = false;
    let waiting = [];
    globalThis.queueMicrotask = (task) => queue(() => {
        if (isRunning) {
            waiting.push(task);
            return;
        }
        isRunning = true;
        try {
            task();
        } finally {
            isRunning = false;
            const tasks = waiting;
            waiting = [];
            tasks.forEach((task) => globalThis.queueMicrotask(task));
        }
    });
}
