//! A client: the shell's `Sdk` driver on real sockets, as a task of the testbed, with everything
//! it takes written down.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use distro_core::hash::hash_of;
use distro_core::sdk::io::{SdkConfig, SdkInput, SdkOutput};
use distro_core::time::Now;
use distro_node::net::tokio::{TokioClock, TokioListener, TokioNet};
use distro_node::net::{Net, Stream, literal};
use distro_node::shell::sdk::{Asked, SdkShell};
use distro_node::shell::{ShellError, Tap};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::lived::Step;
use super::place::Place;
use super::plan::Plan;
use crate::scenario::model::{HostId, Scenario};

/// What a client took, for the replay.
pub(super) type Log = Rc<RefCell<Vec<Step<SdkInput>>>>;

/// A running client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) calls: mpsc::Sender<Asked>,
    pub(super) gate: Rc<Gate>,
    task: AbortHandle,
}

impl Drop for Client {
    /// A kill: it takes nothing more, and its sockets close.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How a client began: what a replay starts from.
#[derive(Debug)]
pub(super) struct ClientBirth {
    pub(super) config: SdkConfig,
    pub(super) born: Now,
    pub(super) log: Log,
}

/// TCP from one host's place.
#[derive(Debug, Clone)]
pub(super) struct BoundNet(Place);

impl Net for BoundNet {
    type Reader = OwnedReadHalf;
    type Writer = OwnedWriteHalf;
    type Listener = TokioListener;

    async fn listen(&self, port: u16) -> io::Result<TokioListener> {
        TokioNet.listen(port).await
    }

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        literal(host).map(|ip| vec![ip])
    }

    async fn connect(
        &self,
        host: &str,
        port: u16,
    ) -> io::Result<Stream<OwnedReadHalf, OwnedWriteHalf>> {
        let ip = literal(host)?;
        let socket = self.0.socket()?;
        let stream = socket.connect(SocketAddr::new(ip, port)).await?;
        let (reader, writer) = stream.into_split();
        Ok(Stream {
            reader,
            writer,
            remote_ip: host.into(),
            remote_port: port,
        })
    }
}

/// Writes down what a client takes.
#[derive(Debug)]
struct Recorder {
    log: Log,
    output: usize,
}

impl Tap<SdkInput, SdkOutput> for Recorder {
    fn step(&mut self, now: Now, input: &SdkInput, outputs: &[SdkOutput]) {
        self.output = 0;
        self.log.borrow_mut().push(Step {
            now,
            input: input.clone(),
            outputs: hash_of(outputs),
            refused: Vec::new(),
        });
    }

    fn input(&mut self, _input: &SdkInput) {}

    fn output(&mut self, _output: &SdkOutput) {
        self.output += 1;
    }

    fn refused(&mut self, _output: &SdkOutput) {
        if let Some(step) = self.log.borrow_mut().last_mut() {
            step.refused.push(self.output);
        }
        self.output += 1;
    }
}

/// Stops a task: while it is shut the task is not polled.
#[derive(Debug, Default)]
pub(super) struct Gate {
    paused: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Gate {
    /// A pause begins, or ends.
    pub(super) fn pause(&self, pause: bool) {
        self.paused.set(pause);
        if !pause && let Some(waker) = self.waiting.borrow_mut().take() {
            waker.wake();
        }
    }
}

struct Gated<F> {
    gate: Rc<Gate>,
    inner: Pin<Box<F>>,
}

impl<F: Future> Future for Gated<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.gate.paused.get() {
            *self.gate.waiting.borrow_mut() = Some(context.waker().clone());
            return Poll::Pending;
        }
        self.inner.as_mut().poll(context)
    }
}

/// Starts a client among `tasks`.
pub(super) fn start(
    (scenario, plan, clock): (&Scenario, &Plan, TokioClock),
    host: HostId,
    config: SdkConfig,
    tasks: &mut JoinSet<Result<(), ShellError>>,
) -> (Client, ClientBirth) {
    let directory = plan.directory(host);
    let net = BoundNet(plan.place(host));
    let bytes = scenario.message_bytes_max;
    let log = Log::default();
    let shell = SdkShell::new(net, clock, config.clone(), directory, bytes)
        .over(scenario.carrier)
        .with_tap(Recorder {
            log: log.clone(),
            output: 0,
        });
    let (calls, born) = (shell.handle().queue(), shell.born());
    let gate = Rc::new(Gate::default());
    let task = tasks.spawn_local(Gated {
        gate: gate.clone(),
        inner: Box::pin(shell.run()),
    });
    let client = Client { calls, gate, task };
    (client, ClientBirth { config, born, log })
}
