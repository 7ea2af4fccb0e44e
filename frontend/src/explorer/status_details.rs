//! The details of a status, by the server's descriptors and by those of `google.rpc`. Knows no signals.

use grpc_inspect::{
    decode::to_json,
    json::JsonOptions,
    pool::{Pool, PoolError},
};
use prost::Message as _;

/// A detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Detail {
    /// Full name of its type.
    pub(super) type_name: String,
    /// Its content as JSON; `None` where nobody has the type.
    pub(super) json: Option<String>,
    /// Its length in bytes.
    pub(super) length: usize,
}

/// `google.rpc.Status`, as far as it is read here.
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

/// The descriptors of `google.rpc`, which servers seldom give.
pub(super) fn standard_pool() -> Result<Pool, PoolError> {
    Pool::from_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
}

/// The details of the value of `grpc-status-details-bin`. An invalid value has none.
pub(super) fn details(value: &[u8], pools: &[&Pool], options: &JsonOptions) -> Vec<Detail> {
    let details = RpcStatus::decode(value).unwrap_or_default().details;
    details
        .into_iter()
        .map(|Any { type_url, value }| {
            let type_name = type_url.rsplit('/').next().unwrap_or_default().to_owned();
            let message = pools.iter().find_map(|pool| pool.message(&type_name));
            let json = message.map(|message| to_json(message, &value, options).json);
            Detail { type_name, json, length: value.len() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(type_url: &str, value: Vec<u8>) -> Vec<u8> {
        RpcStatus { details: vec![Any { type_url: type_url.to_owned(), value }] }.encode_to_vec()
    }

    fn read(value: &[u8], pools: &[&Pool]) -> Vec<Detail> {
        details(value, pools, &JsonOptions::compact())
    }

    #[test]
    fn details_of_google_rpc_are_read() {
        // `reason` and `domain` of an `ErrorInfo`.
        let info = b"\n\x07TOO_OLD\x12\x04chat".to_vec();
        let value = status("type.googleapis.com/google.rpc.ErrorInfo", info);
        let pool = standard_pool().unwrap();
        let [detail] = read(&value, &[&Pool::default(), &pool]).try_into().unwrap();
        assert_eq!(detail.type_name, "google.rpc.ErrorInfo");
        assert_eq!(detail.json.unwrap(), r#"{"reason":"TOO_OLD","domain":"chat"}"#);
    }

    #[test]
    fn details_of_the_server_are_read_and_others_named() {
        let value = status("x/helloworld.HelloReply", b"\n\x02hi".to_vec());
        let pool = Pool::from_set(proto::FILE_DESCRIPTOR_SET).unwrap();
        assert_eq!(read(&value, &[&pool])[0].json.as_deref(), Some(r#"{"message":"hi"}"#));
        let expected = Detail { type_name: "helloworld.HelloReply".to_owned(), json: None, length: 4 };
        assert_eq!(read(&value, &[]), [expected]);
        assert_eq!(read(&[0xff, 0xff], &[]), []);
    }
}
