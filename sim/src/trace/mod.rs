//! The trace of a run: JSON lines, in order, the same bytes for the same run. `docs/TRACE.md`
//! documents the format.
//!
//! # Layout
//! - [`TraceWriter`] writes it · [`TraceHash`] hashes it without writing, on every run
//! - [`diff`] finds the first difference of two · `line`, `message`, `event`: the text itself

mod diff;
mod event;
mod hash;
mod line;
mod message;

use std::io::{self, Write};

use distro_core::ids::ConnId;
use distro_core::profile::Profile;

use crate::observe::{Observation, Seen};
use crate::scenario::model::{HostId, Scenario, WorldKind};
use crate::scenario::{describe, profile_text};

pub use diff::{Difference, diff};
pub use hash::TraceHash;

use line::Line;

/// Name of the format, in every header.
pub const FORMAT: &str = "distro-trace";
/// Version of the format. It goes up when an old reader would misread a new trace.
pub const VERSION: u32 = 1;

/// What a trace says of the run as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// In which world.
    pub world: WorldKind,
    /// The seed.
    pub seed: u64,
    /// The profile that replaced the file's; absent: the file's own.
    pub profile: Option<Profile>,
}

/// Writes a trace.
///
/// Entries are numbered from 1 in the order seen; the header is line 1, so entry n is line n + 1.
#[derive(Debug)]
pub struct TraceWriter<W: Write> {
    out: W,
    hosts: Vec<String>,
    actions: Vec<String>,
    buffer: String,
    entry: u64,
}

impl<W: Write> TraceWriter<W> {
    /// Writes the header. `out` should be buffered.
    ///
    /// # Errors
    /// The output's.
    pub fn new(out: W, scenario: &Scenario, header: &Header) -> io::Result<TraceWriter<W>> {
        let all = (0..).take(scenario.hosts()).map(HostId);
        let mut writer = TraceWriter {
            out,
            hosts: all
                .map(|host| scenario.host_name(host).to_owned())
                .collect(),
            actions: scenario
                .timeline
                .iter()
                .map(|action| describe(scenario, action))
                .collect(),
            buffer: String::new(),
            entry: 0,
        };
        let mut line = Line::start(&mut writer.buffer);
        line.text("format", &FORMAT);
        line.number("version", i64::from(VERSION));
        line.text("scenario", &scenario.name);
        line.unsigned("seed", header.seed);
        line.text("world", &header.world.name());
        match header.profile {
            Some(profile) => line.text("profile", &profile_text(profile)),
            None => line.null("profile"),
        }
        line.text("build", &env!("CARGO_PKG_VERSION"));
        line.list("hosts", &writer.hosts);
        line.end();
        writer.flush_line()?;
        Ok(writer)
    }

    /// Writes one observation and gives its number.
    ///
    /// # Errors
    /// The output's; the entry may be half written then.
    pub fn see(&mut self, seen: &Observation<'_>) -> io::Result<u64> {
        self.entry += 1;
        let mut line = Line::start(&mut self.buffer);
        line.unsigned("n", self.entry);
        line.time(seen.at);
        line.text("host", &name(&self.hosts, seen.host));
        what(&mut line, &self.hosts, &self.actions, &seen.what);
        line.end();
        self.flush_line()?;
        Ok(self.entry)
    }

    /// Flushes and gives the output back.
    ///
    /// # Errors
    /// The output's.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn flush_line(&mut self) -> io::Result<()> {
        let done = self.out.write_all(self.buffer.as_bytes());
        self.buffer.clear();
        done
    }
}

fn name(hosts: &[String], host: HostId) -> &str {
    hosts.get(host.index()).map_or("?", String::as_str)
}

fn transport(line: &mut Line<'_>, kind: &str, peer: &str, conn: ConnId) {
    line.text("kind", &kind);
    line.text("peer", &peer);
    line.unsigned("conn", conn.0);
}

fn what(line: &mut Line<'_>, hosts: &[String], actions: &[String], what: &Seen<'_>) {
    let about = |line: &mut Line<'_>, kind, peer, conn: ConnId| {
        transport(line, kind, name(hosts, peer), conn);
    };
    match *what {
        Seen::Started => line.text("kind", &"started"),
        Seen::Stopped { silent } => {
            line.text("kind", &"stopped");
            line.flag("silent", silent);
        }
        Seen::Opened { conn, peer } => about(line, "opened", peer, conn),
        Seen::Closed { conn, peer } => about(line, "closed", peer, conn),
        Seen::Close { conn, peer, reason } => {
            about(line, "close", peer, conn);
            if let Some(reason) = reason {
                line.text("reason", &event::close_reason(reason));
            }
        }
        Seen::RequestSent {
            conn,
            peer,
            id,
            request,
        }
        | Seen::RequestReceived {
            conn,
            peer,
            id,
            request,
        } => {
            let is_sent = usize::from(matches!(what, Seen::RequestSent { .. }));
            let kind = ["request-received", "request-sent"][is_sent];
            about(line, kind, peer, conn);
            line.unsigned("id", id.0);
            message::request(line, request);
        }
        Seen::Unhandled {
            conn,
            peer,
            id,
            received,
        } => {
            about(line, "request-received", peer, conn);
            line.unsigned("id", id.0);
            message::unhandled(line, received);
        }
        Seen::ResponseSent {
            conn,
            peer,
            id,
            response,
        }
        | Seen::ResponseReceived {
            conn,
            peer,
            id,
            response,
        } => {
            let is_sent = usize::from(matches!(what, Seen::ResponseSent { .. }));
            let kind = ["response-received", "response-sent"][is_sent];
            about(line, kind, peer, conn);
            line.unsigned("id", id.0);
            message::response(line, response);
        }
        Seen::Node(_)
        | Seen::Client(_)
        | Seen::Called { .. }
        | Seen::Returned { .. }
        | Seen::Began { .. }
        | Seen::Ended { .. } => doings(line, actions, what),
    }
}

/// What hosts tell of themselves, and what is done to them.
fn doings(line: &mut Line<'_>, actions: &[String], what: &Seen<'_>) {
    match *what {
        Seen::Started
        | Seen::Stopped { .. }
        | Seen::Opened { .. }
        | Seen::Closed { .. }
        | Seen::Close { .. }
        | Seen::RequestSent { .. }
        | Seen::RequestReceived { .. }
        | Seen::Unhandled { .. }
        | Seen::ResponseSent { .. }
        | Seen::ResponseReceived { .. } => {}
        Seen::Node(seen) => {
            line.text("kind", &"node");
            event::node(line, seen);
        }
        Seen::Client(seen) => {
            line.text("kind", &"client");
            event::client(line, seen);
        }
        Seen::Called { call, op } => {
            line.text("kind", &"called");
            line.unsigned("call", call);
            event::op(line, op);
        }
        Seen::Returned { call, result } => {
            line.text("kind", &"returned");
            line.unsigned("call", call);
            event::returned(line, result);
        }
        Seen::Began { index, .. } => {
            line.text("kind", &"began");
            action(line, actions, index);
        }
        Seen::Ended { index, .. } => {
            line.text("kind", &"ended");
            action(line, actions, index);
        }
    }
}

fn action(line: &mut Line<'_>, actions: &[String], index: usize) {
    line.unsigned("index", u64::try_from(index).unwrap_or(u64::MAX));
    line.text("action", &actions.get(index).map_or("?", String::as_str));
}

#[cfg(test)]
mod tests;
