//! The shell around the server machine.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use distro_core::config::{Config, ConfigField, ConfigProblem};
use distro_core::io::{Command, Input, Listener as Source, Output, SendError};
use distro_core::node::Node;
use distro_core::time::Now;
use tokio::sync::{mpsc, oneshot, watch};

use super::asks::{Asker, Asks};
use super::budget::{request_bytes, response_bytes};
use super::connection::{LinkEvent, Outgoing};
use super::guard::Guard;
use super::links::{EventOf, Links};
use super::secret::ClusterSecret;
use super::{
    COMMANDS_MAX, Directory, INBOUND_BATCH, Limits, LinkCounters, NoTap, Progress, ShellError, Tap,
};
use crate::carrier::Carrier;
use crate::http::auth::Auth;
use crate::net::{Clock, Net};

/// Ends a node's listener for clients.
#[derive(Debug, Clone)]
pub struct StopAccepting(Arc<watch::Sender<bool>>);

impl StopAccepting {
    /// From now on clients are refused by the system. Fellow nodes still get in: a node that drains
    /// is a member until it ends.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// A question to the machine, answered on the task that owns it.
type Look = Box<dyn FnOnce(&Node) + Send>;

/// Looks at a node's machine from other tasks and threads: what HTTP handlers and metrics read.
/// Questions wait in a bounded queue behind what the network brings, and change nothing.
#[derive(Debug, Clone)]
pub struct Inspector(mpsc::Sender<Look>);

impl Inspector {
    /// What `question` says of the machine; `None` when the node does not run any more.
    pub async fn look<T, F>(&self, question: F) -> Option<T>
    where
        T: Send + 'static,
        F: FnOnce(&Node) -> T + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let look: Look = Box::new(move |node| {
            // Whoever asked may have gone.
            reply.send(question(node)).unwrap_or_default();
        });
        self.0.send(look).await.ok()?;
        answer.await.ok()
    }
}

/// A node with its sockets, ready to run.
#[derive(Debug)]
pub struct NodeShell<N: Net, C, T = NoTap> {
    node: Rc<RefCell<Node>>,
    clock: C,
    born: Now,
    links: Links<N, C>,
    directory: Directory,
    tap: T,
    commands: mpsc::Receiver<Command>,
    command_sender: mpsc::Sender<Command>,
    looks: mpsc::Receiver<Look>,
    asks: Asks,
    inspector: Inspector,
    out: Vec<Output>,
    /// What the shell itself has to tell the machine.
    local: VecDeque<Input>,
}

impl<N: Net, C: Clock> NodeShell<N, C> {
    /// A node that listens on its ports and has not started.
    ///
    /// # Errors
    /// [`ShellError::Config`] or [`ShellError::Listen`]; nothing runs.
    pub async fn bind(
        net: N,
        clock: C,
        config: Config,
        directory: Directory,
    ) -> Result<NodeShell<N, C>, ShellError> {
        let ports = directory.ports(&config.node).ok_or_else(|| {
            let text = format!("{} has no usable port", config.node);
            let fields = vec![ConfigField::Node];
            ShellError::Config(vec![ConfigProblem { fields, text }])
        })?;
        let listen = async |port| {
            net.listen(port)
                .await
                .map_err(|error| ShellError::Listen { port, error })
        };
        let (sdk, cluster) = (listen(ports.sdk).await?, listen(ports.cluster).await?);
        NodeShell::on(net, clock, config, directory, (sdk, cluster))
    }

    /// A node on sockets (for clients, for fellow nodes) that already listen.
    ///
    /// # Errors
    /// [`ShellError::Config`]; nothing runs.
    pub fn on(
        net: N,
        clock: C,
        config: Config,
        directory: Directory,
        (sdk, cluster): (N::Listener, N::Listener),
    ) -> Result<NodeShell<N, C>, ShellError> {
        let (me, message_bytes_max) = (config.node.clone(), config.message_bytes_max);
        let connect_timeout = config.timing.connect_timeout;
        let born = clock.now();
        let node = Node::new(config, born).map_err(ShellError::Config)?;
        let ends = (net, clock.clone());
        let mut links = Links::new(ends, Some(me), message_bytes_max, connect_timeout);
        links.listen(Source::Sdk, sdk);
        links.listen(Source::Cluster, cluster);
        let (command_sender, commands) = mpsc::channel(COMMANDS_MAX);
        let (look_sender, looks) = mpsc::channel(COMMANDS_MAX);
        Ok(NodeShell {
            node: Rc::new(RefCell::new(node)),
            clock,
            born,
            links,
            directory,
            tap: NoTap,
            commands,
            command_sender,
            looks,
            asks: Asks::new(),
            inspector: Inspector(look_sender),
            out: Vec::new(),
            local: VecDeque::new(),
        })
    }
}

impl<N: Net, C: Clock, T: Tap<Input, Output>> NodeShell<N, C, T> {
    /// The same node with something that watches it.
    pub fn with_tap<U: Tap<Input, Output>>(self, tap: U) -> NodeShell<N, C, U> {
        NodeShell {
            node: self.node,
            clock: self.clock,
            born: self.born,
            links: self.links,
            directory: self.directory,
            tap,
            commands: self.commands,
            command_sender: self.command_sender,
            looks: self.looks,
            asks: self.asks,
            inspector: self.inspector,
            out: self.out,
            local: self.local,
        }
    }

    /// The same node, which asks for access tokens wherever `auth` does.
    #[must_use]
    pub fn with_auth(mut self, auth: Arc<Auth>) -> NodeShell<N, C, T> {
        self.links.guard_with(Guard::new(auth));
        self
    }

    /// The clocks when the machine was made.
    pub fn born(&self) -> Now {
        self.born
    }

    /// The same node with other bounds on what connections may cost.
    #[must_use]
    pub fn limited(mut self, limits: Limits) -> NodeShell<N, C, T> {
        self.links.limit(limits);
        self
    }

    /// The same node in a cluster whose nodes prove a secret to each other.
    #[must_use]
    pub fn proving(mut self, secret: ClusterSecret) -> NodeShell<N, C, T> {
        self.links.prove(secret);
        self
    }

    /// The machine, to look at from the task that runs the shell, between its steps.
    pub fn node(&self) -> Rc<RefCell<Node>> {
        self.node.clone()
    }

    /// Where an operator's commands go.
    pub fn commands(&self) -> mpsc::Sender<Command> {
        self.command_sender.clone()
    }

    /// Looks at the machine from other tasks and threads.
    pub fn inspector(&self) -> Inspector {
        self.inspector.clone()
    }

    /// Where clients without a connection ask.
    pub fn asker(&self) -> Asker {
        self.asks.asker()
    }

    /// Ends the listener for clients when it is told to; those that are connected stay.
    pub fn stop_accepting(&self) -> StopAccepting {
        StopAccepting(self.links.stop().clone())
    }

    /// What the transport has counted so far.
    pub fn counters(&self) -> Arc<LinkCounters> {
        self.links.counters().clone()
    }

    /// Runs the node. Dropping the future is a kill: every connection ends at once.
    ///
    /// # Errors
    /// A bug of ours, caught: see [`ShellError`].
    pub async fn run(mut self) -> Result<(), ShellError> {
        let mut batch = Vec::with_capacity(INBOUND_BATCH);
        let mut progress = Progress::default();
        self.feed(Input::Wake);
        loop {
            let deadline = self.node.borrow().next_deadline();
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
                Some(command) = self.commands.recv() => self.feed(Input::Command(command)),
                asked = self.asks.next() => self.feed(Input::Command(asked)),
                Some(look) = self.looks.recv() => look(&self.node.borrow()),
            }
            for event in batch.drain(..) {
                self.take(event);
            }
            // Whatever ended the wait: a busy input must delay neither deadline nor operator.
            let now = self.clock.now().mono;
            if self
                .node
                .borrow()
                .next_deadline()
                .is_some_and(|deadline| deadline <= now)
            {
                progress.wake(now)?;
                self.feed(Input::Wake);
            }
            if let Ok(command) = self.commands.try_recv() {
                self.feed(Input::Command(command));
            }
            if let Some(asked) = self.asks.ready() {
                self.feed(Input::Command(asked));
            }
            if let Ok(look) = self.looks.try_recv() {
                look(&self.node.borrow());
            }
        }
    }

    /// Translates what a connection tells.
    fn take(&mut self, event: EventOf<N>) {
        let input = match event {
            LinkEvent::Arrived(source, stream) => return self.links.greet(source, stream),
            LinkEvent::Accepted(carrier, newcomer) => {
                let (listener, stream) = (newcomer.source, &newcomer.stream);
                let (remote_ip, remote_port) = (stream.remote_ip.clone(), stream.remote_port);
                let conn = self.links.admit(carrier, *newcomer);
                Input::ConnOpened {
                    conn,
                    listener,
                    remote_ip,
                    remote_port,
                }
            }
            LinkEvent::Dialed(member, stream) => {
                let conn = self.links.open(member.clone(), Carrier::Tcp, stream);
                Input::Dialed { member, conn }
            }
            LinkEvent::DialFailed {
                node: member,
                refused,
            } => Input::DialFailed { member, refused },
            // What a connection still had to say when the node closed it is dropped.
            LinkEvent::Request(conn, id, received, held) if self.links.is_open(conn) => {
                drop(held);
                Input::Request { conn, id, received }
            }
            LinkEvent::Response(conn, id, response, held) if self.links.is_open(conn) => {
                drop(held);
                Input::Response { conn, id, response }
            }
            LinkEvent::SendFailed(conn, id, cause) if self.links.is_open(conn) => {
                Input::SendFailed { conn, id, cause }
            }
            LinkEvent::Closed(conn) if self.links.close(conn) => Input::ConnClosed { conn },
            LinkEvent::Request(..)
            | LinkEvent::Response(..)
            | LinkEvent::SendFailed(..)
            | LinkEvent::Closed(_) => return,
        };
        self.feed(input);
    }

    /// Feeds the machine and carries out what it wants, until nothing is left to tell it.
    fn feed(&mut self, input: Input) {
        self.local.push_back(input);
        let mut out = std::mem::take(&mut self.out);
        while let Some(input) = self.local.pop_front() {
            let shown = self.tap.wants(&input).then(|| input.clone());
            let now = self.clock.now();
            self.node.borrow_mut().handle(now, input, &mut out);
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

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Request {
                conn,
                id,
                ref request,
            } => match self.links.room(conn, request_bytes(request)) {
                Ok(room) => {
                    self.tap.output(&output);
                    if let Output::Request { request, .. } = output {
                        room.send(Outgoing::Request(id, request));
                    }
                }
                Err(cause) => {
                    self.tap.refused(&output);
                    let failed = Input::SendFailed { conn, id, cause };
                    self.local.push_back(failed);
                }
            },
            Output::Response {
                conn,
                id,
                ref response,
            } => {
                let full = match self.links.room(conn, response_bytes(response)) {
                    Ok(room) => {
                        self.tap.output(&output);
                        if let Output::Response { response, .. } = output {
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
                    self.local.push_back(Input::ConnClosed { conn });
                }
            }
            Output::Dial { ref member } => {
                self.tap.output(&output);
                let port = self.directory.ports(member).map(|ports| ports.cluster);
                self.links.dial(member.clone(), port);
            }
            Output::Close { conn, .. } => {
                self.tap.output(&output);
                self.links.close(conn);
            }
            Output::Answer { .. } => {
                self.tap.output(&output);
                if let Output::Answer { id, answer } = output {
                    self.asks.answer(id, answer);
                }
            }
            Output::Event(_) => self.tap.output(&output),
        }
    }
}
