//! Questions of clients without a connection, on their way to the machine and back.

use std::collections::BTreeMap;

use distro_core::ids::RequestId;
use distro_core::io::Command;
use distro_core::message::ask::{Answer, Ask};
use tokio::sync::{mpsc, oneshot};

use super::COMMANDS_MAX;

type Question = (Box<Ask>, oneshot::Sender<Answer>);

/// Asks a node's machine from other tasks and threads: what HTTP handlers write through. Questions
/// wait in a bounded queue; whoever finds it full waits.
#[derive(Debug, Clone)]
pub struct Asker(mpsc::Sender<Question>);

impl Asker {
    /// The machine's answer; `None` when the node does not run any more.
    pub async fn ask(&self, ask: Ask) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        self.0.send((Box::new(ask), reply)).await.ok()?;
        answer.await.ok()
    }
}

/// The node's end.
#[derive(Debug)]
pub(super) struct Asks {
    asker: Asker,
    questions: mpsc::Receiver<Question>,
    waiting: BTreeMap<RequestId, oneshot::Sender<Answer>>,
    next: u64,
}

impl Asks {
    pub(super) fn new() -> Asks {
        let (sender, questions) = mpsc::channel(COMMANDS_MAX);
        Asks {
            asker: Asker(sender),
            questions,
            waiting: BTreeMap::new(),
            next: 0,
        }
    }

    pub(super) fn asker(&self) -> Asker {
        self.asker.clone()
    }

    /// The next question, as the machine takes it.
    pub(super) async fn next(&mut self) -> Command {
        let Some((ask, reply)) = self.questions.recv().await else {
            // Never: this end itself holds a sender.
            return std::future::pending().await;
        };
        self.number(ask, reply)
    }

    /// A question that waits already.
    pub(super) fn ready(&mut self) -> Option<Command> {
        let (ask, reply) = self.questions.try_recv().ok()?;
        Some(self.number(ask, reply))
    }

    fn number(&mut self, ask: Box<Ask>, reply: oneshot::Sender<Answer>) -> Command {
        self.next += 1;
        let id = RequestId(self.next);
        self.waiting.insert(id, reply);
        Command::Ask { id, ask }
    }

    pub(super) fn answer(&mut self, id: RequestId, answer: Answer) {
        if let Some(reply) = self.waiting.remove(&id) {
            // Whoever asked may have gone.
            reply.send(answer).ok();
        }
    }
}
