//! One network namespace of the machine.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace. It has no name, and is gone with its last process and socket, whatever
/// becomes of the testbed.
#[derive(Debug)]
pub(in crate::world::tcp) struct Space {
    file: File,
    /// The namespace that the testbed itself lives in.
    home: Arc<File>,
}

/// The namespace of this thread.
pub(super) fn home() -> io::Result<Arc<File>> {
    File::open("/proc/thread-self/ns/net").map(Arc::new)
}

fn enter(file: &File) -> io::Result<()> {
    Ok(move_into_link_name_space(
        file.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

impl Space {
    /// Makes one, in which there is nothing yet.
    pub(super) fn new(home: Arc<File>) -> Result<Space, String> {
        let mut holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let number = holder.id();
        let (Some(mut into), Some(mut from)) = (holder.stdin.take(), holder.stdout.take()) else {
            return Err("unshare: no pipes".to_owned());
        };
        // It answers once it is inside; opened, the namespace stays without it.
        let answers = into
            .write_all(b".")
            .and_then(|()| from.read_exact(&mut [0]));
        let file = answers.and_then(|()| File::open(format!("/proc/{number}/ns/net")));
        drop((into, from));
        let ended = holder
            .wait_with_output()
            .map_err(|error| format!("unshare: {error}"))?;
        file.map(|file| Space { file, home })
            .map_err(|error| format!("unshare: {}", said(&ended, &error.to_string())))
    }

    /// Does something inside: sockets that are made and processes that are started belong there.
    pub(in crate::world::tcp) fn within<T>(
        &self,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        enter(&self.file)?;
        let done = work();
        enter(&self.home)?;
        done
    }

    /// Runs a program inside, with this as its input; gives its output.
    pub(super) fn run(&self, program: &[&str], input: &str) -> Result<String, String> {
        let told = self.within(|| {
            let mut child = Command::new(program[0])
                .args(&program[1..])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            if let Some(mut into) = child.stdin.take() {
                into.write_all(input.as_bytes())?;
            }
            child.wait_with_output()
        });
        let output = told.map_err(|error| format!("{}: {error}", program[0]))?;
        if !output.status.success() {
            let why = said(&output, &output.status.to_string());
            return Err(format!("{}: {why}", program.join(" ")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Where programs of this machine find it, as long as the testbed lives.
    pub(super) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }
}

/// What a program complained of.
fn said(output: &Output, otherwise: &str) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let text = text.trim();
    if text.is_empty() {
        otherwise.to_owned()
    } else {
        text.to_owned()
    }
}
