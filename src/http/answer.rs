//! Answers and refusals in the three shapes of Nacos's releases (part 9.1).

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

/// Nacos's detail codes (`ErrorCode`), those that are used here.
pub(super) mod code {
    pub(in crate::http) const MISSING: u32 = 10000;
    pub(in crate::http) const DENIED: u32 = 10001;
    pub(in crate::http) const INVALID: u32 = 20002;
    pub(in crate::http) const NOT_FOUND: u32 = 20004;
    pub(in crate::http) const WEIGHT: u32 = 21001;
    pub(in crate::http) const METADATA: u32 = 21002;
    pub(in crate::http) const NO_INSTANCE: u32 = 21003;
    pub(in crate::http) const NO_SERVICE: u32 = 21008;
    pub(in crate::http) const SERVER: u32 = 30000;
    pub(in crate::http) const DISABLED: u32 = 40001;
}

/// Nacos's text for a code.
fn words(code: u32) -> &'static str {
    match code {
        code::MISSING => "parameter missing",
        code::DENIED => "access denied",
        code::INVALID => "parameter validate error",
        code::NOT_FOUND => "resource not found",
        code::WEIGHT => "instance weight error",
        code::METADATA => "instance metadata error",
        code::NO_INSTANCE => "instance not found",
        code::NO_SERVICE => "service not exist",
        code::DISABLED => "API function disabled",
        _ => "server error",
    }
}

/// How an answer is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// v1: the bare text or JSON; a refusal is `caused: ...;`.
    Bare,
    /// v1 core: `RestResult`.
    Rest,
    /// v2 and v3: `Result`.
    Result,
}

/// What a call asked for; a text is sent as it is in the bare style.
pub(super) type Outcome = Result<Value, Refusal>;

/// Why a call was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: u32,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: u32, text: impl Into<String>) -> Refusal {
        let text = text.into();
        Refusal { status, code, text }
    }

    pub(super) fn invalid(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, code::INVALID, text)
    }

    /// The machine does not run any more.
    pub(super) fn gone() -> Refusal {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Refusal::new(status, code::SERVER, "the node has stopped")
    }

    /// Nacos's words while the first load is not settled.
    pub(super) fn starting() -> Refusal {
        let text = "server is STARTING now, please try again later!";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code::SERVER, text)
    }
}

impl Style {
    pub(super) fn render(self, outcome: Outcome) -> Response {
        match outcome {
            Ok(value) => self.answer(value),
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn answer(self, value: Value) -> Response {
        match (self, value) {
            (Style::Bare, Value::String(text)) => plain(StatusCode::OK, text),
            (Style::Bare, value) => Json(value).into_response(),
            (Style::Rest, data) => {
                Json(json!({ "code": 200, "message": null, "data": data })).into_response()
            }
            (Style::Result, data) => {
                Json(json!({ "code": 0, "message": "success", "data": data })).into_response()
            }
        }
    }

    fn refuse(self, Refusal { status, code, text }: &Refusal) -> Response {
        match self {
            Style::Bare => plain(*status, format!("caused: {text};")),
            Style::Rest => {
                let body = json!({ "code": status.as_u16(), "message": text, "data": null });
                (*status, Json(body)).into_response()
            }
            Style::Result => {
                let body = json!({ "code": code, "message": words(*code), "data": text });
                (*status, Json(body)).into_response()
            }
        }
    }
}

fn plain(status: StatusCode, text: String) -> Response {
    let kind = (header::CONTENT_TYPE, "text/plain;charset=UTF-8");
    (status, [kind], text).into_response()
}
