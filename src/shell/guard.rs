//! Who may use naming on a connection: access tokens, whatever carries the request.

use std::sync::Arc;

use distro_core::message::{Denied, Received, Response, code};
use serde::Deserialize;

use crate::carrier::grpc::payload::Headers;
use crate::http::auth::Auth;

/// Nacos's name for the token among a request's headers, whatever its case.
pub(crate) const ACCESS_TOKEN: &str = "accessToken";

/// Checks the tokens of naming requests; none to check when auth is off.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard(Option<Arc<Auth>>);

impl Guard {
    pub(super) fn new(auth: Arc<Auth>) -> Guard {
        Guard(auth.is_on().then_some(auth))
    }

    /// What arrived, or that its sender has no right to it because its token is missing or wrong:
    /// then it carries the typed failure with 403, for which SDKs log in again. The token is among
    /// the carrier's `headers` or, as in Nacos, among those of the body.
    pub(super) fn pass(&self, received: Received, headers: &Headers, body: &[u8]) -> Received {
        let request = match (&self.0, received) {
            (Some(_), Received::Request(request)) if request.of().facts().secured => request,
            (_, received) => return received,
        };
        match self.denied(headers, body) {
            Some(why) => {
                let refusal = Response::fail(code::NO_RIGHT, &why, request.failed());
                Received::Denied(Box::new(Denied { request, refusal }))
            }
            None => Received::Request(request),
        }
    }

    /// Why a request has no right; `None` when it has.
    fn denied(&self, headers: &Headers, body: &[u8]) -> Option<String> {
        let auth = self.0.as_ref()?;
        let checked = match token(headers) {
            Some(token) => auth.check(Some(token)),
            None => auth.check(token(&headers_of(body))),
        };
        checked.err().map(|denied| denied.to_string())
    }
}

fn token(headers: &Headers) -> Option<&str> {
    let named = |(name, _): &(&String, &String)| name.eq_ignore_ascii_case(ACCESS_TOKEN);
    headers.iter().find(named).map(|(_, token)| token.as_str())
}

/// The headers that a body holds; none when it holds none that can be read.
fn headers_of(body: &[u8]) -> Headers {
    #[derive(Default, Deserialize)]
    struct Peek {
        #[serde(default)]
        headers: Headers,
    }
    let peek: Peek = serde_json::from_slice(body).unwrap_or_default();
    peek.headers
}
