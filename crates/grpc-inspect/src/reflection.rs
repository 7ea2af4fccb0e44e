//! Fetches the descriptors of a server by gRPC's reflection, version 1 or 1alpha, over any service of tonic.
//!
//! [Server reflection](https://github.com/grpc/grpc/blob/master/doc/server-reflection.md).

mod client;
mod messages;

use std::collections::BTreeMap;

use futures_util::future::join_all;
use thiserror::Error;
use tonic::Status;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, StdError};
use tonic::metadata::MetadataMap;

use crate::pool::{Pool, PoolBuilder, PoolError};
use client::Client;
use messages::{Request, Response};

/// Bytes of descriptors that are taken of one server.
pub const MAX_DESCRIPTOR_BYTES: usize = 64 * 1024 * 1024;

/// Files that are taken of one server, services that it may list, and files that it may refuse.
pub const MAX_FILES: usize = 10_000;

/// Calls that are open at once. Browsers have six connections to a server of HTTP/1.1.
const MAX_OPEN_CALLS: usize = 4;

/// The version of the reflection service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReflectionVersion {
    /// `grpc.reflection.v1`
    V1,
    /// `grpc.reflection.v1alpha`
    V1Alpha,
}

/// The descriptors of a server.
#[derive(Debug)]
pub struct Reflection {
    /// Everything that was fetched, linked.
    pub pool: Pool,
    /// The files of the pool. [`fetch_symbol`] adds to them.
    pub files: PoolBuilder,
    /// Full names of the services that the server lists, in its order.
    pub services: Vec<String>,
    /// Services that the server lists and does not describe, and files that it does not have, with its words. Nothing in the pool needs
    /// those files.
    pub refused: BTreeMap<String, String>,
    /// The version that the server speaks.
    pub version: ReflectionVersion,
}

/// The descriptors of a server could not be fetched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReflectionError {
    /// The server has no reflection.
    #[error("the server has no reflection")]
    Unsupported(#[source] Status),
    /// A call failed.
    #[error("a call of the reflection service failed")]
    Call(#[source] Status),
    /// A response is none of the reflection service, or none to this request.
    #[error("the response to {request} is none of the reflection service")]
    InvalidResponse {
        /// The request to the server.
        request: String,
    },
    /// The server refuses what was asked for.
    #[error("the server does not describe {name:?}: {message}")]
    Refused {
        /// The service, symbol or file.
        name: String,
        /// The server's words.
        message: String,
    },
    /// There are too many files or bytes.
    #[error("the descriptors exceed {MAX_FILES} files or {MAX_DESCRIPTOR_BYTES} bytes")]
    TooLarge,
    /// The descriptors cannot be used.
    #[error("the descriptors of the server cannot be used")]
    Descriptors(#[from] PoolError),
}

/// Fetches all services of a server with everything that they import. Each file is asked for once. `metadata` is sent with each call.
///
/// Every call sends one request and takes one response, so transports that cannot send streams carry it. The caller limits the time:
/// a dropped future ends the calls that are open. Bytes and files are limited.
///
/// # Errors
///
/// See [`ReflectionError`]. A server that describes only some of its services, or lacks a file that nothing needs, is no error.
pub async fn fetch<S>(service: S, metadata: &MetadataMap) -> Result<Reflection, ReflectionError>
where
    S: GrpcService<Body> + Clone,
    S::ResponseBody: HttpBody + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError>,
{
    let mut client = Client { service, metadata, version: ReflectionVersion::V1 };
    let services = list_services(&mut client).await?;
    let mut fetcher =
        Fetcher { client, files: PoolBuilder::new(), refused: BTreeMap::new(), bytes: 0, count: 0 };
    fetcher.services(&services).await?;
    fetcher.imports().await?;
    let pool = fetcher.files.build()?;
    let Fetcher { client, files, refused, .. } = fetcher;
    Ok(Reflection { pool, files, services, refused, version: client.version })
}

/// Adds the file of a symbol (a message, a service, ...) to `files`, with everything that it imports: an `Any` may hold messages that no
/// service names. [`PoolBuilder::build`] links them.
///
/// # Errors
///
/// See [`ReflectionError`].
pub async fn fetch_symbol<S>(
    service: S,
    metadata: &MetadataMap,
    version: ReflectionVersion,
    symbol: &str,
    files: &mut PoolBuilder,
) -> Result<(), ReflectionError>
where
    S: GrpcService<Body> + Clone,
    S::ResponseBody: HttpBody + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError>,
{
    let client = Client { service, metadata, version };
    let refused = BTreeMap::new();
    let mut fetcher = Fetcher { client, files: std::mem::take(files), refused, bytes: 0, count: 0 };
    let fetched = async {
        fetcher.round(&[Request::Symbol(symbol.to_owned())]).await?;
        fetcher.imports().await
    };
    let result = fetched.await;
    *files = fetcher.files;
    result?;
    match fetcher.refused.remove(symbol) {
        Some(message) => Err(ReflectionError::Refused { name: symbol.to_owned(), message }),
        None => Ok(()),
    }
}

/// Lists the services, and finds the version that the server speaks.
async fn list_services<S>(client: &mut Client<'_, S>) -> Result<Vec<String>, ReflectionError>
where
    S: GrpcService<Body> + Clone,
    S::ResponseBody: HttpBody + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError>,
{
    let mut answer = client.call(&Request::Services).await;
    if matches!(&answer, Err(ReflectionError::Call(status)) if status.code() == tonic::Code::Unimplemented) {
        client.version = ReflectionVersion::V1Alpha;
        answer = client.call(&Request::Services).await.map_err(|error| match error {
            ReflectionError::Call(status) if status.code() == tonic::Code::Unimplemented => {
                ReflectionError::Unsupported(status)
            }
            other => other,
        });
    }
    match answer? {
        Response::Services(services) if services.len() > MAX_FILES => Err(ReflectionError::TooLarge),
        Response::Services(services) => Ok(services),
        Response::Error(message) => {
            Err(ReflectionError::Refused { name: Request::Services.name().to_owned(), message })
        }
        Response::Files(_) => Err(Request::Services.invalid_response()),
    }
}

struct Fetcher<'m, S> {
    client: Client<'m, S>,
    files: PoolBuilder,
    refused: BTreeMap<String, String>,
    bytes: usize,
    count: usize,
}

impl<S> Fetcher<'_, S>
where
    S: GrpcService<Body> + Clone,
    S::ResponseBody: HttpBody + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError>,
{
    /// Fetches the files of the services. One response often has the files of many.
    async fn services(&mut self, services: &[String]) -> Result<(), ReflectionError> {
        let mut left = services.iter();
        loop {
            let unknown = left.by_ref().filter(|name| !self.files.has_service(name)).cloned();
            let round: Vec<Request> = unknown.take(MAX_OPEN_CALLS).map(Request::Symbol).collect();
            if round.is_empty() {
                return Ok(());
            }
            self.round(&round).await?;
        }
    }

    /// Fetches what the files import, until nothing is missing that the server has.
    async fn imports(&mut self) -> Result<(), ReflectionError> {
        loop {
            let wanted = self.files.missing().filter(|name| !self.refused.contains_key(*name));
            let round: Vec<Request> =
                wanted.take(MAX_OPEN_CALLS).map(|name| Request::File(name.to_owned())).collect();
            if round.is_empty() {
                return Ok(());
            }
            self.round(&round).await?;
        }
    }

    /// Makes some calls at once and takes their files.
    async fn round(&mut self, requests: &[Request]) -> Result<(), ReflectionError> {
        let answers = join_all(requests.iter().map(|request| self.client.call(request))).await;
        for (request, answer) in requests.iter().zip(answers) {
            match answer? {
                Response::Files(files) => self.add(files)?,
                Response::Error(message) => self.refuse(request, message)?,
                Response::Services(_) => return Err(request.invalid_response()),
            }
            // Otherwise the same file would be asked for again and again.
            if matches!(request, Request::File(name) if !self.files.has_file(name)) {
                self.refuse(request, "the response has other files".to_owned())?;
            }
        }
        Ok(())
    }

    fn add(&mut self, files: Vec<bytes::Bytes>) -> Result<(), ReflectionError> {
        for file in files {
            self.bytes += file.len();
            self.count += 1;
            // A server may send what it has sent before, so this bounds the answers and not only what is kept.
            if self.bytes > MAX_DESCRIPTOR_BYTES || self.count > MAX_FILES {
                return Err(ReflectionError::TooLarge);
            }
            self.files.add_file(&file)?;
        }
        Ok(())
    }

    fn refuse(&mut self, request: &Request, message: String) -> Result<(), ReflectionError> {
        if self.refused.len() == MAX_FILES {
            return Err(ReflectionError::TooLarge);
        }
        self.refused.entry(request.name().to_owned()).or_insert(message);
        Ok(())
    }
}
