//! Limits on the responses of a channel.

use http::HeaderMap;

use crate::error::Error;

/// Limits on each response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Longest message, in bytes.
    pub(crate) max_message: usize,
    /// Most metadata, in bytes of names and values, in the headers and in the trailers each.
    pub(crate) max_metadata: usize,
    /// Bytes of each message that observers are given.
    pub(crate) capture: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // 4 MiB for a message, as in every gRPC library.
        Self { max_message: 4 << 20, max_metadata: 64 << 10, capture: 0 }
    }
}

/// Refuses `headers` whose names and values are together longer than `limit` bytes.
pub(crate) fn check_metadata(headers: &HeaderMap, limit: usize) -> Result<(), Error> {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > limit { Err(Error::MetadataTooLarge { limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_measured_by_names_and_values() {
        let mut headers = HeaderMap::new();
        headers.append("abc", "1234".parse().unwrap());
        headers.append("abc", "12".parse().unwrap());

        assert_eq!(check_metadata(&headers, 12), Ok(()));
        assert_eq!(check_metadata(&headers, 11), Err(Error::MetadataTooLarge { limit: 11 }));
    }
}
