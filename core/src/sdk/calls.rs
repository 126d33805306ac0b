//! Calls of the application that are not over. Each ends exactly once.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::message::Request;
use crate::message::naming::ServiceKey;
use crate::time::Mono;

use super::io::{Answer, CallError, SdkOutput};

/// Calls under way at once; a call beyond it is refused.
pub(super) const CALLS_MAX: usize = 65_536;

/// The client's own number for a call: the application's may repeat, this one cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CallNo(u64);

/// What a call is about.
#[derive(Debug)]
pub(super) enum Subject {
    /// What is published for a service.
    Publish(ServiceKey),
    /// The subscription of a service.
    Subscribe(ServiceKey),
    /// A question: the request is sent as it is, on any connection.
    Ask(Request),
}

#[derive(Debug)]
struct Pending {
    /// The application's number.
    call: u64,
    subject: Subject,
    until: Mono,
    sent: bool,
}

/// The calls under way.
#[derive(Debug, Default)]
pub(super) struct Calls {
    last: u64,
    table: BTreeMap<CallNo, Pending>,
    deadlines: BTreeSet<(Mono, CallNo)>,
    /// Questions that wait for a connection.
    unsent: BTreeSet<CallNo>,
}

impl Calls {
    pub(super) fn is_full(&self) -> bool {
        self.table.len() >= CALLS_MAX
    }

    /// A new call.
    pub(super) fn open(&mut self, call: u64, subject: Subject, until: Mono) -> CallNo {
        self.last += 1;
        let no = CallNo(self.last);
        if matches!(subject, Subject::Ask(_)) {
            self.unsent.insert(no);
        }
        self.table.insert(
            no,
            Pending {
                call,
                subject,
                until,
                sent: false,
            },
        );
        self.deadlines.insert((until, no));
        no
    }

    /// The next question to send; from now on it is sent.
    pub(super) fn next_unsent(&mut self) -> Option<(CallNo, Request)> {
        while let Some(no) = self.unsent.pop_first() {
            if let Some(Pending {
                subject: Subject::Ask(request),
                ..
            }) = self.table.get(&no)
            {
                return Some((no, request.clone()));
            }
        }
        None
    }

    /// The connection is gone: every question that was sent is to be sent again.
    pub(super) fn resend(&mut self) {
        for (no, pending) in &self.table {
            if matches!(pending.subject, Subject::Ask(_)) {
                self.unsent.insert(*no);
            }
        }
    }

    /// A request for the call was sent. The first one gets its full time, however long the call
    /// waited for it; repetitions get none.
    pub(super) fn sent(&mut self, no: CallNo, until: Mono) {
        let Some(pending) = self.table.get_mut(&no) else {
            return;
        };
        if !pending.sent {
            self.deadlines.remove(&(pending.until, no));
            self.deadlines.insert((until, no));
            pending.until = until;
            pending.sent = true;
        }
    }

    /// The call is over.
    pub(super) fn finish(
        &mut self,
        no: CallNo,
        result: Result<Answer, CallError>,
        out: &mut Vec<SdkOutput>,
    ) {
        let Some(pending) = self.table.remove(&no) else {
            return;
        };
        self.deadlines.remove(&(pending.until, no));
        self.unsent.remove(&no);
        out.push(SdkOutput::Done {
            call: pending.call,
            result,
        });
    }

    /// The next call whose time is over. It is the caller's to finish.
    pub(super) fn due(&self, now: Mono) -> Option<(CallNo, &Subject)> {
        let (until, no) = self.deadlines.first()?;
        if *until > now {
            return None;
        }
        self.table.get(no).map(|pending| (*no, &pending.subject))
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.deadlines.first().map(|(until, _)| *until)
    }
}
