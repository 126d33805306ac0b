//! The client side as a second sans-I/O machine: connect, register, redo, fail over, as the
//! official SDKs do. The testbed's clients, the operator CLI and the load generator are all this
//! machine.
//!
//! # Layout
//! - [`io`]: what goes in and comes out
//! - `connect`: dialling, setup, back-off, moving · `health`: is the server still there?
//! - `serve`: what the server asks · `ask`: what the client asks, and the answers
//! - `redo`: what the application wants, per service · `lists`: what it is told
//! - `requests`: under way on the connection · `calls`: under way for the application
//!
//! # Contract with the shell
//! Every [`SdkOutput::Dial`] is followed by `Dialed` or `DialFailed`; the shell bounds a dial by
//! [`Timing::connect_timeout`](crate::config::Timing::connect_timeout). A connection the client
//! does not know is ignored, so inputs that were under way when it closed one do no harm. The
//! client measures time on [`Now::mono`] alone: no jump of the wall clock changes what it does.

mod ask;
mod calls;
mod connect;
mod health;
pub mod io;
mod lists;
mod redo;
mod requests;
mod serve;

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::ids::{ClientId, NodeId, Str};
use crate::message::Request;
use crate::message::naming::{
    Published, ServiceInfo, ServiceKey, ServiceListRequest, ServiceQueryRequest,
};
use crate::time::{Mono, Now, Period};

use calls::{CallNo, Calls, Subject};
use connect::{Change, Connector};
use io::{Call, CallError, SdkConfig, SdkInput, SdkOutput};
use lists::Lists;
use redo::Redo;
use requests::Requests;

/// Nacos's client-side code for an invalid parameter (`NacosException.CLIENT_INVALID_PARAM`).
const CLIENT_INVALID_PARAM: i32 = -400;
/// Nacos's client-side code for a limit (`NacosException.CLIENT_OVER_THRESHOLD`).
const CLIENT_OVER_THRESHOLD: i32 = -503;
/// No deadline is nearer than this. Why: a period of zero in a configuration must not make the
/// client spin.
const SHORTEST_WAIT: Period = Period::from_millis(1);

/// The client machine.
#[derive(Debug)]
pub struct Sdk {
    connect: Connector,
    requests: Requests,
    calls: Calls,
    publish: Redo<Published>,
    /// The wish is the cluster filter.
    subscribe: Redo<Str>,
    lists: Lists,
    /// The next redo tick; armed only while something waits for it.
    redo_at: Option<Mono>,
}

impl Sdk {
    /// A client that has not started: its first [`SdkInput::Wake`] starts it.
    pub fn new(config: SdkConfig, now: Now) -> Sdk {
        Sdk {
            connect: Connector::new(config, now.mono),
            requests: Requests::default(),
            calls: Calls::default(),
            publish: Redo::default(),
            subscribe: Redo::default(),
            lists: Lists::default(),
            redo_at: None,
        }
    }

    /// Advance by one input and append what the shell must do, in order.
    ///
    /// A spurious [`SdkInput::Wake`] is harmless, and after any wake the next deadline lies in the
    /// future. A wake later than [`Sdk::next_deadline`] delays the client and does nothing else.
    pub fn handle(&mut self, now: Now, input: SdkInput, out: &mut Vec<SdkOutput>) {
        let now = now.mono;
        let change = match input {
            SdkInput::Wake => {
                self.wake(now, out);
                Change::Same
            }
            SdkInput::Dialed { conn } => {
                self.connect.dialed(now, conn, out);
                Change::Same
            }
            SdkInput::DialFailed => {
                self.connect.dial_failed(now);
                Change::Same
            }
            SdkInput::ConnClosed { conn } => self.connect.closed(now, conn, out),
            SdkInput::Request { conn, id, received } => self.serve(now, conn, id, received, out),
            SdkInput::Response { conn, id, response } => {
                self.answered(now, conn, id, response, out)
            }
            SdkInput::SendFailed { conn, id, cause } => self.not_sent(now, conn, id, cause, out),
            SdkInput::Call { call, what } => {
                self.call(now, call, what, out);
                Change::Same
            }
        };
        self.apply(change);
        self.send_due(now, out);
        self.arm_redo(now);
    }

    /// The latest instant at which to call with [`SdkInput::Wake`]; `None` when idle.
    pub fn next_deadline(&self) -> Option<Mono> {
        [
            self.redo_at,
            self.requests.deadline(),
            self.calls.deadline(),
        ]
        .into_iter()
        .fold(self.connect.deadline(), earlier)
    }

    /// The server it is connected to, once the setup is done, and the id it has there.
    pub fn connected(&self) -> Option<(&NodeId, &ClientId)> {
        self.connect.connected()
    }

    /// What the application wants published, by service, and whether the current server has
    /// acknowledged it.
    pub fn wanted(&self) -> impl Iterator<Item = (&ServiceKey, &Published, bool)> {
        self.publish.wanted()
    }

    /// The client's view of a subscribed service.
    pub fn list(&self, service: &ServiceKey) -> Option<&Arc<ServiceInfo>> {
        self.lists.get(service)
    }

    /// Subscribed services.
    pub fn subscriptions(&self) -> impl Iterator<Item = &ServiceKey> {
        self.subscribe.wanted().map(|(service, ..)| service)
    }

    fn wake(&mut self, now: Mono, out: &mut Vec<SdkOutput>) {
        let change = self.connect.wake_health(now, out);
        self.apply(change);
        let change = self.connect.wake_attempt(now, out);
        self.apply(change);
        self.time_out_requests(now, out);
        if self.redo_at.is_some_and(|at| at <= now) {
            self.redo_at = None;
            self.publish.tick();
            self.subscribe.tick();
        }
        // Before calls end: a call whose turn comes at its last moment gets a request after all.
        self.send_due(now, out);
        self.end_calls(now, out);
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Same => {}
            Change::Up => {
                self.requests.clear();
                self.calls.resend();
                self.publish.connected();
                self.subscribe.connected();
                self.redo_at = None;
            }
            Change::Lost => {
                self.requests.clear();
                self.calls.resend();
                self.publish.lost();
                self.subscribe.lost();
                self.redo_at = None;
            }
        }
    }

    /// Arms the redo tick when something waits for it.
    fn arm_redo(&mut self, now: Mono) {
        if self.redo_at.is_none() && (self.publish.has_late() || self.subscribe.has_late()) {
            self.redo_at = Some(due(now, self.connect.config.timing.redo_interval));
        }
    }

    fn call(&mut self, now: Mono, call: u64, what: Call, out: &mut Vec<SdkOutput>) {
        if self.calls.is_full() {
            let message = Str::from("too many calls under way");
            let result = Err(CallError::Refused {
                code: CLIENT_OVER_THRESHOLD,
                message,
            });
            out.push(SdkOutput::Done { call, result });
            return;
        }
        let until = due(now, self.connect.config.timing.request_timeout);
        match what {
            Call::Register { service, instance } => {
                let wish = Published::Single(Arc::new(instance));
                self.wish_published(call, service, Some(wish), until, out);
            }
            Call::BatchRegister { service, instances } => {
                let wish = Published::Batch(instances.into_iter().map(Arc::new).collect());
                self.wish_published(call, service, Some(wish), until, out);
            }
            Call::Deregister { service } => self.wish_published(call, service, None, until, out),
            Call::Subscribe { service, clusters } => {
                self.wish_subscribed(call, service, Some(clusters), until, out);
            }
            Call::Unsubscribe { service } => {
                self.lists.remove(&service);
                self.wish_subscribed(call, service, None, until, out);
            }
            Call::Query {
                service,
                clusters,
                healthy_only,
            } => {
                let request = ServiceQueryRequest {
                    service,
                    clusters,
                    healthy_only,
                };
                let subject = Subject::Ask(Request::ServiceQuery(Box::new(request)));
                self.calls.open(call, subject, until);
            }
            Call::List {
                namespace,
                group,
                page_no,
                page_size,
            } => {
                let request = ServiceListRequest {
                    namespace,
                    group,
                    page_no,
                    page_size,
                    selector: Str::from(""),
                };
                let subject = Subject::Ask(Request::ServiceList(Box::new(request)));
                self.calls.open(call, subject, until);
            }
        }
    }

    fn wish_published(
        &mut self,
        call: u64,
        service: ServiceKey,
        wish: Option<Published>,
        until: Mono,
        out: &mut Vec<SdkOutput>,
    ) {
        let call = self
            .calls
            .open(call, Subject::Publish(service.clone()), until);
        let before = self.publish.wish(service, wish, call);
        self.supersede(before, out);
    }

    fn wish_subscribed(
        &mut self,
        call: u64,
        service: ServiceKey,
        wish: Option<Str>,
        until: Mono,
        out: &mut Vec<SdkOutput>,
    ) {
        let call = self
            .calls
            .open(call, Subject::Subscribe(service.clone()), until);
        let before = self.subscribe.wish(service, wish, call);
        self.supersede(before, out);
    }

    fn supersede(&mut self, before: Option<CallNo>, out: &mut Vec<SdkOutput>) {
        if let Some(before) = before {
            self.calls.finish(before, Err(CallError::Superseded), out);
        }
    }

    /// Calls whose time is over.
    fn end_calls(&mut self, now: Mono, out: &mut Vec<SdkOutput>) {
        let connected = self.connect.usable().is_some();
        while let Some((call, subject)) = self.calls.due(now) {
            match subject {
                Subject::Publish(service) => self.publish.call_over(service, call),
                Subject::Subscribe(service) => self.subscribe.call_over(service, call),
                Subject::Ask(_) => {}
            }
            let error = if connected {
                CallError::Timeout
            } else {
                CallError::NotConnected
            };
            self.calls.finish(call, Err(error), out);
        }
    }
}

/// The instant after a period that never is zero.
fn due(now: Mono, period: Period) -> Mono {
    now + period.max(SHORTEST_WAIT)
}

/// The earlier of two instants, of which either may be missing.
fn earlier(one: Option<Mono>, other: Option<Mono>) -> Option<Mono> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
