//! The OpenAPI document, made of the table of routes.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Http;
use super::answer::{Outcome, Style};
use super::call::Call;
use super::params::{Kind, Param};
use super::routes::{Access, Route, Shape, routes};

pub(super) async fn served(http: Arc<Http>, _: Call) -> Outcome {
    Ok(document(&http.context))
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Port => json!({ "type": "integer", "minimum": 0, "maximum": 65535 }),
        Kind::Count => json!({ "type": "integer", "minimum": 0 }),
        Kind::Number => json!({ "type": "number" }),
        Kind::Flag => json!({ "type": "boolean" }),
    }
}

fn parameter(parameter: &Param) -> Value {
    json!({
        "name": parameter.name, "in": "query", "required": parameter.required,
        "description": parameter.about, "schema": schema(parameter.kind),
        "example": parameter.example,
    })
}

fn object(keys: &[&str]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| ((*key).to_owned(), json!({})))
        .collect();
    json!({ "type": "object", "required": keys, "properties": properties })
}

fn shape(shape: Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Object(keys) => object(keys),
        Shape::List([]) => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::List(keys) => json!({ "type": "array", "items": object(keys) }),
    }
}

/// What a success looks like on the wire: its media type and its schema.
fn success(route: &Route) -> (&'static str, Value) {
    let data = shape(route.shape);
    match (route.style, route.shape) {
        (Style::Bare, Shape::Text) => ("text/plain", data),
        (Style::Bare, Shape::Object(_) | Shape::List(_)) => ("application/json", data),
        (Style::Rest | Style::Result, _) => {
            let mut wrapped = object(&["code", "message", "data"]);
            wrapped["properties"]["data"] = data;
            ("application/json", wrapped)
        }
    }
}

fn operation(route: &Route) -> Value {
    let (media, schema) = success(route);
    let mut responses = json!({
        "200": { "description": "done", "content": { media: { "schema": schema } } },
        "400": { "description": "a parameter is missing or wrong" },
    });
    if route.access != Access::Open {
        responses["403"] = json!({ "description": "no valid accessToken, where auth is on" });
    }
    if matches!(route.access, Access::Read | Access::Write) {
        responses["503"] = json!({ "description": "the node is starting" });
    }
    let parameters: Vec<Value> = route.parameters.iter().map(parameter).collect();
    let mut operation = json!({
        "summary": route.about, "parameters": parameters, "responses": responses,
    });
    if route.access != Access::Open {
        operation["security"] = json!([{ "accessToken": [] }, {}]);
    }
    operation
}

/// The whole document; `context` is the path that all others are below.
pub(super) fn document(context: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation(&route);
    }
    let server = if context.is_empty() { "/" } else { context };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "distro, the HTTP of Nacos's ephemeral naming",
            "description": "Parameters may come in the query or as a form in the body.",
            "version": env!("CARGO_PKG_VERSION"), "license": { "name": "Apache-2.0" },
        },
        "servers": [{ "url": server }],
        "paths": paths,
        "components": { "securitySchemes": {
            "accessToken": { "type": "apiKey", "in": "query", "name": "accessToken" },
        } },
    })
}
