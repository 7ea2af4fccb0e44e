//! The methods of a server and their kinds, from a method table or from descriptors.

use std::collections::HashMap;
use std::sync::Arc;

use grpc_wire::method::{Method, MethodKind};
use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::observer::KnownMethod;

/// A table of methods, by which the number of request messages is checked and calls are named to an
/// [`Observer`](crate::Observer).
///
/// A unary or server-streaming call has exactly one request message. A call with none or several ends with UNIMPLEMENTED, as the
/// specification of status codes requires. Calls of methods outside the table are not checked.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    /// By path, `/package.Service/Method`.
    kinds: HashMap<Arc<str>, MethodKind>,
}

/// The bytes are not a serialised `google.protobuf.FileDescriptorSet`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("invalid google.protobuf.FileDescriptorSet")]
pub struct DescriptorError(#[from] prost::DecodeError);

impl Methods {
    /// All methods of a serialised `google.protobuf.FileDescriptorSet`, as `protoc -o`, protox and
    /// `tonic_prost_build::Builder::file_descriptor_set_path` write it, and as reflection takes it.
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
                    let kind = MethodKind::from_flags(method.client_streaming(), method.server_streaming());
                    kinds.insert(format!("/{name}/{}", method.name()).into(), kind);
                }
            }
        }
        Ok(Self { kinds })
    }

    /// Adds the methods of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.kinds.extend(other.kinds);
        self
    }

    /// The methods, in no order.
    pub fn iter(&self) -> impl Iterator<Item = KnownMethod<'_>> {
        self.kinds.iter().map(|(path, kind)| KnownMethod { path, kind: *kind })
    }

    pub(super) fn kind(&self, path: &str) -> Option<MethodKind> {
        self.kinds.get(path).copied()
    }

    /// A method with its path, for as long as the caller keeps it.
    pub(super) fn get(&self, path: &str) -> Option<(Arc<str>, MethodKind)> {
        let (path, kind) = self.kinds.get_key_value(path)?;
        Some((Arc::clone(path), *kind))
    }
}

/// The method table that the crate `grpc-wire-build` writes: `Methods::from(METHODS)`.
impl<const N: usize> From<[Method; N]> for Methods {
    fn from(methods: [Method; N]) -> Self {
        Self { kinds: methods.into_iter().map(|method| (method.path.into(), method.kind)).collect() }
    }
}

/// The full name of the service in a call's path: `/package.Service/Method`.
pub(crate) fn service_of(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
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
                method("Unary", false, false),
                method("Server", false, true),
                method("Client", true, false),
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
    fn methods_are_found_by_path_with_and_without_a_package() {
        let methods = Methods::from_descriptors(&encoded("a.b.v1")).unwrap();
        let methods = methods.and(Methods::from_descriptors(&encoded("")).unwrap());

        assert_eq!(methods.kind("/a.b.v1.Service/Unary"), Some(MethodKind::Unary));
        assert_eq!(methods.kind("/a.b.v1.Service/Server"), Some(MethodKind::ServerStreaming));
        assert_eq!(methods.kind("/a.b.v1.Service/Client"), Some(MethodKind::ClientStreaming));
        assert_eq!(methods.kind("/a.b.v1.Service/Both"), Some(MethodKind::Bidirectional));
        assert_eq!(methods.kind("/Service/Unary"), Some(MethodKind::Unary));
        assert_eq!(methods.kind("/a.b.v1.Service/Other"), None);
    }

    #[test]
    fn method_table_gives_kinds() {
        let methods = Methods::from([Method::new("/a.Service/Watch", MethodKind::ServerStreaming)]);

        assert_eq!(methods.kind("/a.Service/Watch"), Some(MethodKind::ServerStreaming));
        assert_eq!(methods.kind("/a.Service/Other"), None);
    }

    #[test]
    fn invalid_descriptors_are_refused() {
        assert!(Methods::from_descriptors(b"\xff\xff").is_err());
    }
}
