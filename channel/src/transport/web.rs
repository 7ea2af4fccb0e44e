//! gRPC-Web over `fetch` by `tonic-web-wasm-client`.

use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use tonic::Status;
use tonic::body::Body;
use tonic_web_wasm_client::{Client, Error};
use tower_service::Service as _;

#[derive(Clone, Debug)]
pub(crate) struct Transport {
    inner: Client,
}

impl Transport {
    pub(crate) fn new(uri: Uri) -> Self {
        // The client appends the call's path to this text.
        let base = uri.to_string();
        Self { inner: Client::new(base.trim_end_matches('/').to_owned()) }
    }

    pub(crate) async fn call(mut self, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        // It appends the whole URI, and would repeat the origin that generated clients put there.
        if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(path);
        }
        let response = self.inner.call(request).await.map_err(to_status)?;
        Ok(response.map(|body| Body::new(body.map_err(to_status))))
    }
}

/// The transport knows few codes; these are what a caller can act on.
fn to_status(error: Error) -> Status {
    match error {
        Error::TonicStatusError(status) => status,
        // What `fetch` and a stream's reader throw. A browser does not say which it was.
        Error::JsError(reason) if reason.contains("AbortError") => {
            Status::cancelled("the call was cancelled")
        }
        Error::JsError(reason) => Status::unavailable(format!(
            "the server could not be reached, the connection was lost, or the server does not allow \
             this page's origin: {reason}"
        )),
        Error::MissingContentTypeHeader | Error::InvalidContentType(_) => Status::unavailable(format!(
            "the answer is not gRPC-Web, so something else than the server answered: {error}"
        )),
        Error::MalformedResponse | Error::MissingResponseBody => {
            Status::unavailable(format!("the response was cut off before its status came: {error}"))
        }
        _ => Status::internal(error.to_string()),
    }
}
