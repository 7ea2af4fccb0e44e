//! Prints an error with its sources, for log lines. Errors leave their source out of their own text.

use std::error::Error;
use std::fmt;

/// Displays an error and the chain of its sources, separated by colons.
pub(crate) struct ErrorChain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::StoreError;

    #[test]
    fn sources_follow_the_error() {
        let error = StoreError::from(rusqlite::Error::InvalidParameterName("x".to_owned()));
        assert_eq!(ErrorChain(&error).to_string(), "sqlite failed: Invalid parameter name: x");
    }
}
