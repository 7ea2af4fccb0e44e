//! The page's program: reports panics, mounts the application, and removes the shell that was painted until then.

fn main() {
    // The optimised page has no sentences of panics (dev/pack/src/panics.rs), only their stacks.
    #[cfg(not(feature = "split"))]
    console_error_panic_hook::set_once();
    frontend::start(mount);
}

fn mount() {
    leptos::mount::mount_to_body(frontend::App);
    // In the same task, so that nothing is painted in between.
    if let Some(shell) = leptos::prelude::document().get_element_by_id("shell") {
        shell.remove();
    }
}
