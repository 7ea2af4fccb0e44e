//! What a channel takes at most: the size of a message, the size of metadata, and calls at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderMap;

use crate::error::Error;

/// The longest message that is taken by default, in bytes: 4 MiB, as in every gRPC library.
pub(crate) const DEFAULT_MAX_MESSAGE_SIZE: usize = 4 << 20;

/// The most metadata that is taken by default, in bytes: 64 KiB.
pub(crate) const DEFAULT_MAX_METADATA_SIZE: usize = 64 << 10;

/// Refuses `headers` whose names and values are together longer than `limit` bytes.
pub(crate) fn check_metadata(headers: &HeaderMap, limit: usize) -> Result<(), Error> {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > limit { Err(Error::MetadataTooLarge { limit }) } else { Ok(()) }
}

/// Counts the calls that are open.
#[derive(Debug)]
pub(crate) struct OpenCalls {
    open: Arc<AtomicUsize>,
    limit: usize,
}

impl OpenCalls {
    pub(crate) fn at_most(limit: usize) -> Self {
        Self { open: Arc::default(), limit }
    }

    /// A place for one more call, until the permit is dropped.
    pub(crate) fn enter(&self) -> Result<Permit, Error> {
        let entered = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
            (open < self.limit).then_some(open + 1)
        });
        match entered {
            Ok(_) => Ok(Permit(self.open.clone())),
            Err(_) => Err(Error::TooManyCalls { limit: self.limit }),
        }
    }
}

/// The place of one open call.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_permit_is_dropped() {
        let calls = OpenCalls::at_most(2);

        let first = calls.enter().unwrap();
        let _second = calls.enter().unwrap();
        assert_eq!(calls.enter().unwrap_err(), Error::TooManyCalls { limit: 2 });

        drop(first);
        assert!(calls.enter().is_ok());
    }

    #[test]
    fn metadata_is_measured_by_names_and_values() {
        let mut headers = HeaderMap::new();
        headers.append("abc", "1234".parse().unwrap());
        headers.append("abc", "12".parse().unwrap());

        assert_eq!(check_metadata(&headers, 12), Ok(()));
        assert_eq!(check_metadata(&headers, 11), Err(Error::MetadataTooLarge { limit: 11 }));
    }
}
