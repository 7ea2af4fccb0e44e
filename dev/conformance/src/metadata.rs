//! Conversions between the suite's metadata and errors and tonic's.

use anyhow::{Context as _, Result};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message as _;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::pb::{Error, Header};

/// Metadata as it is sent. Values of `-bin` keys are already in base64.
pub(crate) fn to_metadata(headers: &[Header]) -> Result<MetadataMap> {
    let mut map = HeaderMap::new();
    for header in headers {
        let name: HeaderName = header.name.parse().with_context(|| format!("header {:?}", header.name))?;
        for value in &header.value {
            let value = HeaderValue::from_str(value).with_context(|| format!("a value of {name}"))?;
            map.append(&name, value);
        }
    }
    Ok(MetadataMap::from_headers(map))
}

/// One header for each key, with its values in order.
pub(crate) fn from_metadata(metadata: &MetadataMap) -> Vec<Header> {
    let headers = metadata.clone().into_headers();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let of = |name: &HeaderName| Header {
        name: name.to_string(),
        value: headers.get_all(name).iter().map(text).collect(),
    };
    headers.keys().map(of).collect()
}

/// An error. The suite has gRPC's numbers of codes.
pub(crate) fn from_status(status: &Status) -> Error {
    // Bytes that are not a `google.rpc.Status` count as no details.
    let details = tonic_types::pb::Status::decode(status.details()).unwrap_or_default().details;
    Error { code: status.code().into(), message: Some(status.message().to_owned()), details }
}

/// A status with `metadata` for the trailers.
#[cfg(unix)]
pub(crate) fn to_status(error: Error, metadata: MetadataMap) -> Status {
    let (code, message) = (error.code, error.message.unwrap_or_default());
    let details = match error.details {
        details if details.is_empty() => Vec::new(),
        details => tonic_types::pb::Status { code, message: message.clone(), details }.encode_to_vec(),
    };
    Status::with_details_and_metadata(tonic::Code::from_i32(code), message, details.into(), metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_key_keep_their_order() {
        let headers = vec![Header { name: "x-a".to_owned(), value: vec!["1".to_owned(), "2".to_owned()] }];
        assert_eq!(from_metadata(&to_metadata(&headers).unwrap()), headers);
    }

    #[test]
    fn an_error_keeps_its_details_in_a_status() {
        let detail = prost_types::Any { type_url: "type.googleapis.com/a.B".to_owned(), value: vec![1] };
        let error = Error { code: 5, message: Some("no such thing".to_owned()), details: vec![detail] };
        assert_eq!(from_status(&to_status(error.clone(), MetadataMap::new())), error);
    }
}
