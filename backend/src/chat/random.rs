//! Random values from the system: epochs, ids and tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The system provided no random numbers.
pub(super) type RandomError = getrandom::Error;

/// An epoch of a log.
pub(super) fn epoch() -> Result<u64, RandomError> {
    getrandom::u64()
}

/// The mark of a server in the entries that it writes to a log.
pub(super) fn writer() -> Result<u64, RandomError> {
    getrandom::u64()
}

/// A public id: 96 bits as 16 characters, safe in a URL's path and beginning with a letter or digit.
pub(super) fn id() -> Result<String, RandomError> {
    let id = URL_SAFE_NO_PAD.encode(bytes::<12>()?);
    // Command-line tools would take a leading hyphen for an option.
    Ok(if id.starts_with(['-', '_']) { format!("A{}", &id[1..]) } else { id })
}

/// `N` random bytes.
pub(super) fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_safe_in_a_path() {
        let ids: std::collections::HashSet<_> = (0..1_000).map(|_| id().unwrap()).collect();
        assert_eq!(ids.len(), 1_000);
        for id in ids {
            assert_eq!(id.len(), 16);
            assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{id}");
            assert!(id.starts_with(|c: char| c.is_ascii_alphanumeric()), "{id}");
        }
    }
}
