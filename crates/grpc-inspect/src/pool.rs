//! Messages, enums and services by descriptors that come at run time: from server reflection, or from a `FileDescriptorSet`.
//!
//! [`PoolBuilder`] collects files in any order; [`PoolBuilder::build`] links them. The handles ([`Message`], [`Field`], ...) borrow
//! the [`Pool`] and are as cheap as a reference. A program that keeps a message for later keeps the pool and the message's name.

mod build;
mod comments;
pub(crate) mod data;
mod error;
mod features;
mod fields;
mod handles;
mod link;
mod link_field;
mod proto;
mod service;

use data::{Data, Symbol};

pub use build::PoolBuilder;
pub use error::{PoolError, PoolErrorKind};
pub use handles::{Enum, EnumValue, Field, Kind, Message, Oneof};
pub use proto::MAX_ELEMENTS;
pub use service::{Method, Service};

/// Linked descriptors. Empty by default.
#[derive(Default)]
pub struct Pool {
    data: Data,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("files", &self.data.files).finish_non_exhaustive()
    }
}

impl Pool {
    /// Links the files of a serialised `google.protobuf.FileDescriptorSet`, as `protoc --descriptor_set_out` and `buf build` write it.
    ///
    /// # Errors
    ///
    /// The bytes are no such set, a type is missing, or the files contradict each other.
    pub fn from_set(bytes: &[u8]) -> Result<Pool, PoolError> {
        let mut builder = PoolBuilder::new();
        builder.add_set(bytes)?;
        builder.build()
    }

    /// Names of the files, each after the ones that it imports.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.data.files.iter().map(|name| &**name)
    }

    /// All services, in the order of their files.
    pub fn services(&self) -> impl Iterator<Item = Service<'_>> {
        (0..self.data.services.len()).map(|index| Service::new(&self.data, index as u32))
    }

    /// All messages, without the entries of maps, in the order of their files.
    pub fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        let all = (0..self.data.messages.len()).map(|index| Message::new(&self.data, index as u32));
        all.filter(|message| !message.is_map_entry())
    }

    /// The service `package.Service`.
    pub fn service(&self, name: &str) -> Option<Service<'_>> {
        match self.data.symbols.get(name)? {
            Symbol::Service(index) => Some(Service::new(&self.data, *index)),
            _ => None,
        }
    }

    /// The method at `/package.Service/Method`.
    pub fn method(&self, path: &str) -> Option<Method<'_>> {
        let (service, name) = path.strip_prefix('/')?.split_once('/')?;
        self.service(service)?.methods().find(|method| method.name() == name)
    }

    /// The message `package.Message`.
    pub fn message(&self, name: &str) -> Option<Message<'_>> {
        self.data.message(name)
    }

    /// The enum `package.Enum`.
    pub fn enum_type(&self, name: &str) -> Option<Enum<'_>> {
        match self.data.symbols.get(name)? {
            Symbol::Enum(index) => Some(Enum::new(&self.data, *index)),
            _ => None,
        }
    }
}

impl Data {
    pub(crate) fn message(&self, name: &str) -> Option<Message<'_>> {
        match self.symbols.get(name)? {
            Symbol::Message(index) => Some(Message::new(self, *index)),
            _ => None,
        }
    }

    pub(crate) fn extension(&self, full_name: &str) -> Option<Field<'_>> {
        match self.symbols.get(full_name)? {
            Symbol::Extension(index) => Some(Field::new(self, *index)),
            _ => None,
        }
    }
}
