//! Reads a recording.

use distro_core::config::Config;
use distro_core::io::Input;
use distro_core::time::Now;

use super::line::{HeaderLine, Line};
use super::{FORMAT, VERSION};

/// What a recording begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `CLOCK_MONOTONIC` of the machine, in microseconds, when the node's monotonic clock was zero.
    pub zero: u64,
    /// The clocks when the machine was made.
    pub born: Now,
    /// From what it was made.
    pub config: Config,
}

/// One step of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The clocks it was given.
    pub now: Now,
    /// What it took.
    pub input: Input,
    /// Hash of what it put out; see [`outputs_hash`](super::outputs_hash).
    pub outputs: u64,
    /// Numbers of the outputs that were not carried out, from 0, in order.
    pub refused: Vec<usize>,
}

/// Reads the first line.
///
/// # Errors
/// It is no header, or one of another version; in words.
pub fn header(line: &str) -> Result<Header, String> {
    let header: HeaderLine = serde_json::from_str(line)
        .map_err(|error| format!("line 1 is no header of a recording: {error}"))?;
    if header.format != FORMAT || header.version != VERSION {
        return Err(format!(
            "this is {} version {}, and {FORMAT} version {VERSION} can be read",
            header.format, header.version
        ));
    }
    Ok(Header {
        zero: header.zero,
        born: header.born.into(),
        config: header.config.config()?,
    })
}

/// Reads all lines after the header. A last line without an end was cut off with its process and
/// is left out: nothing of that step had left.
///
/// # Errors
/// The number of the line that cannot be read, and why.
pub fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for (line, number) in text.split_inclusive('\n').zip(2_u64..) {
        let Some(line) = line.strip_suffix('\n') else {
            break;
        };
        let wrong = |why: String| format!("line {number}: {why}");
        match serde_json::from_str(line).map_err(|error| wrong(error.to_string()))? {
            Line::Step(step) => steps.push(Step {
                now: step.at.into(),
                input: step.input.input().map_err(wrong)?,
                outputs: step.out,
                refused: Vec::new(),
            }),
            Line::Refused(output) => match steps.last_mut() {
                Some(step) => step.refused.push(output),
                None => return Err(wrong("nothing was put out yet".to_owned())),
            },
        }
    }
    Ok(steps)
}
