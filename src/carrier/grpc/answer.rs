//! How a server answers: the heads of answers and refusals.

use h2::server::SendResponse;
use http::{HeaderValue, Response, StatusCode};

use super::CONTENT_TYPE;
use super::status::Status;
use super::unsent::Counted;

/// How an answer begins.
pub(super) fn answer_head() -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.reserve(2);
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static(CONTENT_TYPE),
    );
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("gzip"));
    response
}

/// The only headers of an answer without a message.
pub(super) fn refusal(status: &Status) -> Response<()> {
    let mut response = answer_head();
    status.write(response.headers_mut());
    response
}

/// An answer to what is not gRPC.
pub(super) fn plain(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    response
}

pub(super) fn refuse(respond: &mut SendResponse<Counted>, response: Response<()>) {
    // An error means that the client reset the stream: it does not want to know.
    respond
        .send_response(response, true)
        .map(drop)
        .unwrap_or_default();
}
