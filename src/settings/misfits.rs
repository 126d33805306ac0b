//! What single values cannot show: those that do not fit each other.

use std::collections::BTreeMap;

use distro_core::config::ConfigField;
use distro_core::ids::NodeId;
use distro_core::time::Period;

use super::{Listener, Settings};
use crate::http::auth::is_hash;
use crate::shell::CLUSTER_PORT_OFFSET;
use crate::text::problem::{Problem, Problems};
use crate::text::slot::AnySlot;
use crate::tls::Demand;

/// Something that does not fit: the values it is about, what is wrong, what would be right.
struct Misfit<'a> {
    about: Vec<&'a dyn AnySlot>,
    message: String,
    help: String,
}

/// The misfits found so far.
#[derive(Default)]
struct Misfits<'a>(Vec<Misfit<'a>>);

impl<'a> Misfits<'a> {
    fn add(
        &mut self,
        about: &[&'a dyn AnySlot],
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.0.push(Misfit {
            about: about.to_vec(),
            message: message.into(),
            help: help.into(),
        });
    }
}

impl Settings {
    /// All of it, by the text that it is shown in.
    pub(super) fn misfits(&self) -> Vec<Problems> {
        let mut misfits = Misfits::default();
        self.port_misfits(&mut misfits);
        self.member_misfits(&mut misfits);
        self.tls_misfits(&mut misfits);
        self.http_misfits(&mut misfits);
        self.config_misfits(&mut misfits);
        let mut found: BTreeMap<usize, Vec<Problem>> = BTreeMap::new();
        for Misfit {
            about,
            message,
            help,
        } in misfits.0
        {
            let place = about.iter().find_map(|slot| slot.place().cloned());
            let place = place.unwrap_or_default();
            let span = place.span;
            found.entry(place.text).or_default().push(Problem {
                span,
                message,
                help,
            });
        }
        let problems = |(text, list): (usize, Vec<Problem>)| {
            let (name, text) = self
                .texts
                .get(text)
                .map_or(("settings", ""), |text| text.named());
            Problems::new(name, text, list)
        };
        found.into_iter().map(problems).collect()
    }

    fn port_misfits<'a>(&'a self, misfits: &mut Misfits<'a>) {
        let (main, ports) = (self.main_port(), self.ports());
        if main > u16::MAX - CLUSTER_PORT_OFFSET {
            let help = format!("choose one up to {}", u16::MAX - CLUSTER_PORT_OFFSET);
            let message = format!("main port {main} leaves no room above it");
            misfits.add(&[&self.port], message, help);
            // Ports derived from a main port that is out of range say nothing new.
            return;
        }
        if ports.sdk == ports.cluster {
            let message = format!("clients and fellow nodes share port {}", ports.sdk);
            let both: [&dyn AnySlot; 2] = [&self.sdk_port, &self.cluster_port];
            misfits.add(&both, message, "give each its own port");
        }
        let taken = |port| [ports.sdk, ports.cluster].contains(&port);
        if let Some(ops) = self.ops().filter(|ops| taken(ops.port())) {
            let message = format!("the operator's port {} is taken by another", ops.port());
            let help = "give ops.port its own number, or write ops.serve = \"off\"";
            misfits.add(&[&self.keys.ops.port, &self.port], message, help);
        }
        if self.http().is_some() && taken(main) {
            let message = format!("the main port {main} is taken by another");
            let help =
                "give sdk-port and cluster-port other numbers, or write http.serve = \"off\"";
            misfits.add(&[&self.port], message, help);
        }
    }

    fn member_misfits<'a>(&'a self, misfits: &mut Misfits<'a>) {
        let sources: [(&str, &dyn AnySlot); 3] = [
            ("members", &self.members),
            ("cluster-conf", &self.cluster_conf),
            ("members-dns", &self.members_dns),
        ];
        let set = sources
            .into_iter()
            .filter(|(_, slot)| slot.shown().is_some());
        let (names, slots): (Vec<&str>, Vec<&dyn AnySlot>) = set.unzip();
        if names.len() > 1 {
            let message = format!("members come from {} at once", names.join(" and "));
            misfits.add(&slots, message, "keep one of them");
        }
        if self.members_refresh() < Period::from_secs(1) {
            let message = "members-refresh is less than a second";
            misfits.add(&[&self.members_refresh], message, "write \"30s\"");
        }
        let cluster = &self.cluster;
        if cluster.secret.is_some() && cluster.secret_file.is_some() {
            let message = "the secret comes from cluster.secret and cluster.secret-file at once";
            let both: [&dyn AnySlot; 2] = [&cluster.secret_file, &cluster.secret];
            misfits.add(&both, message, "keep one of them");
        }
    }

    fn tls_misfits<'a>(&'a self, misfits: &mut Misfits<'a>) {
        let tls = &self.tls;
        if tls.cert.is_some() && tls.key.is_none() {
            misfits.add(&[&tls.cert], "tls.cert needs tls.key", "set tls.key too");
        }
        if tls.key.is_some() && tls.cert.is_none() {
            misfits.add(&[&tls.key], "tls.key needs tls.cert", "set tls.cert too");
        }
        for (name, listener, slot) in [
            ("tls.sdk", Listener::Sdk, &tls.sdk),
            ("tls.cluster", Listener::Cluster, &tls.cluster),
            ("tls.http", Listener::Http, &tls.http),
            ("tls.ops", Listener::Ops, &tls.ops),
        ] {
            let Some(demand) = self.tls_demand(listener) else {
                continue;
            };
            if tls.cert.is_none() {
                let help = "set tls.cert and tls.key, or write \"off\"";
                misfits.add(&[slot], format!("{name} needs a certificate"), help);
            }
            if demand == Demand::Mutual && tls.client_ca.is_none() {
                let help = "set tls.client-ca, or write \"server\"";
                misfits.add(
                    &[slot],
                    format!("{name} has no authority for clients"),
                    help,
                );
            }
        }
        let cluster = self.tls_demand(Listener::Cluster).is_some() && tls.cert.is_some();
        if cluster && tls.client_ca.is_none() && tls.server_ca.is_none() {
            let message = "no authority vouches for fellow nodes";
            let help = "set tls.server-ca, or tls.cluster = \"off\"";
            misfits.add(&[&tls.cert], message, help);
        }
        if self.tls_reload() < Period::from_millis(100) {
            misfits.add(
                &[&tls.reload],
                "tls.reload is less than 100ms",
                "write \"10s\"",
            );
        }
    }

    fn http_misfits<'a>(&'a self, misfits: &mut Misfits<'a>) {
        let path = &self.http.context_path;
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
        if !path.0.chars().all(plain) || path.0.contains("//") {
            let message = format!("`{}` is no path to serve below", path.0);
            let help = "write \"/nacos\": letters, digits, -, _ and .";
            misfits.add(&[path], message, help);
        }
        let (auth, keys) = (self.auth(), &self.keys.auth);
        if auth.on && auth.users.is_empty() {
            let help = "name users in [auth.users]; `distro hash-password` makes their hashes";
            misfits.add(&[&keys.enabled], "auth is on and there is no user", help);
        }
        if let Some((user, _)) = auth.users.iter().find(|(_, hash)| !is_hash(hash)) {
            let message = format!("what stands for `{user}` is no bcrypt hash");
            misfits.add(
                &[&keys.users],
                message,
                "make one with `distro hash-password`",
            );
        }
        if auth.secret.as_ref().is_some_and(|secret| secret.len() < 32) {
            let message = "the secret is shorter than 32 bytes";
            misfits.add(
                &[&keys.secret],
                message,
                "draw one with `openssl rand -base64 32`",
            );
        }
        if *keys.token_ttl < Period::from_secs(10) {
            let message = "a token would hold less than ten seconds";
            misfits.add(&[&keys.token_ttl], message, "write \"5h\"");
        }
    }

    fn config_misfits<'a>(&'a self, misfits: &mut Misfits<'a>) {
        for problem in self.config(NodeId::new("me:1"), Vec::new()).problems() {
            let slot = |field: &ConfigField| -> Option<&dyn AnySlot> {
                match field {
                    ConfigField::Node => Some(&self.address),
                    ConfigField::Timing(key) => Some(self.keys.timing.slot(*key)?),
                    ConfigField::MessageBytesMax => Some(&self.message_bytes_max),
                }
            };
            let about: Vec<&dyn AnySlot> = problem.fields.iter().filter_map(slot).collect();
            misfits.add(&about, problem.text, "");
        }
    }
}
