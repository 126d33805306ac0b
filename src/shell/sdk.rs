//! The shell around the client machine: what the testbed's clients, the operator's commands and
//! the load generator run on.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use distro_core::io::SendError;
use distro_core::sdk::Sdk;
use distro_core::sdk::io::{Answer, Call, CallError, SdkConfig, SdkInput, SdkOutput};
use distro_core::time::Now;
use tokio::sync::{mpsc, oneshot};

use super::budget::{request_bytes, response_bytes};
use super::connection::{LinkEvent, Outgoing};
use super::links::{EventOf, Links};
use super::{
    COMMANDS_MAX, Directory, INBOUND_BATCH, LinkCounters, NoTap, Progress, ShellError, Tap,
};
use crate::carrier::Carrier;
use crate::carrier::grpc::payload::Headers;
use crate::net::{Clock, Net};

/// One call of the application on its way to the client machine.
#[derive(Debug)]
pub struct Asked {
    /// The application's number for it; unique over the client's life.
    pub call: u64,
    /// What it wants.
    pub what: Call,
    /// Where the result goes, if anybody waits for it.
    pub reply: Option<oneshot::Sender<Result<Answer, CallError>>>,
}

/// The application's end of a client.
#[derive(Debug, Clone)]
pub struct SdkHandle {
    calls: mpsc::Sender<Asked>,
    last: Arc<AtomicU64>,
}

impl SdkHandle {
    /// Calls and waits for the result.
    ///
    /// # Errors
    /// As the machine says; [`CallError::NotConnected`] when the client does not run any more.
    pub async fn call(&self, what: Call) -> Result<Answer, CallError> {
        match self.begin(what).await {
            Some(result) => result.await.unwrap_or(Err(CallError::NotConnected)),
            None => Err(CallError::NotConnected),
        }
    }

    /// Calls, and gives what the result will come through: calls that are begun one after the other
    /// reach the machine in that order. `None` when the client does not run any more.
    pub async fn begin(&self, what: Call) -> Option<oneshot::Receiver<Result<Answer, CallError>>> {
        let (reply, result) = oneshot::channel();
        let call = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let asked = Asked {
            call,
            what,
            reply: Some(reply),
        };
        self.calls.send(asked).await.ok()?;
        Some(result)
    }

    /// The queue itself, for callers that number their calls and do not wait.
    pub fn queue(&self) -> mpsc::Sender<Asked> {
        self.calls.clone()
    }
}

/// A client with its network, ready to run.
#[derive(Debug)]
pub struct SdkShell<N: Net, C, T = NoTap> {
    sdk: Rc<RefCell<Sdk>>,
    clock: C,
    born: Now,
    links: Links<N, C>,
    carrier: Carrier,
    directory: Directory,
    tap: T,
    calls: mpsc::Receiver<Asked>,
    handle: SdkHandle,
    waiting: BTreeMap<u64, oneshot::Sender<Result<Answer, CallError>>>,
    out: Vec<SdkOutput>,
    local: VecDeque<SdkInput>,
}

impl<N: Net, C: Clock> SdkShell<N, C> {
    /// A client that has not started. Messages are at most `message_bytes_max` long.
    pub fn new(
        net: N,
        clock: C,
        config: SdkConfig,
        directory: Directory,
        message_bytes_max: u64,
    ) -> SdkShell<N, C> {
        let connect_timeout = config.timing.connect_timeout;
        let born = clock.now();
        let sdk = Sdk::new(config, born);
        let (calls_send, calls) = mpsc::channel(COMMANDS_MAX);
        SdkShell {
            sdk: Rc::new(RefCell::new(sdk)),
            links: Links::new(
                (net, clock.clone()),
                None,
                message_bytes_max,
                connect_timeout,
            ),
            clock,
            carrier: Carrier::default(),
            born,
            directory,
            tap: NoTap,
            calls,
            handle: SdkHandle {
                calls: calls_send,
                last: Arc::default(),
            },
            waiting: BTreeMap::new(),
            out: Vec::new(),
            local: VecDeque::new(),
        }
    }
}

impl<N: Net, C: Clock, T: Tap<SdkInput, SdkOutput>> SdkShell<N, C, T> {
    /// The same client with something that watches it.
    pub fn with_tap<U: Tap<SdkInput, SdkOutput>>(self, tap: U) -> SdkShell<N, C, U> {
        SdkShell {
            sdk: self.sdk,
            clock: self.clock,
            born: self.born,
            links: self.links,
            carrier: self.carrier,
            directory: self.directory,
            tap,
            calls: self.calls,
            handle: self.handle,
            waiting: self.waiting,
            out: self.out,
            local: self.local,
        }
    }

    /// The same client over another carrier than tcp.
    #[must_use]
    pub fn over(mut self, carrier: Carrier) -> SdkShell<N, C, T> {
        self.carrier = carrier;
        self
    }

    /// The same client, which says this with everything that it sends over gRPC, such as the
    /// `accessToken` of a login.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> SdkShell<N, C, T> {
        self.links.send_with(headers);
        self
    }

    /// The clocks when the machine was made.
    pub fn born(&self) -> Now {
        self.born
    }

    /// The machine, to look at from the task that runs the shell, between its steps.
    pub fn sdk(&self) -> Rc<RefCell<Sdk>> {
        self.sdk.clone()
    }

    /// The application's end.
    pub fn handle(&self) -> SdkHandle {
        self.handle.clone()
    }

    /// What the transport has counted so far.
    pub fn counters(&self) -> Arc<LinkCounters> {
        self.links.counters().clone()
    }

    /// Runs the client. Dropping the future is a kill: every connection ends at once.
    ///
    /// # Errors
    /// A bug of ours, caught: see [`ShellError`].
    pub async fn run(mut self) -> Result<(), ShellError> {
        let mut batch = Vec::with_capacity(INBOUND_BATCH);
        let mut progress = Progress::default();
        self.feed(SdkInput::Wake);
        loop {
            let deadline = self.sdk.borrow().next_deadline();
            let clock = self.clock.clone();
            let wake = async {
                match deadline {
                    Some(deadline) => clock.sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                arrived = self.links.next(&mut batch, INBOUND_BATCH) => arrived?,
                () = wake => {}
                // Never closed: the shell itself holds a sender.
                Some(asked) = self.calls.recv() => self.ask(asked),
            }
            for event in batch.drain(..) {
                self.take(event);
            }
            // Whatever ended the wait: a busy input must delay neither deadline nor application.
            let now = self.clock.now().mono;
            if self
                .sdk
                .borrow()
                .next_deadline()
                .is_some_and(|deadline| deadline <= now)
            {
                progress.wake(now)?;
                self.feed(SdkInput::Wake);
            }
            if let Ok(asked) = self.calls.try_recv() {
                self.ask(asked);
            }
        }
    }

    fn ask(&mut self, asked: Asked) {
        let Asked { call, what, reply } = asked;
        if let Some(reply) = reply {
            self.waiting.insert(call, reply);
        }
        self.feed(SdkInput::Call { call, what });
    }

    /// Translates what a connection tells.
    fn take(&mut self, event: EventOf<N>) {
        let input = match event {
            LinkEvent::Dialed(server, stream) => SdkInput::Dialed {
                conn: self.links.open(server, self.carrier, stream),
            },
            LinkEvent::DialFailed { .. } => SdkInput::DialFailed,
            // What a connection still had to say when the client closed it is dropped.
            LinkEvent::Request(conn, id, received, held) if self.links.is_open(conn) => {
                drop(held);
                SdkInput::Request { conn, id, received }
            }
            LinkEvent::Response(conn, id, response, held) if self.links.is_open(conn) => {
                drop(held);
                SdkInput::Response { conn, id, response }
            }
            LinkEvent::SendFailed(conn, id, cause) if self.links.is_open(conn) => {
                SdkInput::SendFailed { conn, id, cause }
            }
            LinkEvent::Closed(conn) if self.links.close(conn) => SdkInput::ConnClosed { conn },
            LinkEvent::Request(..)
            | LinkEvent::Response(..)
            | LinkEvent::SendFailed(..)
            | LinkEvent::Closed(_) => return,
            // A client listens nowhere.
            LinkEvent::Arrived(..) | LinkEvent::Accepted(..) => return,
        };
        self.feed(input);
    }

    /// Feeds the machine and carries out what it wants, until nothing is left to tell it.
    fn feed(&mut self, input: SdkInput) {
        self.local.push_back(input);
        let mut out = std::mem::take(&mut self.out);
        while let Some(input) = self.local.pop_front() {
            let shown = self.tap.wants(&input).then(|| input.clone());
            let now = self.clock.now();
            self.sdk.borrow_mut().handle(now, input, &mut out);
            if let Some(input) = shown {
                self.tap.step(now, &input, &out);
                self.tap.input(&input);
            }
            for output in out.drain(..) {
                self.carry_out(output);
            }
        }
        self.out = out;
    }

    fn carry_out(&mut self, output: SdkOutput) {
        match output {
            SdkOutput::Request {
                conn,
                id,
                ref request,
            } => match self.links.room(conn, request_bytes(request)) {
                Ok(room) => {
                    self.tap.output(&output);
                    if let SdkOutput::Request { request, .. } = output {
                        room.send(Outgoing::Request(id, request));
                    }
                }
                Err(cause) => {
                    self.tap.refused(&output);
                    let failed = SdkInput::SendFailed { conn, id, cause };
                    self.local.push_back(failed);
                }
            },
            SdkOutput::Response {
                conn,
                id,
                ref response,
            } => {
                let full = match self.links.room(conn, response_bytes(response)) {
                    Ok(room) => {
                        self.tap.output(&output);
                        if let SdkOutput::Response { response, .. } = output {
                            room.send(Outgoing::Response(id, response));
                        }
                        false
                    }
                    Err(cause) => {
                        self.tap.refused(&output);
                        cause == SendError::Busy
                    }
                };
                if full && self.links.cut(conn) {
                    self.local.push_back(SdkInput::ConnClosed { conn });
                }
            }
            SdkOutput::Dial { ref server } => {
                self.tap.output(&output);
                let port = self.directory.ports(server).map(|ports| ports.sdk);
                self.links.dial(server.clone(), port);
            }
            SdkOutput::Close { conn } => {
                self.tap.output(&output);
                self.links.close(conn);
            }
            SdkOutput::Event(_) => self.tap.output(&output),
            SdkOutput::Done { call, result } => {
                let output = SdkOutput::Done { call, result };
                self.tap.output(&output);
                if let SdkOutput::Done { result, .. } = output
                    && let Some(reply) = self.waiting.remove(&call)
                {
                    // Whoever asked may have given up.
                    reply.send(result).ok();
                }
            }
        }
    }
}
