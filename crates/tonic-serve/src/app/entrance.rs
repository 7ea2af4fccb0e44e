//! The entrance of an application under a base path: requests lose the path, and those outside of it are turned away.

use http::header::LOCATION;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tonic::Status;
use tonic::body::Body;

use super::service::AppService;
use crate::base_path::{BasePath, Place, with_path};
use crate::grpc::refuse_call;
use crate::response::{CommonHeaders, plain_text};

impl AppService {
    /// Removes the base path from a request. Returns the answer to a request that is not under it.
    pub(crate) fn enter<B: HttpBody>(&self, request: &mut Request<B>) -> Option<Response<Body>> {
        let base = self.base.as_ref()?;
        let place = base.place(request.uri());
        if let Place::Inside(path) = place {
            let target = std::mem::take(request.uri_mut());
            *request.uri_mut() = with_path(target, path);
            return None;
        }
        let mut answer = self.checks.refuse_host(request).unwrap_or_else(|| turn_away(request, base, place));
        CommonHeaders::new(request, self.checks.tls).add_to(&mut answer);
        Some(answer)
    }
}

fn turn_away<B: HttpBody>(request: &Request<B>, base: &BasePath, place: Place) -> Response<Body> {
    let text = format!("this server is under {base}");
    if let Some(refusal) = refuse_call(request, || Status::unimplemented(&text)) {
        return refusal;
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let location = match place {
        Place::WithoutSlash(target) if is_read => HeaderValue::try_from(target).ok(),
        _ => None,
    };
    let status = if location.is_some() { StatusCode::PERMANENT_REDIRECT } else { StatusCode::NOT_FOUND };
    let mut response = plain_text(status, format!("{text}\n"));
    response.headers_mut().extend(location.map(|location| (LOCATION, location)));
    response
}
