//! Calls: gRPC and gRPC-Web in every form that clients use, and the policies for them.
//!
//! Knows HTTP and the gRPC protocols, and no connection.

mod cors;
mod cross_site;
mod guard;
mod messages;
mod methods;
mod observe;
mod origin;
mod policy;
mod protocol;
mod service;
mod text;
mod trailers;

pub use self::cors::CorsOptions;
pub(crate) use self::cors::{Cors, is_preflight};
pub(crate) use self::cross_site::{FOREIGN_PAGE, SocketRights, is_foreign, socket_rights};
#[cfg(feature = "gateway")]
pub(crate) use self::methods::service_of;
pub use self::methods::{DescriptorError, Methods};
pub(crate) use self::observe::CallObserver;
pub use self::origin::{Origin, OriginError};
pub(crate) use self::policy::CallPolicy;
pub(crate) use self::protocol::{content_type, normalize, refuse_call};
pub(crate) use self::service::GrpcService;
pub use self::trailers::TrailingMetadata;
