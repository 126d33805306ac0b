//! What the table `tls` says.

use std::path::PathBuf;

use distro_core::time::Period;

use super::Settings;
use super::kind::Setting;
use crate::tls::{Demand, Files};

/// A listener of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// For clients.
    Sdk,
    /// For fellow nodes.
    Cluster,
    /// The main port.
    Http,
    /// The operator's.
    Ops,
}

impl Port {
    /// All of them.
    pub const ALL: [Port; 4] = [Port::Sdk, Port::Cluster, Port::Http, Port::Ops];

    /// The key that says what it asks for.
    pub const fn key(self) -> &'static str {
        match self {
            Port::Sdk => "tls.sdk",
            Port::Cluster => "tls.cluster",
            Port::Http => "tls.http",
            Port::Ops => "tls.ops",
        }
    }
}

impl Settings {
    fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// Where the certificates are.
    pub fn tls_files(&self) -> Files {
        let client_ca = self.path("tls.client-ca");
        Files {
            cert: self.path("tls.cert"),
            key: self.path("tls.key"),
            server_ca: self.path("tls.server-ca").or_else(|| client_ca.clone()),
            client_ca,
        }
    }

    /// What a listener asks of those who connect; `None` for no TLS.
    pub fn tls_demand(&self, port: Port) -> Option<Demand> {
        match self.text(port.key()) {
            Some("server") => Some(Demand::Server),
            Some("mutual") => Some(Demand::Mutual),
            Some(_) => None,
            None => self.text("tls.cert").map(|_| Demand::Server),
        }
    }

    /// How often certificates are read again.
    pub fn tls_reload(&self) -> Period {
        self.time("tls.reload")
    }

    /// What does not fit in the table: the key, what is wrong, what would be right.
    pub(super) fn tls_misfits(&self) -> Vec<(&'static str, String, String)> {
        let mut found = Vec::new();
        let set = |key: &str| *self.get(key) != Setting::Unset;
        for (one, other) in [("tls.cert", "tls.key"), ("tls.key", "tls.cert")] {
            if set(one) && !set(other) {
                found.push((
                    one,
                    format!("{one} needs {other}"),
                    format!("set {other} too"),
                ));
            }
        }
        for port in Port::ALL {
            let key = port.key();
            let Some(demand) = self.tls_demand(port) else {
                continue;
            };
            if !set("tls.cert") {
                let help = "set tls.cert and tls.key, or write \"off\"".to_owned();
                found.push((key, format!("{key} needs a certificate"), help));
            }
            if demand == Demand::Mutual && !set("tls.client-ca") {
                let help = "set tls.client-ca, or write \"server\"".to_owned();
                found.push((key, format!("{key} has no authority for clients"), help));
            }
        }
        let cluster = self.tls_demand(Port::Cluster).is_some() && set("tls.cert");
        if cluster && !set("tls.client-ca") && !set("tls.server-ca") {
            let message = "no authority vouches for fellow nodes".to_owned();
            let help = "set tls.server-ca, or tls.cluster = \"off\"".to_owned();
            found.push(("tls.cert", message, help));
        }
        if self.tls_reload() < Period::from_millis(100) {
            let message = "tls.reload is less than 100ms".to_owned();
            found.push(("tls.reload", message, "write \"10s\"".to_owned()));
        }
        found
    }
}
