//! Names the method in the response to a call of an unknown one: tonic's router and its generated servers leave the message
//! empty, which does not help somebody with a typo or an old server.

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use http::HeaderValue;
use tonic::service::Routes;
use tonic::{Code, Status};

/// Adds a message to UNIMPLEMENTED responses without one.
pub(super) fn name_unknown_methods(routes: Routes) -> Routes {
    routes.into_axum_router().layer(middleware::from_fn(name_method)).into()
}

async fn name_method(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let mut response = next.run(request).await;
    let unimplemented = HeaderValue::from(Code::Unimplemented as i32);
    let headers = response.headers_mut();
    if headers.get(Status::GRPC_STATUS) == Some(&unimplemented) && !headers.contains_key(Status::GRPC_MESSAGE)
    {
        // Errors are impossible: the message is percent-encoded.
        Status::unimplemented(format!("unknown method {}", uri.path())).add_header(headers).ok();
    }
    response
}
