//! Roughly how many bytes a message would have on the wire. Messages pass as structs here, so
//! size limits and bandwidth go by this estimate.

use distro_core::message::{Request, Response};

/// Bytes of any message: the payload's frame, type and headers, and a small body.
const BASE: u64 = 200;
/// A message with fewer [parts](Request::parts) than its limit divided by this is never measured:
/// metadata is limited to 1024 UTF-16 units.
const PART_MAX: u64 = 8 * 1024;

/// The estimated size of a request, in bytes.
pub(crate) fn request(request: &Request) -> u64 {
    BASE + request.bytes_estimate()
}

/// The estimated size of a response, in bytes.
pub(crate) fn response(response: &Response) -> u64 {
    BASE + response.body.bytes_estimate()
}

/// True when a request is over the limit, in bytes. Cheap for all but very long lists.
pub(crate) fn request_over(message: &Request, limit: u64) -> bool {
    message.parts() > limit / PART_MAX && request(message) > limit
}

/// True when a response is over the limit, in bytes. Cheap for all but very long lists.
pub(crate) fn response_over(message: &Response, limit: u64) -> bool {
    message.body.parts() > limit / PART_MAX && response(message) > limit
}

#[cfg(test)]
mod tests;
