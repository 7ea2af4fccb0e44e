//! Links the descriptors of files into a pool: first every name, then every field's type.

use super::comments::path;
use super::data::{
    Common, Data, EnumData, EnumValueData, MessageData, MethodData, OneofData, ServiceData, Symbol,
};
use super::error::{PoolError, PoolErrorKind};
use super::features::FeatureSet;
use super::fields::Parsed;
use super::handles::Message;
use super::link_field::{self, FieldContext};
use super::proto::{EnumProto, FieldProto, FileProto, MessageProto, MethodProto, ServiceProto};
use grpc_wire::method::{Idempotency, MethodKind};

/// The surroundings of an element.
#[derive(Clone)]
pub(super) struct Scope<'p> {
    pub(super) file: &'p FileProto<'p>,
    pub(super) file_index: u32,
    /// Full name of the package or message around, empty without one.
    pub(super) name: String,
    pub(super) features: FeatureSet,
    /// The path of comments.
    pub(super) path: Vec<u32>,
}

impl Scope<'_> {
    pub(super) fn full_name(&self, name: &str) -> String {
        match self.name.as_str() {
            "" => name.to_owned(),
            scope => [scope, ".", name].concat(),
        }
    }

    pub(super) fn inner(&self, numbers: [u32; 2]) -> Vec<u32> {
        [self.path.as_slice(), &numbers].concat()
    }

    pub(super) fn common(&self, full_name: &str, numbers: [u32; 2], is_deprecated: bool) -> Common {
        Common {
            full_name: full_name.into(),
            file: self.file_index,
            comment: self.file.comments.of(&self.inner(numbers)),
            is_deprecated,
        }
    }

    pub(super) fn error(&self, element: &str, kind: PoolErrorKind) -> PoolError {
        PoolError::new(self.file.name, element, kind)
    }
}

/// Length of a full name, in bytes. Elements inside of an element repeat its name, so that a short file could fill the memory otherwise.
const MAX_NAME_BYTES: usize = 1024;
/// Length of all full names together, in bytes.
const MAX_NAMES_BYTES: usize = 64 * 1024 * 1024;

/// A message whose fields are not linked yet, or a scope with extensions.
struct Declared<'p> {
    scope: Scope<'p>,
    message: Option<(u32, &'p MessageProto<'p>)>,
    extensions: &'p [FieldProto<'p>],
}

pub(super) struct Linker<'d, 'p> {
    data: &'d mut Data,
    files: &'p [FileProto<'p>],
    declared: Vec<Declared<'p>>,
    /// Bytes of all full names so far.
    name_bytes: usize,
}

type Linked = Result<(), PoolError>;

impl<'d, 'p> Linker<'d, 'p> {
    pub(super) fn new(data: &'d mut Data, files: &'p [FileProto<'p>]) -> Linker<'d, 'p> {
        Linker { data, files, declared: Vec::new(), name_bytes: 0 }
    }

    pub(super) fn link(mut self) -> Linked {
        let mut scopes = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            let defaults = FeatureSet::of_file(file.syntax, file.edition)
                .map_err(|kind| PoolError::new(file.name, "", kind))?;
            let features = defaults.with(file.features);
            let (file_index, name) = (index as u32, file.package.to_owned());
            self.data.files.push(file.name.into());
            let scope = Scope { file, file_index, name, features, path: Vec::new() };
            self.names_of_file(&scope)?;
            scopes.push(scope);
        }
        for declared in std::mem::take(&mut self.declared) {
            self.fields(&declared)?;
        }
        self.check_extensions()?;
        for scope in scopes {
            for (index, service) in scope.file.services.iter().enumerate() {
                self.service(&scope, index as u32, service)?;
            }
        }
        Ok(())
    }

    /// No extension has the number of a field. It is checked at the end: an extension may stand before its message.
    fn check_extensions(&self) -> Linked {
        for ((message, number), field) in &self.data.extensions {
            if Message::new(self.data, *message).own_field(*number).is_some() {
                let common = &self.data.fields[*field as usize].common;
                let file = &self.data.files[common.file as usize];
                let kind = PoolErrorKind::DuplicateFieldNumber(*number);
                return Err(PoolError::new(file, &common.full_name, kind));
            }
        }
        Ok(())
    }

    fn names_of_file(&mut self, scope: &Scope<'p>) -> Linked {
        for (index, message) in scope.file.messages.iter().enumerate() {
            self.names_of_message(scope, [path::FILE_MESSAGE, index as u32], message)?;
        }
        for (index, proto) in scope.file.enums.iter().enumerate() {
            self.enum_type(scope, [path::FILE_ENUM, index as u32], proto)?;
        }
        let extensions = &scope.file.extensions;
        self.declared.push(Declared { scope: scope.clone(), message: None, extensions });
        Ok(())
    }

    fn names_of_message(
        &mut self,
        outer: &Scope<'p>,
        numbers: [u32; 2],
        proto: &'p MessageProto<'p>,
    ) -> Linked {
        let full_name = self.name(outer, proto.name)?;
        let index = self.data.messages.len() as u32;
        self.add_symbol(outer, &full_name, Symbol::Message(index))?;
        self.data.messages.push(MessageData {
            common: outer.common(&full_name, numbers, proto.is_deprecated),
            fields: Vec::new(),
            by_number: Vec::new(),
            by_name: Vec::new(),
            by_json_name: Vec::new(),
            oneofs: Vec::new(),
            is_map_entry: proto.is_map_entry,
        });
        let scope = Scope {
            name: full_name,
            features: outer.features.with(proto.features),
            path: outer.inner(numbers),
            ..*outer
        };
        for (index, message) in proto.messages.iter().enumerate() {
            self.names_of_message(&scope, [path::MESSAGE_MESSAGE, index as u32], message)?;
        }
        for (index, proto) in proto.enums.iter().enumerate() {
            self.enum_type(&scope, [path::MESSAGE_ENUM, index as u32], proto)?;
        }
        self.declared.push(Declared { scope, message: Some((index, proto)), extensions: &proto.extensions });
        Ok(())
    }

    fn enum_type(&mut self, scope: &Scope<'p>, numbers: [u32; 2], proto: &EnumProto<'_>) -> Linked {
        let full_name = self.name(scope, proto.name)?;
        let index = self.data.enums.len() as u32;
        self.add_symbol(scope, &full_name, Symbol::Enum(index))?;
        if proto.values.is_empty() {
            return Err(scope.error(&full_name, PoolErrorKind::NoEnumValue));
        }
        let path = scope.inner(numbers);
        let value = |(index, value): (usize, &super::proto::EnumValueProto<'_>)| EnumValueData {
            name: value.name.into(),
            number: value.number,
            comment: scope.file.comments.of(&[path.as_slice(), &[path::ENUM_VALUE, index as u32]].concat()),
            is_deprecated: value.is_deprecated,
        };
        let values: Vec<EnumValueData> = proto.values.iter().enumerate().map(value).collect();
        let all: Vec<u32> = (0..values.len() as u32).collect();
        let value = |position: u32| &values[position as usize];
        let by_number = link_field::sorted(&all, &|a, b| value(a).number.cmp(&value(b).number));
        let by_name = link_field::sorted(&all, &|a, b| value(a).name.cmp(&value(b).name));
        let common = scope.common(&full_name, numbers, proto.is_deprecated);
        let is_closed = scope.features.with(proto.features).is_closed();
        self.data.enums.push(EnumData { common, values, by_number, by_name, is_closed });
        Ok(())
    }

    /// The full name of an element, within the limits.
    fn name(&mut self, scope: &Scope<'_>, name: &str) -> Result<String, PoolError> {
        if name.is_empty() {
            return Err(scope.error(&scope.name, PoolErrorKind::NoName));
        }
        let length = scope.name.len() + 1 + name.len();
        self.name_bytes += length;
        if length > MAX_NAME_BYTES || self.name_bytes > MAX_NAMES_BYTES {
            return Err(scope.error("", PoolErrorKind::NamesTooLong));
        }
        Ok(scope.full_name(name))
    }

    fn add_symbol(&mut self, scope: &Scope<'_>, full_name: &str, symbol: Symbol) -> Linked {
        match self.data.symbols.insert(full_name.into(), symbol) {
            Some(_) => Err(scope.error(full_name, PoolErrorKind::DuplicateName)),
            None => Ok(()),
        }
    }

    fn fields(&mut self, declared: &Declared<'p>) -> Linked {
        let scope = &declared.scope;
        if let Some((index, proto)) = declared.message {
            self.oneofs(scope, index, proto)?;
            for (position, field) in proto.fields.iter().enumerate() {
                let numbers = [path::MESSAGE_FIELD, position as u32];
                self.field(&FieldContext {
                    scope,
                    numbers,
                    proto: field,
                    message: index,
                    oneofs: &proto.oneofs,
                })?;
            }
            link_field::finish_message(self.data, scope, index)?;
        }
        let first = if declared.message.is_some() { path::MESSAGE_EXTENSION } else { path::FILE_EXTENSION };
        for (position, proto) in declared.extensions.iter().enumerate() {
            let full_name = self.name(scope, proto.name)?;
            let fail = |kind| scope.error(&full_name, kind);
            let message = match resolve(self.data, scope, proto.extendee).map_err(fail)? {
                Symbol::Message(index) => index,
                _ => return Err(fail(PoolErrorKind::WrongType(proto.extendee.to_owned()))),
            };
            let numbers = [first, position as u32];
            let field = self.data.fields.len() as u32;
            self.add_symbol(scope, &full_name, Symbol::Extension(field))?;
            self.field(&FieldContext { scope, numbers, proto, message, oneofs: &[] })?;
        }
        Ok(())
    }

    fn oneofs(&mut self, scope: &Scope<'_>, message: u32, proto: &MessageProto<'_>) -> Linked {
        for (position, (name, _)) in proto.oneofs.iter().enumerate() {
            let full_name = self.name(scope, name)?;
            let common = scope.common(&full_name, [path::MESSAGE_ONEOF, position as u32], false);
            let oneof = OneofData { common, fields: Vec::new(), is_synthetic: false };
            self.data.messages[message as usize].oneofs.push(oneof);
        }
        Ok(())
    }

    fn field(&mut self, context: &FieldContext<'_>) -> Linked {
        let full_name = self.name(context.scope, context.proto.name)?;
        let data = link_field::field(self.data, context, &full_name)
            .map_err(|kind| context.scope.error(&full_name, kind))?;
        let (index, message, number) = (self.data.fields.len() as u32, data.message as usize, data.number);
        if data.is_extension {
            let taken = self.data.extensions.insert((data.message, number), index).is_some();
            if taken {
                return Err(context.scope.error(&full_name, PoolErrorKind::DuplicateFieldNumber(number)));
            }
        } else {
            self.data.messages[message].fields.push(index);
            if let Some(oneof) = data.oneof {
                let oneof = &mut self.data.messages[message].oneofs[oneof as usize];
                oneof.fields.push(index);
                oneof.is_synthetic = context.proto.is_proto3_optional;
            }
        }
        self.data.fields.push(data);
        Ok(())
    }

    fn service(&mut self, scope: &Scope<'p>, index: u32, proto: &ServiceProto<'_>) -> Linked {
        let full_name = self.name(scope, proto.name)?;
        let symbol = Symbol::Service(self.data.services.len() as u32);
        self.add_symbol(scope, &full_name, symbol)?;
        let numbers = [path::FILE_SERVICE, index];
        let inner = Scope { name: full_name.clone(), path: scope.inner(numbers), ..*scope };
        let mut methods = Vec::with_capacity(proto.methods.len());
        for (position, method) in proto.methods.iter().enumerate() {
            let name = self.name(&inner, method.name)?;
            let linked = self.method(&inner, position as u32, method, &name);
            methods.push(linked.map_err(|kind| scope.error(&name, kind))?);
        }
        let common = scope.common(&full_name, numbers, proto.is_deprecated);
        self.data.services.push(ServiceData { common, methods });
        Ok(())
    }

    fn method(
        &self,
        scope: &Scope<'_>,
        index: u32,
        proto: &MethodProto<'_>,
        name: &str,
    ) -> Parsed<MethodData> {
        let message = |name: &str| match resolve(self.data, scope, name)? {
            Symbol::Message(index) => Ok(index),
            _ => Err(PoolErrorKind::WrongType(name.to_owned())),
        };
        Ok(MethodData {
            common: scope.common(name, [path::SERVICE_METHOD, index], proto.is_deprecated),
            kind: MethodKind::from_flags(proto.is_client_streaming, proto.is_server_streaming),
            idempotency: match proto.idempotency {
                1 => Idempotency::NoSideEffects,
                2 => Idempotency::Idempotent,
                _ => Idempotency::Unknown,
            },
            request: message(proto.request)?,
            response: message(proto.response)?,
        })
    }
}

/// The element that a name of a type means: with a leading dot its full name, and otherwise the innermost one in scope.
pub(super) fn resolve(data: &Data, scope: &Scope<'_>, name: &str) -> Parsed<Symbol> {
    if let Some(full_name) = name.strip_prefix('.') {
        return data.symbols.get(full_name).copied().ok_or_else(|| unknown(data, scope, full_name));
    }
    let mut around = scope.name.as_str();
    loop {
        let candidate = if around.is_empty() { name.to_owned() } else { [around, ".", name].concat() };
        if let Some(symbol) = data.symbols.get(candidate.as_str()) {
            return Ok(*symbol);
        }
        if around.is_empty() {
            return Err(unknown(data, scope, name));
        }
        around = around.rsplit_once('.').map_or("", |(outer, _)| outer);
    }
}

/// An import that is missing is the likely reason for an unknown type.
fn unknown(data: &Data, scope: &Scope<'_>, name: &str) -> PoolErrorKind {
    let is_missing = |import: &&&str| !data.files.iter().any(|file| **file == ***import);
    let missing =
        scope.file.dependencies.iter().filter(is_missing).map(|import| (*import).to_owned()).collect();
    PoolErrorKind::UnknownType { name: name.to_owned(), missing }
}
