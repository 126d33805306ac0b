//! One call: its parameters, from the query and from a form in the body.

use std::collections::BTreeMap;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use distro_core::ids::Str;
use distro_core::message::naming::{DEFAULT_GROUP, DEFAULT_NAMESPACE, ServiceKey};
use http_body_util::{BodyExt, Limited};

use super::answer::{Refusal, code};
use super::listen::Caller;
use super::routes::{Kind, Route};
use super::{BODY_BYTES_MAX, BODY_TIMEOUT};

/// A call whose parameters fit its route.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// The address that it came from.
    pub(super) from: Str,
    /// The body as it came, to forward.
    pub(super) body: Bytes,
    parameters: BTreeMap<String, String>,
}

impl Call {
    /// Reads a request. Of a parameter that comes twice the first counts, the query before the
    /// body, as for a servlet.
    pub(super) async fn read(request: Request<Body>) -> Result<Call, Refusal> {
        let (head, body) = request.into_parts();
        let too_large = || {
            let text = format!("the body is larger than {BODY_BYTES_MAX} bytes");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, code::INVALID, text)
        };
        // What says so beforehand need not arrive.
        if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
            return Err(too_large());
        }
        let whole = Limited::new(body, BODY_BYTES_MAX).collect();
        let body = match tokio::time::timeout(BODY_TIMEOUT, whole).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                return Err(too_large());
            }
            Ok(Err(error)) => {
                let text = format!("the body cannot be read: {error}");
                return Err(Refusal::invalid(text));
            }
            Err(_) => {
                let text = format!("the body did not arrive within {BODY_TIMEOUT:?}");
                return Err(Refusal::new(
                    StatusCode::REQUEST_TIMEOUT,
                    code::INVALID,
                    text,
                ));
            }
        };
        let mut parameters = BTreeMap::new();
        let query = head.uri.query().unwrap_or("").as_bytes();
        let form = if is_form(&head.headers) {
            &body[..]
        } else {
            &[]
        };
        for (name, value) in form_urlencoded::parse(query).chain(form_urlencoded::parse(form)) {
            let (name, value) = (name.into_owned(), value.into_owned());
            parameters.entry(name).or_insert(value);
        }
        Ok(Call {
            from: head
                .extensions
                .get::<Caller>()
                .map_or_else(|| Str::from(""), |caller| caller.0.clone()),
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body,
            parameters,
        })
    }

    /// Checks the parameters against what the route takes.
    pub(super) fn check(&self, route: &Route) -> Result<(), Refusal> {
        let is_text = |c: char| c != char::REPLACEMENT_CHARACTER && !c.is_control();
        for parameter in route.parameters {
            let value = self
                .parameters
                .get(parameter.name)
                .map_or("", String::as_str);
            // JSON may come in lines.
            if !value
                .chars()
                .all(|c| is_text(c) || matches!(c, '\n' | '\r' | '\t'))
            {
                let text = format!(
                    "Param '{}' is no plain text: it should be UTF-8 without control characters.",
                    parameter.name
                );
                return Err(Refusal::invalid(text));
            }
        }
        for parameter in route.parameters {
            match self.text(parameter.name) {
                None if parameter.required => {
                    let text = format!("Param '{}' is required.", parameter.name);
                    return Err(Refusal::new(StatusCode::BAD_REQUEST, code::MISSING, text));
                }
                None => {}
                Some(value) if parameter.kind.takes(value) => {}
                Some(value) => {
                    let (name, takes) = (parameter.name, parameter.kind.words());
                    let text = format!("Param '{name}' is '{value}', it should be {takes}.");
                    return Err(Refusal::invalid(text));
                }
            }
        }
        Ok(())
    }

    /// A parameter; one that is blank is absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let value = self.parameters.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    pub(super) fn text_or(&self, name: &str, default: &str) -> Str {
        Str::from(self.text(name).unwrap_or(default))
    }

    /// A number that the route's check let through.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        Kind::flag(self.text(name)?)
    }

    /// The service that is meant: `serviceName` is plain, or grouped as `group@@name`.
    pub(super) fn service(&self) -> ServiceKey {
        let name = self.text("serviceName").unwrap_or("");
        let (group, name) = match name.split_once("@@") {
            Some((group, name)) => (group, name),
            None => (self.text("groupName").unwrap_or(DEFAULT_GROUP), name),
        };
        ServiceKey {
            namespace: self.namespace(),
            group: Str::from(group),
            name: Str::from(name),
        }
    }

    pub(super) fn namespace(&self) -> Str {
        self.text_or("namespaceId", DEFAULT_NAMESPACE)
    }

    /// The page that is meant: how many entries to skip, and how many to give.
    pub(super) fn page(&self, size: usize) -> Page {
        let number = self.number::<usize>("pageNo").unwrap_or(1).max(1);
        let size = self
            .number::<usize>("pageSize")
            .unwrap_or(size)
            .clamp(1, PAGE_MAX);
        Page { number, size }
    }

    /// The token that the caller shows.
    pub(super) fn token(&self) -> Option<&str> {
        let header = |name| self.headers.get(name)?.to_str().ok();
        let bearer = || header("authorization")?.strip_prefix("Bearer ");
        self.text("accessToken")
            .or_else(|| header("accesstoken"))
            .or_else(bearer)
    }
}

/// Entries of a page at most.
const PAGE_MAX: usize = 500;

/// A page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) number: usize,
    pub(super) size: usize,
}

impl Page {
    pub(super) fn skip(self) -> usize {
        (self.number - 1).saturating_mul(self.size)
    }

    pub(super) fn pages(self, total: usize) -> usize {
        total.div_ceil(self.size)
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}
