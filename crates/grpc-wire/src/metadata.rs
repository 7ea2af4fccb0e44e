//! Binary metadata: keys that end in `-bin`, whose values are base64.
//!
//! Specification: "Custom-Metadata" and "Binary-Header" of `PROTOCOL-HTTP2.md`.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName, HeaderValue};

/// End of the keys whose values are bytes.
pub const BINARY_SUFFIX: &str = "-bin";

/// "Implementations must accept padded and un-padded values".
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A value of a `-bin` key is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value of a binary metadata key is not base64")]
pub struct InvalidBinary;

/// More values of binary keys came than are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are more than {max_values} values of binary metadata keys")]
pub struct TooManyValues {
    /// The limit.
    pub max_values: usize,
}

/// Writes one value of a `-bin` key, without padding.
pub fn encode_binary(value: &[u8]) -> String {
    BASE64.encode(value)
}

/// Reads one value of a `-bin` key, with or without padding.
pub fn decode_binary(value: &[u8]) -> Result<Vec<u8>, InvalidBinary> {
    BASE64.decode(value).map_err(|_| InvalidBinary)
}

/// Gives each value of a `-bin` key a header of its own where HTTP joined several with commas.
///
/// Every hop may join them, browsers do, and base64 has no comma: "Implementations must split Binary-Headers on ','".
/// Fails, and leaves an undefined part of the values out, when the split headers would have more than `max_values`
/// values.
pub fn split_joined_binary(headers: &mut HeaderMap, max_values: usize) -> Result<(), TooManyValues> {
    if !headers.iter().any(|(name, value)| is_joined(name, value)) {
        return Ok(());
    }
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| headers.get_all(*name).iter().any(|value| is_joined(name, value)))
        .cloned()
        .collect();
    let mut values = 0;
    for name in names {
        let joined: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
        headers.remove(&name);
        for part in joined.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
            values += 1;
            // A part of a valid value is valid.
            let Ok(part) = HeaderValue::from_bytes(part.trim_ascii()) else { continue };
            if values > max_values || headers.try_append(name.clone(), part).is_err() {
                return Err(TooManyValues { max_values });
            }
        }
    }
    Ok(())
}

fn is_joined(name: &HeaderName, value: &HeaderValue) -> bool {
    name.as_str().ends_with(BINARY_SUFFIX) && value.as_bytes().contains(&b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `x-data-bin` after the split.
    fn split(values: &[&str], max_values: usize) -> Result<Vec<String>, TooManyValues> {
        let mut headers = HeaderMap::new();
        headers.append("x-other", HeaderValue::from_static("a, b"));
        for value in values {
            headers.append("x-data-bin", HeaderValue::from_str(value).unwrap());
        }
        split_joined_binary(&mut headers, max_values)?;
        assert_eq!(headers["x-other"], "a, b");
        let values = headers.get_all("x-data-bin").iter();
        Ok(values.map(|value| value.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn joined_values_are_split_and_keep_their_order() {
        assert_eq!(split(&["AAEC, AwQ="], 10).unwrap(), ["AAEC", "AwQ="]);
        assert_eq!(split(&["AA", "AQ,Ag ,\tAw", "BA=="], 10).unwrap(), ["AA", "AQ", "Ag", "Aw", "BA=="]);
        assert_eq!(split(&["AA, "], 10).unwrap(), ["AA", ""], "an empty value is a value");
        assert_eq!(split(&["AA"], 10).unwrap(), ["AA"]);
    }

    #[test]
    fn more_values_than_the_limit_are_refused() {
        assert_eq!(split(&["A,B,C"], 3).unwrap().len(), 3);
        assert_eq!(split(&["A,B,C"], 2), Err(TooManyValues { max_values: 2 }));
        let commas = ",".repeat(40_000);
        assert_eq!(split(&[&commas], 256), Err(TooManyValues { max_values: 256 }));
    }

    #[test]
    fn padding_is_optional_in_values() {
        assert_eq!(encode_binary(b"\0\x01\x02\x03"), "AAECAw");
        for value in ["AAECAw", "AAECAw=="] {
            assert_eq!(decode_binary(value.as_bytes()), Ok(vec![0, 1, 2, 3]), "{value}");
        }
        for value in ["C", "CA U", "CAU, CAU", "CAV"] {
            assert_eq!(decode_binary(value.as_bytes()), Err(InvalidBinary), "{value}");
        }
    }
}
