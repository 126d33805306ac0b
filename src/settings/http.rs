//! What may be set of the HTTP on the main port and of its users.

use std::net::SocketAddr;
use std::time::Duration;

use super::Settings;
use super::kind::{Secret, Setting};
use crate::http::auth::{AuthSettings, is_hash};

impl Settings {
    /// Where Nacos's HTTP is served; `None` when it is off.
    pub fn http(&self) -> Option<SocketAddr> {
        if self.text("http.serve") == Some("off") {
            return None;
        }
        Some(SocketAddr::new(self.bind(), self.main_port()))
    }

    /// The path that HTTP is served below: it begins with a slash and ends without one, and is
    /// empty for the root.
    pub fn context_path(&self) -> String {
        let path = self.text("http.context-path").unwrap_or("/nacos");
        let path = path.trim_matches('/');
        if path.is_empty() {
            String::new()
        } else {
            format!("/{path}")
        }
    }

    /// Users and tokens.
    pub fn auth(&self) -> AuthSettings {
        let users = if let Setting::Hashes(users) = self.get("auth.users") {
            let plain = |(user, hash): (&String, &Secret)| (user.clone(), hash.0.clone());
            users.iter().map(plain).collect()
        } else {
            std::collections::BTreeMap::new()
        };
        AuthSettings {
            on: self.text("auth.enabled") == Some("on"),
            users,
            secret: self.secret("auth.secret").map(str::to_owned),
            ttl: Duration::from_micros(self.time("auth.token-ttl").micros()),
        }
    }

    /// What of it cannot be: the key, the problem, what would be right.
    pub(super) fn http_misfits(&self) -> Vec<(&'static str, String, String)> {
        let mut misfits = Vec::new();
        let path = self.text("http.context-path").unwrap_or("");
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
        if !path.chars().all(plain) || path.contains("//") {
            misfits.push((
                "http.context-path",
                format!("`{path}` is no path to serve below"),
                "write \"/nacos\": letters, digits, -, _ and .".to_owned(),
            ));
        }
        let auth = self.auth();
        if auth.on && auth.users.is_empty() {
            misfits.push((
                "auth.enabled",
                "auth is on and there is no user".to_owned(),
                "name users in [auth.users]; `distro hash-password` makes their hashes".to_owned(),
            ));
        }
        if let Some((user, _)) = auth.users.iter().find(|(_, hash)| !is_hash(hash)) {
            misfits.push((
                "auth.users",
                format!("what stands for `{user}` is no bcrypt hash"),
                "make one with `distro hash-password`".to_owned(),
            ));
        }
        if auth.secret.as_ref().is_some_and(|secret| secret.len() < 32) {
            misfits.push((
                "auth.secret",
                "the secret is shorter than 32 bytes".to_owned(),
                "draw one with `openssl rand -base64 32`".to_owned(),
            ));
        }
        if auth.ttl < Duration::from_secs(10) {
            misfits.push((
                "auth.token-ttl",
                "a token would hold less than ten seconds".to_owned(),
                "write \"5h\"".to_owned(),
            ));
        }
        let ports = self.ports();
        if let Some(http) = self.http()
            && [ports.sdk, ports.cluster].contains(&http.port())
        {
            misfits.push((
                "port",
                format!("the main port {} is taken by another", http.port()),
                "give sdk-port and cluster-port other numbers, or write http.serve = \"off\""
                    .to_owned(),
            ));
        }
        misfits
    }
}
