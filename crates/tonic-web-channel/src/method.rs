//! Descriptions of methods, and the method table of a channel.

pub use grpc_wire::method::{Idempotency, Method, MethodKind};

/// Methods by path.
///
/// They are few, and their paths differ in length mostly, so a list is searched faster than a map, and its code is
/// shorter.
#[derive(Debug, Default)]
pub(crate) struct MethodTable(Vec<Method>);

impl MethodTable {
    pub(crate) fn get(&self, path: &str) -> Option<Method> {
        self.0.iter().find(|method| method.path == path).copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the table has methods of the service in `path`.
    pub(crate) fn has_service_of(&self, path: &str) -> bool {
        let service = service(path);
        self.0.iter().any(|method| self::service(method.path) == service)
    }
}

/// Later methods replace earlier ones of the same path.
impl Extend<Method> for MethodTable {
    fn extend<T: IntoIterator<Item = Method>>(&mut self, methods: T) {
        for method in methods {
            self.0.retain(|known| known.path != method.path);
            self.0.push(method);
        }
    }
}

/// `/package.Service` of `/package.Service/Method`.
fn service(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(service, _)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_found_by_its_path_and_a_service_by_any_of_its_methods() {
        let mut table = MethodTable::default();
        assert!(!table.has_service_of("/a.B/C"));
        table.extend([Method::new("/a.B/C", MethodKind::Unary)]);

        assert_eq!(table.get("/a.B/C").unwrap().kind, MethodKind::Unary);
        assert_eq!(table.get("/a.B/D"), None);
        assert!(table.has_service_of("/a.B/D"));
        assert!(!table.has_service_of("/a.Bc/C"));

        table.extend([Method::new("/a.B/C", MethodKind::ServerStreaming)]);
        assert_eq!(table.get("/a.B/C").unwrap().kind, MethodKind::ServerStreaming);
    }
}
