//! What the methods of a server are, as their descriptors say it.

use std::collections::HashMap;

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// The methods that calls are checked against: how many messages a request may have.
///
/// A unary or server-streaming call has exactly one request message; one with none or with several ends
/// with UNIMPLEMENTED, as the specification of status codes says. Calls of methods that are not in the
/// table are left alone.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    /// By path, `/package.Service/Method`.
    kinds: HashMap<String, Kind>,
}

/// How many messages a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Exactly one.
    One,
    /// Any number, and then one answer.
    Stream,
    /// Any number, and answers while they come.
    Duplex,
}

/// The bytes are no serialised `google.protobuf.FileDescriptorSet`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("it is no serialised google.protobuf.FileDescriptorSet")]
pub struct DescriptorError(#[from] prost::DecodeError);

impl Methods {
    /// All methods of a serialised `google.protobuf.FileDescriptorSet`: what `protoc -o` and protox write,
    /// and what reflection is given.
    pub fn from_descriptors(encoded: &[u8]) -> Result<Self, DescriptorError> {
        let files = FileDescriptorSet::decode(encoded)?.file;
        let mut kinds = HashMap::new();
        for file in files {
            let package = file.package().to_owned();
            for service in &file.service {
                let name = match package.as_str() {
                    "" => service.name().to_owned(),
                    package => format!("{package}.{}", service.name()),
                };
                for method in &service.method {
                    let kind = match (method.client_streaming(), method.server_streaming()) {
                        (false, _) => Kind::One,
                        (true, false) => Kind::Stream,
                        (true, true) => Kind::Duplex,
                    };
                    kinds.insert(format!("/{name}/{}", method.name()), kind);
                }
            }
        }
        Ok(Self { kinds })
    }

    /// These and those of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.kinds.extend(other.kinds);
        self
    }

    pub(crate) fn kind(&self, path: &str) -> Option<Kind> {
        self.kinds.get(path).copied()
    }
}

#[cfg(test)]
mod tests {
    use prost_types::{FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};

    use super::*;

    fn encoded(package: &str) -> Vec<u8> {
        let method = |name: &str, client_streaming, server_streaming| MethodDescriptorProto {
            name: Some(name.to_owned()),
            client_streaming: Some(client_streaming),
            server_streaming: Some(server_streaming),
            ..Default::default()
        };
        let service = ServiceDescriptorProto {
            name: Some("Service".to_owned()),
            method: vec![
                method("One", false, false),
                method("Answers", false, true),
                method("Many", true, false),
                method("Both", true, true),
            ],
            ..Default::default()
        };
        let file = FileDescriptorProto {
            package: Some(package.to_owned()),
            service: vec![service],
            ..Default::default()
        };
        FileDescriptorSet { file: vec![file] }.encode_to_vec()
    }

    #[test]
    fn methods_are_found_by_their_path_with_and_without_a_package() {
        let methods = Methods::from_descriptors(&encoded("a.b.v1")).unwrap();
        let methods = methods.and(Methods::from_descriptors(&encoded("")).unwrap());

        assert_eq!(methods.kind("/a.b.v1.Service/One"), Some(Kind::One));
        assert_eq!(methods.kind("/a.b.v1.Service/Answers"), Some(Kind::One));
        assert_eq!(methods.kind("/a.b.v1.Service/Many"), Some(Kind::Stream));
        assert_eq!(methods.kind("/a.b.v1.Service/Both"), Some(Kind::Duplex));
        assert_eq!(methods.kind("/Service/One"), Some(Kind::One));
        assert_eq!(methods.kind("/a.b.v1.Service/Other"), None);
    }

    #[test]
    fn what_is_no_descriptor_set_is_refused() {
        assert!(Methods::from_descriptors(b"\xff\xff").is_err());
    }
}
