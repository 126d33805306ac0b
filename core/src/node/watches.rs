//! What a node does for those who watch the names of services; the argument is in `fuzzy`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Node;
use super::calls::Purpose;
use super::fuzzy::Task;
use super::naming::client_gone;
use crate::constants::{FUZZY_FINISH_DELAY, FUZZY_SHARE, FUZZY_SYNC_DELAY};
use crate::event::FailCause;
use crate::ids::ConnId;
use crate::io::Output;
use crate::message::fuzzy::{
    MATCHES_OVER_LIMIT, NamingFuzzyWatchChangeNotifyRequest, NamingFuzzyWatchRequest,
    PATTERNS_OVER_LIMIT, Pattern, WatchType,
};
use crate::message::naming::ServiceKey;
use crate::message::{Request, Response, ResponseBody, code};
use crate::profile::Release;
use crate::time::{Mono, Period};

impl Node {
    /// True for a server that knows fuzzy watch (3.0).
    pub(super) fn offers_fuzzy_watch(&self) -> bool {
        match self.config.profile.release() {
            Release::Distro | Release::Nacos3 => true,
            Release::Nacos20 | Release::Nacos22 | Release::Nacos23 => false,
        }
    }

    /// Watch the names of services, or watch them no longer.
    pub(super) fn fuzzy_watch(
        &mut self,
        conn: ConnId,
        request: &NamingFuzzyWatchRequest,
    ) -> Response {
        if !self.offers_fuzzy_watch() {
            return Response::error(code::NO_HANDLER, "RequestHandler Not Found");
        }
        let fail = |code, text: &str| Response::fail(code, text, ResponseBody::NamingFuzzyWatch);
        let Some(pattern) = Pattern::parse(&request.pattern) else {
            let text =
                "Param 'groupKeyPattern' is illegal, it should be namespace>>group>>service.";
            return fail(code::INVALID_PARAM, text);
        };
        if self.naming_client(conn).is_none() {
            return client_gone(conn, "fuzzy watch");
        }
        if request.watch_type == WatchType::Cancel {
            self.fuzzy.cancel(conn, &pattern);
            return Response::ok(ResponseBody::NamingFuzzyWatch);
        }
        let limits = self.config.fuzzy;
        let has_room = self.fuzzy.pattern_count() < limits.patterns_max as usize;
        if !has_room && !self.fuzzy.knows(&pattern) {
            return fail(PATTERNS_OVER_LIMIT, "fuzzy watch pattern over limit");
        }
        let share = (limits.patterns_max / FUZZY_SHARE).max(1) as usize;
        let is_over = self.fuzzy.patterns_of(conn) >= share && !self.fuzzy.watches(conn, &pattern);
        if is_over && self.config.profile.speaks_distro() {
            let text = alloc::format!("one client may watch {share} patterns");
            return fail(PATTERNS_OVER_LIMIT, &text);
        }
        let times = (self.next_tick(), self.push_due(FUZZY_SYNC_DELAY));
        let said = (&request.received[..], request.initializing);
        let who = (conn, &pattern);
        self.fuzzy.watch(&self.services, who, said, times, &limits);
        if self.fuzzy.is_full(&pattern, &limits) {
            let text = "fuzzy watch pattern matched count over limit";
            return fail(MATCHES_OVER_LIMIT, text);
        }
        Response::ok(ResponseBody::NamingFuzzyWatch)
    }

    /// The first tick after now.
    fn next_tick(&self) -> Mono {
        self.push_due(Period(1))
    }

    /// Whether a service is there that is about to change. `None` when nobody watches: who
    /// registers pays nothing for it then.
    pub(super) fn was_published(&self, service: &ServiceKey) -> Option<bool> {
        self.fuzzy
            .is_watching()
            .then(|| self.services.is_published(service))
    }

    /// A service may have come or gone.
    pub(super) fn tell_watchers(&mut self, service: &ServiceKey, was_published: Option<bool>) {
        let Some(was_published) = was_published else {
            return;
        };
        let is_published = self.services.is_published(service);
        if is_published != was_published {
            let times = (self.run(), self.next_tick());
            let limits = self.config.fuzzy;
            self.fuzzy.changed(service, is_published, times, &limits);
        }
    }

    /// Sends watchers what is due.
    pub(super) fn send_due_watches(&mut self, out: &mut Vec<Output>) {
        while let Some((due, task)) = self.fuzzy.take_due(self.run()) {
            let timeout = self.config.timing.push_timeout;
            match task {
                Task::Notify(conn, service) => {
                    let is_published = self.services.is_published(&service);
                    let change = self.fuzzy.change_for(conn, &service, is_published);
                    let Some(change) = change else {
                        continue;
                    };
                    let purpose = Purpose::FuzzyNotify(service.clone());
                    let notify = NamingFuzzyWatchChangeNotifyRequest { service, change };
                    let request = Request::NamingFuzzyWatchChangeNotify(Box::new(notify));
                    self.counters.watches_sent += 1;
                    self.call(conn, request, purpose, timeout, out);
                }
                Task::Sync(conn, pattern) => {
                    let Some((batch, serial)) = self.fuzzy.batch(conn, &pattern, due) else {
                        continue;
                    };
                    let request = Request::NamingFuzzyWatchSync(Box::new(batch));
                    let purpose = Purpose::FuzzySync(pattern, serial);
                    self.counters.watches_sent += 1;
                    self.call(conn, request, purpose, timeout, out);
                }
                Task::MakeUp(pattern) => {
                    let (tick, limits) = (self.next_tick(), self.config.fuzzy);
                    self.fuzzy.make_up(&self.services, &pattern, tick, &limits);
                }
            }
        }
    }

    /// The outcome of a change that a watcher was told of.
    pub(super) fn watcher_told(
        &mut self,
        conn: ConnId,
        service: ServiceKey,
        outcome: &Result<Response, FailCause>,
    ) {
        if !self.count_watch(outcome) {
            let due = self.next_tick();
            self.fuzzy.notify(conn, service, due);
        }
    }

    /// The outcome of a batch.
    pub(super) fn watcher_synced(
        &mut self,
        conn: ConnId,
        (pattern, serial): (&Pattern, u64),
        outcome: &Result<Response, FailCause>,
    ) {
        let is_acknowledged = self.count_watch(outcome);
        let finish = self.push_due(FUZZY_FINISH_DELAY);
        let times = [self.run(), finish, self.next_tick()];
        self.fuzzy
            .answered(conn, (pattern, serial), is_acknowledged, times);
    }

    fn count_watch(&mut self, outcome: &Result<Response, FailCause>) -> bool {
        let is_acknowledged = outcome.as_ref().is_ok_and(Response::is_ok);
        self.counters.watches_acked += u64::from(is_acknowledged);
        self.counters.watches_failed += u64::from(!is_acknowledged);
        is_acknowledged
    }
}
