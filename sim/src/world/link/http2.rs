//! HTTP/2 as faults see it: gRPC's messages are what gets lost, late, doubled and damaged, the
//! rest of the protocol is as reliable as the stream below.
//!
//! # How a message gets lost without breaking the connection
//! A message is the payload of DATA frames of one stream, so those meet the fate of their message
//! and all other frames go on as they are, in their order. Three things keep HTTP/2 whole:
//! - Bytes that vanish were taken from the sender's windows, and their receiver never gives them
//!   back. So the sender is: the fault layer puts WINDOW_UPDATEs into what the sender reads.
//! - After a lost or late answer its stream's trailers must not come, or not before it. But the
//!   text of header frames may depend on those before. So the client's SETTINGS get one more,
//!   that forbids it (a header table of no bytes), and any header frame can be left out.
//! - What belongs to one stream stays in order behind what fell behind; messages of a stream may
//!   overtake each other only while each of them is one frame.
//!
//! What HTTP/2 does not allow does not happen: one call has one request and one answer, so these
//! are never doubled; what servers push and what clients say on the stream of pushes is.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, BytesMut};
use distro_core::ids::RequestId;
use distro_core::message::MessageKind;
use distro_node::carrier::grpc::payload::WireMetadata;
use distro_node::codec::request_kind;
use prost::Message as _;

use super::fabric::{Outbound, Passage};
use super::stream::{Common, put};

/// Before the first frame of a client.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, type, flags, stream.
const HEAD_BYTES: usize = 9;
/// gRPC's flag and length before a message.
const PREFIX_BYTES: usize = 5;
/// With so many bytes of a message there is what faults choose by: its type and its number.
const ENOUGH_BYTES: usize = 512;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// On DATA and HEADERS: nothing more comes on this stream.
const END_STREAM: u8 = 1;
/// On SETTINGS: an answer to the other end's.
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// `SETTINGS_HEADER_TABLE_SIZE` with the value zero.
const NO_HEADER_TABLE: [u8; 6] = [0, 1, 0, 0, 0, 0];

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Http2 {
    prefaced: bool,
    has_settings: bool,
    courses: BTreeMap<u32, Course>,
    /// The stream whose frames wait for their fate: the link was busy.
    undecided: Option<u32>,
    /// The rest of a header block that was left out.
    leaving_out: bool,
}

/// What is under way on a stream.
#[derive(Debug, Default)]
struct Course {
    /// Whole frames of a message whose fate is not known.
    held: BytesMut,
    /// What of the message is in them.
    message: BytesMut,
    /// Payload of the message that is still to come, once its fate is known.
    left: usize,
    passage: Option<Passage>,
    /// The last message vanished.
    lost: bool,
    /// How far the last message fell behind.
    jitter: u64,
    /// How far everything falls behind: a message of several frames is not to be torn.
    floor: u64,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Head {
    fn read(mut bytes: &[u8]) -> Option<(Head, usize)> {
        if bytes.len() < HEAD_BYTES {
            return None;
        }
        let length = usize::try_from(bytes.get_uint(3)).ok()?;
        let (kind, flags) = (bytes.get_u8(), bytes.get_u8());
        let stream = bytes.get_u32() & 0x7fff_ffff;
        Some((
            Head {
                kind,
                flags,
                stream,
            },
            HEAD_BYTES + length,
        ))
    }

    fn ends_stream(self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

/// What faults look at in a message, from its first bytes on.
#[derive(Debug)]
struct Peek {
    type_name: String,
    /// Where the JSON text begins.
    body_at: usize,
    /// How long the message is, its prefix included.
    length: usize,
}

impl Peek {
    fn read(message: &[u8]) -> Option<Peek> {
        let length = length_of(message)?;
        let mut rest = &message[PREFIX_BYTES..];
        if rest.is_empty() || rest.get_u8() != 0x12 {
            return None;
        }
        let size = varint(&mut rest)?;
        let metadata = WireMetadata::decode(rest.get(..size)?).ok()?;
        rest.advance(size);
        // The body's tag and length, then those of its text.
        for tag in [0x1a, 0x12] {
            if rest.is_empty() || rest.get_u8() != tag {
                return None;
            }
            varint(&mut rest)?;
        }
        Some(Peek {
            type_name: metadata.r#type,
            body_at: message.len() - rest.len(),
            length,
        })
    }

    fn is_answer(&self) -> bool {
        self.type_name.ends_with("Response")
    }
}

/// How long a message is that begins so, its prefix included.
fn length_of(message: &[u8]) -> Option<usize> {
    let mut prefix = message.get(1..PREFIX_BYTES)?;
    Some(PREFIX_BYTES + prefix.get_u32() as usize)
}

fn varint(bytes: &mut &[u8]) -> Option<usize> {
    let number = prost::encoding::decode_varint(bytes).ok()?;
    usize::try_from(number).ok()
}

/// The number in the text of a push or of its answer, which may be cut off behind it.
fn body_number(body: &[u8]) -> Option<RequestId> {
    const KEY: &[u8] = b"\"requestId\":\"";
    let at = body.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let digits = body[at..].split(|byte| *byte == b'"').next()?;
    std::str::from_utf8(digits)
        .ok()?
        .parse()
        .ok()
        .map(RequestId)
}

impl Http2 {
    /// Sends the whole frames that were written; false when the link is busy.
    pub(super) fn send(&mut self, raw: &mut BytesMut, out: &mut BytesMut, common: &Common) -> bool {
        let from_client = common.end.side == 0;
        if from_client && !self.prefaced {
            if raw.len() < PREFACE.len() {
                return true;
            }
            put(out, &raw.split_to(PREFACE.len()), 0, 0, false);
            self.prefaced = true;
        }
        loop {
            if let Some(stream) = self.undecided
                && !self.decide(stream, out, common)
            {
                return false;
            }
            let Some((head, length)) = Head::read(raw) else {
                return true;
            };
            if raw.len() < length {
                return true;
            }
            let mut frame = raw.split_to(length);
            if head.kind == DATA {
                self.data(head, frame, out, common);
                continue;
            }
            if head.kind == SETTINGS && head.flags & ACK == 0 && from_client && !self.has_settings {
                frame = with_setting(&frame);
                self.has_settings = true;
            }
            self.other(head, &frame, out);
        }
    }

    /// A frame that is no part of a message.
    fn other(&mut self, head: Head, frame: &[u8], out: &mut BytesMut) {
        let course = self.courses.get(&head.stream);
        let lost = course.is_some_and(|course| course.lost);
        let jitter = course.map_or(0, |course| course.jitter.max(course.floor));
        let left_out = match head.kind {
            HEADERS => lost && head.ends_stream(),
            CONTINUATION => self.leaving_out,
            _ => false,
        };
        if matches!(head.kind, HEADERS | CONTINUATION) {
            self.leaving_out = left_out && head.flags & END_HEADERS == 0;
        }
        if !left_out {
            let jitter = if matches!(head.kind, HEADERS | RST_STREAM) {
                jitter
            } else {
                0
            };
            put(out, frame, 0, jitter, false);
        }
        if head.kind == RST_STREAM || (head.ends_stream() && jitter == 0) {
            self.courses.remove(&head.stream);
        }
    }

    fn data(&mut self, head: Head, frame: BytesMut, out: &mut BytesMut, common: &Common) {
        let course = self.courses.entry(head.stream).or_default();
        let payload = frame.len() - HEAD_BYTES;
        if let Some(passage) = course.passage {
            course.left = course.left.saturating_sub(payload);
            course.pass(head, &frame, passage, out, common);
            if course.left == 0 {
                course.passage = None;
            }
            return;
        }
        if payload == 0 && course.message.is_empty() {
            // The end of the stream and nothing else.
            if !course.lost {
                put(out, &frame, 0, course.jitter.max(course.floor), false);
            }
            return;
        }
        course.message.extend_from_slice(&frame[HEAD_BYTES..]);
        course.held.unsplit(frame);
        self.undecided = Some(head.stream);
        if !self.decide(head.stream, out, common) {
            // Busy: asked again before the next frame.
            self.undecided = Some(head.stream);
        }
    }

    /// Finds out the fate of what is held, and lets it meet it; false when the link is busy.
    fn decide(&mut self, stream: u32, out: &mut BytesMut, common: &Common) -> bool {
        self.undecided = None;
        let Some(course) = self.courses.get_mut(&stream) else {
            return true;
        };
        let Some(peek) = Peek::read(&course.message) else {
            if length_of(&course.message).is_some_and(|length| course.message.len() >= length) {
                // Faults choose among Nacos's messages; this is none.
                put(
                    out,
                    &std::mem::take(&mut course.held),
                    0,
                    course.floor,
                    false,
                );
                course.message.clear();
            }
            return true;
        };
        let whole = course.message.len() >= peek.length;
        if !whole && course.message.len() < ENOUGH_BYTES {
            return true;
        }
        let body = &course.message[peek.body_at..];
        let pushed = if common.end.side == 0 {
            peek.is_answer()
        } else {
            !peek.is_answer()
        };
        let kind = || -> MessageKind { request_kind(&peek.type_name, body) };
        let number = if pushed { body_number(body) } else { None };
        let outbound = Outbound {
            id: number.unwrap_or(RequestId(u64::from(stream))),
            request: (!peek.is_answer()).then_some(&kind as &dyn Fn() -> MessageKind),
            bytes: peek.length as u64,
        };
        let time = common.fabric.true_time();
        let mut passage = common.fabric.send(common.end, time, &outbound);
        if passage.fate.busy {
            self.undecided = Some(stream);
            return false;
        }
        let frames = std::mem::take(&mut course.held);
        let is_one_frame = whole && Head::read(&frames).is_some_and(|(_, all)| all == frames.len());
        passage.fate.duplicate &= pushed && is_one_frame;
        if !is_one_frame {
            course.floor = course.floor.max(course.jitter).max(passage.jitter[0]);
        }
        passage.jitter = passage.jitter.map(|jitter| jitter.max(course.floor));
        course.jitter = passage.jitter[0];
        course.lost = passage.fate.vanish;
        course.left = peek.length.saturating_sub(course.message.len());
        course.message.clear();
        let mut rest = frames;
        while let Some((head, length)) = Head::read(&rest) {
            let frame = rest.split_to(length);
            course.pass(head, &frame, passage, out, common);
        }
        course.passage = (course.left > 0).then_some(passage);
        true
    }
}

impl Course {
    /// Lets a frame meet the fate of its message.
    fn pass(
        &self,
        head: Head,
        frame: &[u8],
        passage: Passage,
        out: &mut BytesMut,
        common: &Common,
    ) {
        if passage.fate.vanish {
            give_back(head, frame.len() - HEAD_BYTES, common);
            return;
        }
        let is_last = self.left == 0;
        let mut frame = BytesMut::from(frame);
        if passage.fate.corrupt && is_last {
            // The text's last bytes: unreadable, but still one message.
            let from = HEAD_BYTES.max(frame.len().saturating_sub(2));
            frame[from..].fill(0xff);
        }
        let delay = passage.fate.delay;
        put(out, &frame, delay, passage.jitter[0], is_last);
        if passage.fate.duplicate {
            let late = passage.second.saturating_add(passage.jitter[1]);
            put(out, &frame, delay, late, true);
        }
    }
}

/// The client's first SETTINGS and one more.
fn with_setting(frame: &[u8]) -> BytesMut {
    let length = frame.len() - HEAD_BYTES + NO_HEADER_TABLE.len();
    let mut more = BytesMut::with_capacity(HEAD_BYTES + length);
    more.put_uint(length as u64, 3);
    more.put_slice(&frame[3..]);
    more.put_slice(&NO_HEADER_TABLE);
    more
}

/// Gives the sender back what vanished of its windows.
fn give_back(head: Head, bytes: usize, common: &Common) {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    if bytes == 0 {
        return;
    }
    let stream = (!head.ends_stream()).then_some(head.stream);
    let mut back = BytesMut::new();
    for stream in stream.into_iter().chain([0]) {
        back.put_uint(4, 3);
        back.put_u8(WINDOW_UPDATE);
        back.put_u8(0);
        back.put_u32(stream);
        back.put_u32(bytes);
    }
    common.back.give(&back);
    common.fabric.wake(common.end);
}
