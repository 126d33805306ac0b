//! Who may use naming on a connection: access tokens, whatever carries the request.

use std::sync::Arc;

use distro_core::message::naming::ServiceListResponse;
use distro_core::message::{Request, Response, ResponseBody, code};
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

    /// What the request is answered with because its token is missing or wrong: the typed failure
    /// with 403, for which SDKs log in again. The token is among the carrier's `headers` or, as in
    /// Nacos, among those of the body.
    pub(super) fn denial(
        &self,
        request: &Request,
        headers: &Headers,
        body: &[u8],
    ) -> Option<Response> {
        let auth = self.0.as_ref()?;
        let failed = secured(request)?;
        let denied = match token(headers) {
            Some(token) => auth.check(Some(token)),
            None => auth.check(token(&headers_of(body))),
        };
        let denied = denied.err()?;
        Some(Response::fail(code::NO_RIGHT, &denied.to_string(), failed))
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

/// The answer of a request that Nacos marks as secured, on a failure.
fn secured(request: &Request) -> Option<ResponseBody> {
    match request {
        Request::Instance(asked) | Request::PersistentInstance(asked) => {
            Some(ResponseBody::Instance(asked.operation))
        }
        Request::BatchInstance(_) => Some(ResponseBody::BatchInstance),
        Request::NamingFuzzyWatch(_) => Some(ResponseBody::NamingFuzzyWatch),
        Request::SubscribeService(_) => Some(ResponseBody::SubscribeService(None)),
        Request::ServiceQuery(_) => Some(ResponseBody::QueryService(None)),
        Request::ServiceList(_) => {
            let nothing = ServiceListResponse {
                count: 0,
                service_names: Vec::new(),
            };
            Some(ResponseBody::ServiceList(Box::new(nothing)))
        }
        Request::ServerCheck
        | Request::ConnectionSetup(_)
        | Request::SetupAck(_)
        | Request::HealthCheck
        | Request::ClientDetection
        | Request::ConnectReset(_)
        | Request::ServerLoaderInfo
        | Request::ServerReload(_)
        | Request::NotifySubscriber(_)
        | Request::NamingFuzzyWatchSync(_)
        | Request::NamingFuzzyWatchChangeNotify(_)
        | Request::DistroData(_)
        | Request::MemberReport(_)
        | Request::Unsupported(_)
        | Request::Unknown(_)
        | Request::Malformed(_) => None,
    }
}
