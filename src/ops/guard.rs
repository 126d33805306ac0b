//! What is let through to the operator's handlers: whole requests, and changes only from who can
//! mean them. A browser on an operator's host reaches this port, and any page can make it ask.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::{BodyExt, Limited};

use super::{Ops, Refusal};

/// Largest body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the body, and refuses what nobody may ask.
pub(super) async fn guard(
    State(ops): State<Arc<Ops>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    admit(&head.method, &head.headers, &ops.hosts)?;
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    let body = match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => {
            let text =
                format!("the body cannot be read, or is over {BODY_BYTES_MAX} bytes: {error}");
            return Err(Refusal::bad(text));
        }
        Err(_) => {
            let text = format!("the body did not arrive within {BODY_TIMEOUT:?}");
            return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text));
        }
    };
    let request = Request::from_parts(head, Body::from(body));
    Ok(next.run(request).await)
}

/// Whether somebody may ask this. What only reads may be asked by everybody.
fn admit(method: &Method, headers: &HeaderMap, hosts: &[String]) -> Result<(), Refusal> {
    if [Method::GET, Method::HEAD].contains(method) {
        return Ok(());
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // A form or plain text is what a page may send to another site without asking it.
    let kind = text(header::CONTENT_TYPE).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let text = "a change wants the header content-type: application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let host = text(header::HOST).unwrap_or("");
    // A name that an attacker resolves to this host is an origin of its own in a browser.
    if !is_ours(host, hosts) {
        let text = format!(
            "a change wants a host that is an address, localhost or one of ops.hosts, and this is \
             `{}`",
            crate::text::plain(host)
        );
        return Err(Refusal::new(StatusCode::FORBIDDEN, text));
    }
    let is_same = |origin: &str| {
        let place = origin.split_once("://").map(|(_, place)| place);
        place.is_some_and(|place| place.eq_ignore_ascii_case(host))
    };
    let other_site = text(header::HeaderName::from_static("sec-fetch-site"))
        .is_some_and(|site| !["same-origin", "none"].contains(&site));
    if other_site
        || headers.contains_key(header::ORIGIN) && !text(header::ORIGIN).is_some_and(is_same)
    {
        let text = "a change from a page of another site is refused";
        return Err(Refusal::new(StatusCode::FORBIDDEN, text));
    }
    Ok(())
}

/// True for a `host[:port]` that can only be meant for a node.
fn is_ours(host: &str, hosts: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().trim_matches(['[', ']']);
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: Method, headers: &[(&'static str, &str)]) -> Option<StatusCode> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    value.parse().unwrap(),
                )
            })
            .collect();
        let hosts = ["registry.internal".to_owned()];
        admit(&method, &headers, &hosts)
            .err()
            .map(|refusal| refusal.0)
    }

    const JSON: (&str, &str) = ("content-type", "application/json");
    const HOST: (&str, &str) = ("host", "127.0.0.1:9850");

    #[test]
    fn a_change_wants_json_and_no_page_of_another_site_can_ask_for_it() {
        let post = |headers: &[_]| asked(Method::POST, headers);
        let (kind, forbidden) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, StatusCode::FORBIDDEN);
        assert_eq!(post(&[JSON, HOST]), None);
        assert_eq!(
            post(&[("content-type", "application/json; charset=utf-8"), HOST]),
            None
        );
        assert_eq!(post(&[("content-type", "text/plain"), HOST]), Some(kind));
        assert_eq!(post(&[HOST]), Some(kind));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:9851"] {
            assert_eq!(post(&[JSON, HOST, ("origin", origin)]), Some(forbidden));
        }
        assert_eq!(
            post(&[JSON, HOST, ("origin", "http://127.0.0.1:9850")]),
            None
        );
        assert_eq!(
            post(&[JSON, HOST, ("sec-fetch-site", "cross-site")]),
            Some(forbidden)
        );
    }

    #[test]
    fn a_name_that_anybody_can_resolve_is_no_host_of_ours() {
        let put = |host: &str| asked(Method::PUT, &[JSON, ("host", host)]);
        for host in [
            "[::1]:9850",
            "localhost:9850",
            "10.0.0.1",
            "registry.internal:9850",
        ] {
            assert_eq!(put(host), None, "{host}");
        }
        for host in ["evil.example:9850", "", "127.0.0.1.evil.example"] {
            assert_eq!(put(host), Some(StatusCode::FORBIDDEN), "{host}");
        }
        assert_eq!(asked(Method::GET, &[("host", "evil.example")]), None);
    }
}
