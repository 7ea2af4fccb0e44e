//! The secrets by which a client proves who it is without a session: a recovery code, and a repeated attempt to join.
//!
//! Only hashes are stored. SHA-256 is enough, as for tokens: a slow hash such as Argon2id protects words that people choose;
//! 100 random bits cannot be guessed with any hash.

use std::fmt;

use proto::limits::chat::{MAX_RETRY_SECRET_BYTES, MIN_RETRY_SECRET_BYTES};
use sha2::{Digest as _, Sha256};

use super::random::{self, RandomError};
use super::types::{InvalidField, OperationId};

/// The digits of a recovery code: base 32 without the letters I, L, O and U, which people misread.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Number of digits: 100 random bits.
const CODE_LEN: usize = 20;

/// Number of digits between two hyphens.
const CODE_GROUP: usize = 4;

/// A recovery code: 20 digits in groups of four.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RecoveryCode([u8; CODE_LEN]);

impl RecoveryCode {
    /// Generates a code.
    pub(super) fn random() -> Result<Self, RandomError> {
        Ok(Self(random::bytes::<CODE_LEN>()?.map(|byte| DIGITS[usize::from(byte % 32)])))
    }

    /// Reads a code as people write it: in any case, with or without hyphens, and with O, I and L for 0 and 1.
    pub(super) fn parse(raw: &str) -> Result<Self, InvalidField> {
        let refusal = || InvalidField::new("recovery_code", "A recovery code has 20 letters and digits.");
        let mut code = [0; CODE_LEN];
        let mut length = 0;
        for c in raw.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let digit = match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let digit =
                u8::try_from(digit).ok().filter(|digit| DIGITS.contains(digit)).ok_or_else(refusal)?;
            *code.get_mut(length).ok_or_else(refusal)? = digit;
            length += 1;
        }
        if length == CODE_LEN { Ok(Self(code)) } else { Err(refusal()) }
    }

    /// The code as shown to its user.
    pub(super) fn to_text(&self) -> String {
        let groups = self.0.chunks(CODE_GROUP).map(|group| group.iter().copied().map(char::from).collect());
        groups.collect::<Vec<String>>().join("-")
    }

    /// The stored form.
    pub(super) fn hash(&self) -> CodeHash {
        CodeHash(Sha256::digest(self.0).into())
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

/// SHA-256 of a recovery code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct CodeHash([u8; 32]);

impl CodeHash {
    /// The stored form.
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeHash(..)")
    }
}

/// SHA-256 of an attempt to join: of its operation id and its secret. A UUID of version 7 has 74 random bits and may be
/// logged like any id, so the proof is the secret, which has at least 128.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct JoinAttempt([u8; 32]);

impl JoinAttempt {
    /// Checks the lengths; `None` if the client sent neither.
    pub(super) fn parse(operation_id: &[u8], secret: &[u8]) -> Result<Option<Self>, InvalidField> {
        if operation_id.is_empty() && secret.is_empty() {
            return Ok(None);
        }
        let operation = OperationId::parse(operation_id)?;
        if !(MIN_RETRY_SECRET_BYTES..=MAX_RETRY_SECRET_BYTES).contains(&secret.len()) {
            let sentence = format!(
                "A retry secret has {MIN_RETRY_SECRET_BYTES} to {MAX_RETRY_SECRET_BYTES} random bytes."
            );
            return Err(InvalidField::new("retry_secret", sentence));
        }
        Ok(Some(Self(
            Sha256::new().chain_update(operation.as_bytes()).chain_update(secret).finalize().into(),
        )))
    }

    /// The stored form.
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for JoinAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinAttempt(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_code_is_read_as_people_write_it() {
        let code = RecoveryCode::random().unwrap();
        let text = code.to_text();
        assert_eq!(text.len(), 24);
        assert_eq!(RecoveryCode::parse(&text).unwrap(), code);
        let careless = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(RecoveryCode::parse(&careless).unwrap(), code);
        assert_ne!(RecoveryCode::random().unwrap(), code);
        assert_eq!(format!("{code:?} {:?}", code.hash()), "RecoveryCode(..) CodeHash(..)");
    }

    #[test]
    fn other_texts_are_no_recovery_codes() {
        for text in ["", "ABCD", &"A".repeat(19), &"A".repeat(21), &"U".repeat(20), &"界".repeat(20)] {
            assert_eq!(RecoveryCode::parse(text).unwrap_err().field, "recovery_code", "{text:?}");
        }
    }

    #[test]
    fn attempt_to_join_has_an_operation_id_and_a_long_secret() {
        assert_eq!(JoinAttempt::parse(&[], &[]), Ok(None));
        let refused = |id: &[u8], secret: &[u8]| JoinAttempt::parse(id, secret).unwrap_err().field;
        assert_eq!(refused(&[1; 15], &[2; 16]), "operation_id");
        assert_eq!(refused(&[], &[2; 16]), "operation_id");
        assert_eq!(refused(&[1; 16], &[]), "retry_secret");
        assert_eq!(refused(&[1; 16], &[2; 15]), "retry_secret");
        assert_eq!(refused(&[1; 16], &[2; 65]), "retry_secret");
        let attempt = JoinAttempt::parse(&[1; 16], &[2; 16]).unwrap();
        assert_eq!(attempt, JoinAttempt::parse(&[1; 16], &[2; 16]).unwrap());
        assert_ne!(attempt, JoinAttempt::parse(&[1; 16], &[3; 16]).unwrap());
        assert_ne!(attempt, JoinAttempt::parse(&[2; 16], &[2; 16]).unwrap());
    }
}
