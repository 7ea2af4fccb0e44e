//! Calls inside a `Resource`, which asks for futures that are `Send`.

/// The future of a call, as `Resource::new` takes it. On the server it is `Send` anyway.
#[cfg(not(target_arch = "wasm32"))]
pub fn sendable<F: Future + Send>(call: F) -> F {
    call
}

/// The future of a call, as `Resource::new` takes it. A browser's future holds JavaScript values and is not `Send`. The wrapper panics
/// on another thread, and leptos runs a page's tasks on its only one.
#[cfg(target_arch = "wasm32")]
pub fn sendable<F: Future>(call: F) -> impl Future<Output = F::Output> + Send {
    send_wrapper::SendWrapper::new(call)
}
