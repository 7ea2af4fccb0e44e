//! Services and methods of a pool.

use std::fmt;

use grpc_wire::method::{Idempotency, MethodKind};

use super::data::{Data, MethodData, ServiceData};
use super::handles::{Message, last_part};

/// A service.
#[derive(Clone, Copy)]
pub struct Service<'a> {
    pool: &'a Data,
    index: u32,
}

impl<'a> Service<'a> {
    pub(super) fn new(pool: &'a Data, index: u32) -> Service<'a> {
        Service { pool, index }
    }

    /// `package.Service`.
    pub fn full_name(self) -> &'a str {
        &self.data().common.full_name
    }

    /// The last part of the full name.
    pub fn name(self) -> &'a str {
        last_part(self.full_name())
    }

    /// Name of the .proto file.
    pub fn file(self) -> &'a str {
        &self.pool.files[self.data().common.file as usize]
    }

    /// The comment before it in the .proto file, else the one behind it; empty without one.
    pub fn comment(self) -> &'a str {
        &self.data().common.comment
    }

    /// Whether it is marked as deprecated.
    pub fn is_deprecated(self) -> bool {
        self.data().common.is_deprecated
    }

    /// The methods in the order of the .proto file.
    pub fn methods(self) -> impl ExactSizeIterator<Item = Method<'a>> {
        (0..self.data().methods.len()).map(move |index| Method { service: self, index })
    }

    fn data(self) -> &'a ServiceData {
        &self.pool.services[self.index as usize]
    }
}

impl fmt::Debug for Service<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({})", self.full_name())
    }
}

/// A method of a service.
#[derive(Clone, Copy)]
pub struct Method<'a> {
    service: Service<'a>,
    index: usize,
}

impl<'a> Method<'a> {
    /// The name in the .proto file.
    pub fn name(self) -> &'a str {
        last_part(&self.data().common.full_name)
    }

    /// The path of its calls, `/package.Service/Method`.
    pub fn path(self) -> String {
        format!("/{}/{}", self.service.full_name(), self.name())
    }

    /// The service that has it.
    pub fn service(self) -> Service<'a> {
        self.service
    }

    /// The sides that send a stream.
    pub fn kind(self) -> MethodKind {
        self.data().kind
    }

    /// The effect of a repeated call.
    pub fn idempotency(self) -> Idempotency {
        self.data().idempotency
    }

    /// The request message.
    pub fn request(self) -> Message<'a> {
        Message::new(self.service.pool, self.data().request)
    }

    /// The response message.
    pub fn response(self) -> Message<'a> {
        Message::new(self.service.pool, self.data().response)
    }

    /// The comment before it in the .proto file, else the one behind it; empty without one.
    pub fn comment(self) -> &'a str {
        &self.data().common.comment
    }

    /// Whether it is marked as deprecated.
    pub fn is_deprecated(self) -> bool {
        self.data().common.is_deprecated
    }

    fn data(self) -> &'a MethodData {
        &self.service.data().methods[self.index]
    }
}

impl fmt::Debug for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Method({})", self.path())
    }
}
