//! The services of a server: where they come from, and why they are not known. Knows no signals.

use std::sync::Arc;

use grpc_inspect::{
    decode::to_json,
    frame::Direction,
    json::{Decoded, JsonOptions},
    pool::{Method, Pool, PoolError, Service},
    reflection::{Reflection, ReflectionError, ReflectionVersion},
};
use tonic::{Code, Status};
use tonic_web_channel::{BodyEnd, Error};

use super::{address::Address, texts::Texts};
use crate::{
    calls::{FindMethod, FoundMethod},
    i18n::fill,
    status::code_name,
};

/// Packages of services that help tools. They stand behind the others.
const HELPERS: [&str; 3] = ["grpc.reflection.", "grpc.health.", "grpc.channelz."];

/// The origin of descriptors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The server's reflection.
    Reflection(ReflectionVersion),
    /// Files, by their names.
    Files(String),
}

/// Services with their descriptors.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) pool: Pool,
    pub(super) source: Source,
    /// Names of services that the server lists and does not describe, with its words.
    pub(super) undescribed: Vec<(String, String)>,
    /// Names of the services, those that help tools behind the others.
    services: Vec<String>,
}

impl Schema {
    /// From a server's reflection.
    pub(super) fn reflected(reflection: Reflection) -> Schema {
        let Reflection { pool, services, mut refused, version, .. } = reflection;
        let (services, others): (Vec<String>, Vec<String>) =
            services.into_iter().partition(|name| pool.service(name).is_some());
        let undescribed = others.into_iter().map(|name| {
            let reason = refused.remove(&name).unwrap_or_default();
            (name, reason)
        });
        let undescribed = undescribed.collect();
        Schema::new(pool, Source::Reflection(version), services, undescribed)
    }

    /// From files.
    pub(super) fn of_files(pool: Pool, names: String) -> Schema {
        let services = pool.services().map(|service| service.full_name().to_owned()).collect();
        Schema::new(pool, Source::Files(names), services, Vec::new())
    }

    fn new(
        pool: Pool,
        source: Source,
        mut services: Vec<String>,
        undescribed: Vec<(String, String)>,
    ) -> Schema {
        services.sort_by_key(|name| HELPERS.iter().any(|helper| name.starts_with(helper)));
        Schema { pool, source, undescribed, services }
    }

    /// The services.
    pub(super) fn services(&self) -> impl Iterator<Item = Service<'_>> {
        self.services.iter().filter_map(|name| self.pool.service(name))
    }

    /// Decodes calls of the services for the calls panel.
    pub(super) fn find_method(self: &Arc<Schema>) -> FindMethod {
        let schema = Arc::clone(self);
        Arc::new(move |path| {
            let kind = schema.pool.method(path)?.kind();
            let (schema, path) = (Arc::clone(&schema), path.to_owned());
            let decode = Arc::new(move |direction, bytes: &[u8], options: &JsonOptions| {
                schema.decode(&path, direction, bytes, options)
            });
            Some(FoundMethod { kind, decode })
        })
    }

    /// A message of the method at `/package.Service/Method`.
    fn decode(
        &self,
        path: &str,
        direction: Direction,
        bytes: &[u8],
        options: &JsonOptions,
    ) -> Option<Decoded> {
        let method = self.pool.method(path)?;
        let message = match direction {
            Direction::Sent => method.request(),
            Direction::Received => method.response(),
        };
        let decoded = to_json(message, bytes, options);
        let has_unknown_fields = decoded.unknown_field_count > 0;
        Some(Decoded { json: decoded.json, problem: decoded.problem, has_unknown_fields })
    }

    /// The method `package.Service/Method`.
    pub(super) fn method(&self, name: &str) -> Option<Method<'_>> {
        self.pool.method(&["/", name].concat())
    }
}

/// Why the services are not known.
#[derive(Debug)]
pub(super) enum Unknown {
    /// Reflection failed.
    Reflection {
        /// The server.
        address: Address,
        error: ReflectionError,
    },
    /// A file is no descriptor set, or contradicts itself.
    File { name: String, error: PoolError },
    /// A file has no service.
    NoService { name: String },
    /// A file is longer than the page reads.
    TooLong { name: String },
    /// The browser does not give the file.
    Unreadable { name: String },
    /// Files with sources do not compile, with the compiler's words.
    Sources { error: String },
    /// A file is written in an edition of Protobuf, which the compiler does not know.
    Edition { name: String },
    /// Files with sources and others came together.
    Mixed,
    /// The module of the compiler could not be loaded.
    NoCompiler,
}

impl Unknown {
    /// The sentence: the failure, and the next step. `by_policy`: whether the page's own policy kept the call back.
    pub(super) fn sentence(&self, t: &Texts, by_policy: bool) -> String {
        match self {
            Unknown::Reflection { address, error } => reflection_failed(t, address, error, by_policy),
            Unknown::File { name, .. } => fill(t.file_invalid, &[("name", name)]),
            Unknown::NoService { name } => fill(t.file_without_service, &[("name", name)]),
            Unknown::TooLong { name } => fill(t.file_too_long, &[("name", name)]),
            Unknown::Unreadable { name } => fill(t.file_unreadable, &[("name", name)]),
            Unknown::Sources { .. } => t.sources_invalid.to_owned(),
            Unknown::Edition { name } => fill(t.sources_edition, &[("name", name)]),
            Unknown::Mixed => t.files_mixed.to_owned(),
            Unknown::NoCompiler => t.no_compiler.to_owned(),
        }
    }

    /// The cause in the words of the server, the channel or the library. They are English.
    pub(super) fn details(&self) -> String {
        match self {
            Unknown::Reflection { error, .. } => match error {
                ReflectionError::Unsupported(status) | ReflectionError::Call(status) => status_text(status),
                ReflectionError::Descriptors(error) => error.to_string(),
                other => other.to_string(),
            },
            Unknown::File { error, .. } => error.to_string(),
            Unknown::Sources { error } => error.clone(),
            _ => String::new(),
        }
    }
}

fn reflection_failed(t: &Texts, address: &Address, error: &ReflectionError, by_policy: bool) -> String {
    match error {
        ReflectionError::Unsupported(_) => t.no_reflection.to_owned(),
        ReflectionError::Call(status) => call_failed(t, address, status, by_policy),
        ReflectionError::InvalidResponse { .. } => t.reflection_invalid.to_owned(),
        ReflectionError::Refused { name, .. } => fill(t.reflection_missing_file, &[("file", name)]),
        ReflectionError::TooLarge => t.reflection_too_large.to_owned(),
        // The enum may grow.
        _ => t.reflection_descriptors.to_owned(),
    }
}

/// The sentence of a call that failed, where the reason may be the address. It is empty for the server's own verdict.
pub(super) fn unreached(t: &Texts, address: &Address, status: &Status, by_policy: bool) -> String {
    let is_own = *address == Address::Own;
    match Error::from_status(status) {
        Some(Error::Fetch { .. }) if by_policy => t.blocked_by_policy.to_owned(),
        Some(Error::Fetch { .. } | Error::Connect { .. }) if is_own => t.own_not_reached.to_owned(),
        Some(Error::Fetch { .. } | Error::Connect { .. }) => t.not_reached.to_owned(),
        Some(Error::Http { status }) => fill(t.answered_http, &[("status", &status.to_string())]),
        Some(Error::ContentType { found }) if found.is_empty() => t.answered_without_type.to_owned(),
        Some(Error::ContentType { found }) => fill(t.answered_type, &[("type", found)]),
        Some(Error::Truncated { end: BodyEnd::Empty }) if !is_own => t.status_not_exposed.to_owned(),
        _ => String::new(),
    }
}

fn call_failed(t: &Texts, address: &Address, status: &Status, by_policy: bool) -> String {
    let sentence = unreached(t, address, status, by_policy);
    if !sentence.is_empty() {
        return sentence;
    }
    match status.code() {
        Code::DeadlineExceeded => t.reflection_too_slow.to_owned(),
        Code::Unauthenticated | Code::PermissionDenied => {
            fill(t.reflection_refused, &[("code", code_name(status.code()))])
        }
        code => fill(t.reflection_failed, &[("code", code_name(code))]),
    }
}

fn status_text(status: &Status) -> String {
    match status.message() {
        "" => code_name(status.code()).to_owned(),
        message => [code_name(status.code()), ": ", message].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{explorer::texts::texts_in, i18n::Language};

    fn sentence(error: ReflectionError, address: &str, by_policy: bool) -> String {
        let address = Address::parse(address, "http://own").unwrap();
        let unknown = Unknown::Reflection { address, error };
        unknown.sentence(texts_in(Language::English), by_policy)
    }

    fn failed(error: Error, address: &str) -> String {
        sentence(ReflectionError::Call(error.into()), address, false)
    }

    #[test]
    fn each_failure_names_its_cause() {
        let fetch = || Error::Fetch { origin: String::new(), reason: String::new(), offline: false };
        assert!(failed(fetch(), "https://a").contains("CORS"));
        assert!(!failed(fetch(), "").contains("CORS"));
        let by_policy = sentence(ReflectionError::Call(fetch().into()), "https://a", true);
        assert!(by_policy.contains("--connect-source"), "{by_policy}");
        assert!(failed(Error::Http { status: 415 }, "https://a").contains("415"));
        assert!(failed(Error::ContentType { found: "text/html".to_owned() }, "").contains("text/html"));
        assert!(failed(Error::Truncated { end: BodyEnd::Empty }, "https://a").contains("grpc-status"));
        let refused = sentence(ReflectionError::Call(Status::permission_denied("no")), "", false);
        assert!(refused.contains("PERMISSION_DENIED"), "{refused}");
        let missing = ReflectionError::Unsupported(Status::unimplemented(""));
        assert_eq!(sentence(missing, "", false), texts_in(Language::English).no_reflection);
    }

    #[test]
    fn helpers_stand_behind_other_services() {
        let pool = Pool::from_set(proto::FILE_DESCRIPTOR_SET).unwrap();
        let names = ["grpc.health.v1.Health", "helloworld.Greeter", "chat.v1.ChatService"];
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let schema = Schema::new(pool, Source::Files(String::new()), names, Vec::new());
        assert_eq!(schema.services, ["helloworld.Greeter", "chat.v1.ChatService", "grpc.health.v1.Health"]);
        assert!(schema.method("helloworld.Greeter/SayHello").is_some());
        assert!(schema.method("helloworld.Greeter/Nothing").is_none());
    }
}
