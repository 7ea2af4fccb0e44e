//! Bounds and boxes that are `Send` on native targets, where values move between threads, and not in the browser.

use std::future::Future;
use std::pin::Pin;

use futures_util::Stream;

#[cfg(not(target_arch = "wasm32"))]
mod bounds {
    /// A value that is `Send` because `tonic` needs it, and in the browser panics on another thread than its own.
    pub(crate) type Confined<T> = super::Plain<T>;

    /// A function that all clones of a channel share.
    pub(crate) type SharedFn<A, T> = Box<dyn Fn(A) -> T + Send + Sync>;

    pub(crate) fn shared_fn<A, T>(function: impl Fn(A) -> T + Send + Sync + 'static) -> SharedFn<A, T> {
        Box::new(function)
    }

    /// `Send` on native targets, nothing in the browser.
    pub trait MaybeSend: Send {}
    impl<T: Send> MaybeSend for T {}

    /// `Sync` on native targets, nothing in the browser.
    pub trait MaybeSync: Sync {}
    impl<T: Sync> MaybeSync for T {}

    /// A boxed future, `Send` on native targets.
    pub type BoxFuture<T> = super::Pin<Box<dyn super::Future<Output = T> + Send>>;
    pub(crate) type BoxStream<T> = super::Pin<Box<dyn super::Stream<Item = T> + Send>>;
    pub(crate) type BoxFactory<T> = Box<dyn FnMut() -> T + Send>;
}

#[cfg(target_arch = "wasm32")]
mod bounds {
    /// A value that is `Send` because `tonic` needs it, and in the browser panics on another thread than its own.
    pub(crate) type Confined<T> = send_wrapper::SendWrapper<T>;

    /// A function that all clones of a channel share.
    pub(crate) type SharedFn<A, T> = Confined<Box<dyn Fn(A) -> T>>;

    pub(crate) fn shared_fn<A, T>(function: impl Fn(A) -> T + 'static) -> SharedFn<A, T> {
        Confined::new(Box::new(function))
    }

    /// `Send` on native targets, nothing in the browser.
    pub trait MaybeSend {}
    impl<T> MaybeSend for T {}

    /// `Sync` on native targets, nothing in the browser.
    pub trait MaybeSync {}
    impl<T> MaybeSync for T {}

    /// A boxed future, `Send` on native targets.
    pub type BoxFuture<T> = super::Pin<Box<dyn super::Future<Output = T>>>;
    pub(crate) type BoxStream<T> = super::Pin<Box<dyn super::Stream<Item = T>>>;
    pub(crate) type BoxFactory<T> = Box<dyn FnMut() -> T>;
}

pub(crate) use self::bounds::{BoxFactory, BoxStream, Confined, SharedFn, shared_fn};
pub use self::bounds::{BoxFuture, MaybeSend, MaybeSync};

/// [`Confined`] on native targets: the value alone.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Debug)]
pub(crate) struct Plain<T>(T);

#[cfg(not(target_arch = "wasm32"))]
impl<T> Plain<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl<T> std::ops::Deref for Plain<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl<T> std::ops::DerefMut for Plain<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
