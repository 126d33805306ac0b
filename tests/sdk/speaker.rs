//! A process that answers in JSON lines and can be told things.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::process::Process;

/// Longer than any single line may take, even on a busy machine; some SDKs look only every 30 s
/// whether they have something to register again.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which of its streams is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// Standard output; a program or a command.
    Out,
    /// Standard error; a node's log.
    Log,
}

/// A running process; killed when it goes.
pub(crate) struct Speaker(Process);

impl Speaker {
    /// Starts it. `noise` is where the stream that is not read goes.
    pub(crate) fn start(mut command: Command, speaks: Speaks, noise: Stdio) -> Speaker {
        command.stdin(Stdio::piped());
        Speaker(Process::spawn(command, speaks == Speaks::Log, noise))
    }

    /// The first object of which `is` holds, whether a plain JSON line or one that begins with
    /// `@`; an error tells what came instead.
    pub(crate) fn until(
        &mut self,
        what: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let pick = |line: &str| {
            let text = line.strip_prefix('@').unwrap_or(line);
            serde_json::from_str(text).ok().filter(|value| is(value))
        };
        self.0.first(PATIENCE, pick).map_err(|seen| {
            let last = seen.last().map_or("nothing", String::as_str);
            match self.0.child.try_wait() {
                Ok(Some(status)) => format!("ended ({status}) before: {what}; last: {last}"),
                Ok(None) | Err(_) => format!("never: {what}; last: {last}"),
            }
        })
    }

    /// The answer that has `key`, to what was just told.
    pub(crate) fn ask(&mut self, question: &str, key: &str) -> Result<Value, String> {
        self.tell(question);
        let answer = self.until(question, |value| !value[key].is_null())?;
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer[key].clone()),
        }
    }

    /// Writes a line. A process that is gone is noticed by what it does not answer.
    pub(crate) fn tell(&mut self, line: &str) {
        if let Some(input) = &mut self.0.input {
            writeln!(input, "{line}").unwrap_or_default();
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.child.id()
    }

    /// Sends a signal, such as `-STOP`.
    pub(crate) fn signal(&self, name: &str) {
        self.0.signal(name);
    }

    /// Waits for its end; its exit code unless a signal ended it.
    pub(crate) fn end(&mut self) -> Option<i32> {
        self.0.code()
    }
}
