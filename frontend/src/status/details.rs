//! Details of a status: the fields that the server refused, and its reason.

use prost::Message as _;
use tonic::Status;

/// A field of a request that the server refused.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct FieldViolation {
    /// The path of the field, such as `name`.
    #[prost(string, tag = "1")]
    pub(crate) field: String,
    /// The server's reason.
    #[prost(string, tag = "2")]
    pub(crate) description: String,
}

/// The fields that a status names in `google.rpc.BadRequest`.
pub(crate) fn field_violations(status: &Status) -> Vec<FieldViolation> {
    field_violations_in(status.details())
}

/// The same, from the value of `grpc-status-details-bin`.
pub(crate) fn field_violations_in(details: &[u8]) -> Vec<FieldViolation> {
    let bad_requests = find::<BadRequest>(details, "/google.rpc.BadRequest");
    bad_requests.into_iter().flat_map(|bad_request| bad_request.field_violations).collect()
}

/// The reason that a status names in `google.rpc.ErrorInfo`.
pub(crate) fn error_reason(status: &Status) -> Option<String> {
    find::<ErrorInfo>(status.details(), "/google.rpc.ErrorInfo").pop().map(|info| info.reason)
}

/// The details of one type. Invalid ones are left out.
fn find<M: prost::Message + Default>(details: &[u8], type_name: &str) -> Vec<M> {
    let details = RpcStatus::decode(details).unwrap_or_default().details;
    let found = details.into_iter().filter(|detail| detail.type_url.ends_with(type_name));
    found.filter_map(|detail| M::decode(detail.value.as_slice()).ok()).collect()
}

/// The type URLs of the details in a value of `grpc-status-details-bin`.
pub(crate) fn detail_types(details: &[u8]) -> Vec<String> {
    let details = RpcStatus::decode(details).unwrap_or_default().details;
    details.into_iter().map(|detail| detail.type_url).collect()
}

// Messages of google/rpc/status.proto and error_details.proto, with the fields that are read here.

#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<FieldViolation>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn refused(field: &str, description: &str) -> Vec<u8> {
        let violation = FieldViolation { field: field.to_owned(), description: description.to_owned() };
        let bad_request = BadRequest { field_violations: vec![violation] };
        let any = Any {
            type_url: "type.googleapis.com/google.rpc.BadRequest".to_owned(),
            value: bad_request.encode_to_vec(),
        };
        RpcStatus { details: vec![any] }.encode_to_vec()
    }

    #[test]
    fn refused_fields_are_read_from_the_details() {
        let details = refused("name", "too long");
        let status = Status::with_details(Code::InvalidArgument, "refused", details.into());
        let [violation] = field_violations(&status).try_into().unwrap();
        assert_eq!((violation.field.as_str(), violation.description.as_str()), ("name", "too long"));
    }

    #[test]
    fn invalid_details_name_no_field() {
        assert!(error_reason(&Status::invalid_argument("no details")).is_none());
        assert!(field_violations_in(&[]).is_empty());
        assert!(field_violations_in(&[0xff, 0xff, 0xff]).is_empty());
        assert!(detail_types(b"\x1a\x02").is_empty());
    }
}
