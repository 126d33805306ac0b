//! Requests under way on the current connection, and what an answer means.

use alloc::collections::BTreeMap;

use crate::ids::RequestId;
use crate::message::naming::ServiceKey;
use crate::message::{Response, ResponseBody, code};
use crate::time::Mono;

use super::calls::CallNo;
use super::redo::Op;

/// Requests under way at once; the rest waits for a free place. Why: after a reconnect a client
/// with many services must not send them all in one burst, and the table stays bounded.
pub(super) const REQUESTS_MAX: usize = 1024;

/// Why a request was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To make true what is wanted published.
    Publish {
        /// Which service.
        service: ServiceKey,
        /// The operation on it.
        op: Op,
    },
    /// To make true what is wanted subscribed.
    Subscribe {
        /// Which service.
        service: ServiceKey,
        /// The operation on it.
        op: Op,
        /// False: to unsubscribe.
        subscribe: bool,
    },
    /// To answer a query or list call.
    Ask {
        /// Which.
        call: CallNo,
    },
}

/// Requests under way on the current connection. All have the same timeout and numbers only
/// grow, so the first in the table is the first to time out.
#[derive(Debug, Default)]
pub(super) struct Requests {
    table: BTreeMap<RequestId, UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    purpose: Purpose,
    until: Mono,
}

impl Requests {
    pub(super) fn has_room(&self) -> bool {
        self.table.len() < REQUESTS_MAX
    }

    pub(super) fn insert(&mut self, id: RequestId, purpose: Purpose, until: Mono) {
        self.table.insert(id, UnderWay { purpose, until });
    }

    /// The request, if it is still under way; from now on it is not.
    pub(super) fn take(&mut self, id: RequestId) -> Option<Purpose> {
        self.table.remove(&id).map(|under_way| under_way.purpose)
    }

    /// The next request whose time is over; from now on it is not under way.
    pub(super) fn take_due(&mut self, now: Mono) -> Option<Purpose> {
        let first = self.table.first_entry()?;
        (first.get().until <= now).then(|| first.remove().purpose)
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.table
            .first_key_value()
            .map(|(_, under_way)| under_way.until)
    }

    /// The connection is gone, and all requests with it.
    pub(super) fn clear(&mut self) {
        self.table.clear();
    }
}

/// What an answer means for the request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was done.
    Done,
    /// It was not done, now; what it asked for stays wanted. `doubtful`: the server could not
    /// handle it at all, so the connection should be checked.
    Later {
        /// Check the connection.
        doubtful: bool,
    },
    /// The server does not know this connection, or lost the client that belongs to it.
    Reconnect,
    /// It will never be done.
    Refused,
}

/// Judges an answer by its codes alone.
///
/// Why: "no right" is for later, because a server whose permission cache is cold says so to
/// everybody for a while (incident 23), and so is a failure without a code. An `ErrorResponse` is
/// for later too, as `RpcClient` retries any, except for an invalid parameter: Java's legality
/// check arrives in that form, and asking again cannot help.
pub(super) fn judge(response: &Response) -> Verdict {
    if response.is_ok() {
        return Verdict::Done;
    }
    let untyped = matches!(response.body, ResponseBody::Error);
    match response.error_code {
        code::UN_REGISTER | code::CLIENT_DISCONNECT => Verdict::Reconnect,
        0 | code::INVALID_SERVER_STATUS | code::NO_RIGHT | code::FAIL | code::OVER_THRESHOLD => {
            Verdict::Later { doubtful: untyped }
        }
        other if untyped && other != code::INVALID_PARAM => Verdict::Later { doubtful: true },
        _ => Verdict::Refused,
    }
}
