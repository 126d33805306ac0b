//! What connections may cost: messages that wait for the machine, and bytes that wait for a
//! connection to be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use distro_core::io::SendError;
use distro_core::message::{Request, Response};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use super::connection::Outgoing;
use super::{OUTBOUND_MAX, PLACES_OF_CLIENTS, PLACES_OF_MEMBERS};

/// Bounds on what connections may cost. A message that is bigger than a bound on bytes passes
/// alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages of one connection that wait for the machine. Beyond it the connection is not read,
    /// and so, by TCP, its peer waits.
    pub requests_per_connection: u32,
    /// Bytes of messages of all connections that wait for the machine. Beyond it none is read.
    pub request_bytes: u64,
    /// Bytes that wait on one connection to be written, about. From half of it on a connection of
    /// frames is not read (one of gRPC has a bound on calls instead); beyond it requests are
    /// refused as busy and an answer that finds no room cuts the connection.
    pub queued_bytes: u64,
    /// Bytes of messages of clients that have not arrived in full, of all of them; half as many of
    /// one address. Beyond it, who holds most is cut.
    pub unfinished_bytes: u64,
    /// Streams on the port of clients that have not said who they are. Beyond it, the address with
    /// most of them gives up its oldest.
    pub unknown_clients: u32,
    /// The same on the port of members.
    pub unknown_members: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            requests_per_connection: 1024,
            request_bytes: 64 * 1024 * 1024,
            queued_bytes: 64 * 1024 * 1024,
            unfinished_bytes: 64 * 1024 * 1024,
            unknown_clients: PLACES_OF_CLIENTS,
            unknown_members: PLACES_OF_MEMBERS,
        }
    }
}

/// Bytes of a message that is there at all.
const MESSAGE_BYTES: u64 = 512;
/// Bytes of an instance on the wire, about; the other parts are smaller.
const PART_BYTES: u64 = 400;

/// The room that all connections of a machine share.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    limits: Limits,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Budget {
        let bytes_max = u32::try_from(limits.request_bytes)
            .unwrap_or(u32::MAX)
            .max(1);
        Budget {
            limits,
            bytes: Arc::new(Semaphore::new(bytes_max as usize)),
            bytes_max,
        }
    }

    /// What one connection gets: the machine's end of its queue, its own end, and what lets its
    /// messages in.
    pub(super) fn connection(&self) -> (Outbox, Queue, Inbound) {
        let (sender, receiver) = mpsc::channel(OUTBOUND_MAX);
        let queued: Arc<Queued> = Arc::default();
        let outlet = Outbox {
            sender,
            queued: queued.clone(),
            bytes_max: self.limits.queued_bytes,
        };
        let queue = Queue {
            receiver,
            queued: queued.clone(),
            taken: 0,
        };
        let messages = self.limits.requests_per_connection.max(1);
        let inbound = Inbound {
            messages: Arc::new(Semaphore::new(messages as usize)),
            bytes: self.bytes.clone(),
            bytes_max: self.bytes_max,
            queued,
            queued_max: self.limits.queued_bytes / 2,
        };
        (outlet, queue, inbound)
    }
}

/// Bytes that wait on one connection to be written.
#[derive(Debug, Default)]
struct Queued {
    bytes: AtomicU64,
    written: Notify,
}

/// Lets the messages of one connection in.
#[derive(Debug)]
pub(super) struct Inbound {
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
    queued: Arc<Queued>,
    queued_max: u64,
}

/// A message that waits for the machine; its room is free again when this goes.
#[derive(Debug)]
pub(super) struct Held {
    _message: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Inbound {
    /// Waits until this connection takes what is sent to it, and there is room for a message with
    /// a body of this length. Another task, or another branch of this one, has to write meanwhile.
    pub(super) async fn admit(&self, body_bytes: usize) -> Held {
        while self.queued.bytes.load(Ordering::Relaxed) > self.queued_max {
            // Only this connection's writer frees its queue, and it leaves a permit when nobody
            // waits yet.
            self.queued.written.notified().await;
        }
        self.enter(body_bytes).await
    }

    /// Waits until there is room for a message with a body of this length; only the machine makes
    /// it.
    pub(super) async fn enter(&self, body_bytes: usize) -> Held {
        const OPEN: &str = "nobody closes the semaphores";
        let bytes = u64::try_from(body_bytes).unwrap_or(u64::MAX);
        let bytes = u32::try_from(bytes.saturating_add(MESSAGE_BYTES)).unwrap_or(u32::MAX);
        let bytes = bytes.min(self.bytes_max);
        let message = self.messages.clone().acquire_owned().await;
        let bytes = self.bytes.clone().acquire_many_owned(bytes).await;
        Held {
            _message: message.expect(OPEN),
            _bytes: bytes.expect(OPEN),
        }
    }
}

/// The machine's end of a connection's queue.
#[derive(Debug)]
pub(super) struct Outbox {
    sender: mpsc::Sender<Outgoing>,
    queued: Arc<Queued>,
    bytes_max: u64,
}

/// Room for one message.
#[derive(Debug)]
pub(super) struct Room<'a> {
    permit: mpsc::Permit<'a, Outgoing>,
    queued: &'a AtomicU64,
}

impl Outbox {
    pub(super) fn room(&self, bytes: u64) -> Result<Room<'_>, SendError> {
        let queued = self.queued.bytes.load(Ordering::Relaxed);
        if queued > 0 && queued.saturating_add(bytes) > self.bytes_max {
            return Err(SendError::Busy);
        }
        let permit = self.sender.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => SendError::Busy,
            mpsc::error::TrySendError::Closed(()) => SendError::Closed,
        })?;
        Ok(Room {
            permit,
            queued: &self.queued.bytes,
        })
    }
}

impl Room<'_> {
    pub(super) fn send(self, message: Outgoing) {
        self.queued.fetch_add(message.bytes(), Ordering::Relaxed);
        self.permit.send(message);
    }
}

/// The connection's end of its queue.
#[derive(Debug)]
pub(super) struct Queue {
    receiver: mpsc::Receiver<Outgoing>,
    queued: Arc<Queued>,
    /// Bytes of what was taken last and is being written.
    taken: u64,
}

impl Queue {
    /// The next messages, up to `limit`; none when the machine closed. Those of the call before
    /// count as written from now on. Dropping the future loses none.
    pub(super) async fn next(&mut self, batch: &mut Vec<Outgoing>, limit: usize) -> usize {
        if self.taken > 0 {
            self.queued.bytes.fetch_sub(self.taken, Ordering::Relaxed);
            self.queued.written.notify_one();
            self.taken = 0;
        }
        let count = self.receiver.recv_many(batch, limit).await;
        self.taken = batch.iter().map(Outgoing::bytes).sum();
        count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }
}

impl Outgoing {
    /// About how many bytes it takes on the wire, by counts: no text is looked at.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Outgoing::Request(_, request) => request_bytes(request),
            Outgoing::Response(_, response) => response_bytes(response),
        }
    }
}

/// About how many bytes a request takes on the wire.
pub(super) fn request_bytes(request: &Request) -> u64 {
    MESSAGE_BYTES + PART_BYTES * request.parts()
}

/// About how many bytes an answer takes on the wire.
pub(super) fn response_bytes(response: &Response) -> u64 {
    MESSAGE_BYTES + PART_BYTES * response.body.parts()
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use distro_core::ids::RequestId;
    use tokio::time::{Duration, timeout};

    use super::*;

    /// Polls a future once, and says whether it is still waiting.
    async fn waits<F: Future>(future: F) -> bool {
        timeout(Duration::ZERO, future).await.is_err()
    }

    fn limits(requests_per_connection: u32, request_bytes: u64, queued_bytes: u64) -> Budget {
        Budget::new(Limits {
            requests_per_connection,
            request_bytes,
            queued_bytes,
            ..Limits::default()
        })
    }

    fn message() -> Outgoing {
        Outgoing::Request(RequestId(1), Request::HealthCheck)
    }

    #[tokio::test]
    async fn a_connection_is_not_read_while_its_messages_wait() {
        let budget = limits(2, 1 << 20, 1 << 20);
        let (_, _, busy) = budget.connection();
        let (_, _, other) = budget.connection();
        let first = busy.admit(10).await;
        let _second = busy.admit(10).await;
        assert!(waits(busy.admit(10)).await);
        other.admit(10).await;
        drop(first);
        busy.admit(10).await;
    }

    #[tokio::test]
    async fn bytes_of_all_connections_are_bounded_and_a_giant_passes_alone() {
        let budget = limits(100, 4096, 1 << 20);
        let (_, _, one) = budget.connection();
        let (_, _, other) = budget.connection();
        let held = one.admit(3000).await;
        assert!(waits(other.admit(3000)).await);
        assert!(waits(other.admit(1 << 30)).await);
        drop(held);
        let giant = other.admit(1 << 30).await;
        assert!(waits(one.admit(0)).await);
        drop(giant);
        one.admit(0).await;
    }

    #[tokio::test]
    async fn bytes_that_nobody_takes_are_bounded_and_stop_the_reading() {
        let budget = limits(100, 1 << 20, 3 * MESSAGE_BYTES);
        let (outlet, mut queue, inbound) = budget.connection();
        for _ in 0..3 {
            outlet.room(message().bytes()).unwrap().send(message());
        }
        assert_eq!(outlet.room(MESSAGE_BYTES).unwrap_err(), SendError::Busy);
        assert!(waits(inbound.admit(0)).await);
        let mut batch = Vec::new();
        assert_eq!(queue.next(&mut batch, 2).await, 2);
        // Taken is not written.
        assert_eq!(outlet.room(MESSAGE_BYTES).unwrap_err(), SendError::Busy);
        batch.clear();
        assert_eq!(queue.next(&mut batch, 2).await, 1);
        inbound.admit(0).await;
        outlet.room(MESSAGE_BYTES).unwrap();
        batch.clear();
        assert!(waits(queue.next(&mut batch, 2)).await);
        // Alone, even the biggest has room.
        outlet.room(u64::MAX).unwrap().send(message());
    }
}
