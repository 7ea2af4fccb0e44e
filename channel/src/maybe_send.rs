//! `Send` where the target has threads.

use std::future::Future;
use std::pin::Pin;

use futures_util::Stream;

#[cfg(not(target_arch = "wasm32"))]
mod bounds {
    /// `Send` on native targets, nothing in the browser.
    pub trait MaybeSend: Send {}
    impl<T: Send> MaybeSend for T {}

    /// `Sync` on native targets, nothing in the browser.
    pub trait MaybeSync: Sync {}
    impl<T: Sync> MaybeSync for T {}

    /// A future that may be moved between threads where the target has them.
    pub type BoxFuture<T> = super::Pin<Box<dyn super::Future<Output = T> + Send>>;
    pub(crate) type BoxStream<T> = super::Pin<Box<dyn super::Stream<Item = T> + Send>>;
    pub(crate) type BoxFactory<T> = Box<dyn FnMut() -> T + Send>;
}

#[cfg(target_arch = "wasm32")]
mod bounds {
    /// `Send` on native targets, nothing in the browser.
    pub trait MaybeSend {}
    impl<T> MaybeSend for T {}

    /// `Sync` on native targets, nothing in the browser.
    pub trait MaybeSync {}
    impl<T> MaybeSync for T {}

    /// A future that may be moved between threads where the target has them.
    pub type BoxFuture<T> = super::Pin<Box<dyn super::Future<Output = T>>>;
    pub(crate) type BoxStream<T> = super::Pin<Box<dyn super::Stream<Item = T>>>;
    pub(crate) type BoxFactory<T> = Box<dyn FnMut() -> T>;
}

pub(crate) use self::bounds::{BoxFactory, BoxStream};
pub use self::bounds::{BoxFuture, MaybeSend, MaybeSync};
