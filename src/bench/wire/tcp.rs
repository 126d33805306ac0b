//! Over our own frames, written and read in batches.

use std::io;

use bytes::{BufMut, BytesMut};
use distro_core::constants::MESSAGE_BYTES_MAX;
use distro_core::ids::RequestId;
use distro_core::message::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::{Decoder, Encoder};

use super::{Arrived, acknowledges, is_acknowledgement, odd, outcome, setup};
use crate::bench::Target;
use crate::carrier::tcp::{Frame, FrameCodec, FrameKind, PREAMBLE};
use crate::codec::{Ends, Payload, decode_request, encode_request};
use crate::net::Net;
use crate::tls::net::{Reader, TlsNet, Writer};

/// A connection that is set up.
#[derive(Debug)]
pub(in crate::bench) struct Wire {
    reader: Reader,
    writer: Writer,
    codec: FrameCodec,
    incoming: BytesMut,
    outgoing: BytesMut,
}

impl Wire {
    /// Connects and sets up as an SDK does.
    pub(super) async fn connect(net: &TlsNet, target: &Target) -> io::Result<Wire> {
        let stream = net.connect(&target.host, target.port).await?;
        let mut wire = Wire {
            reader: stream.reader,
            writer: stream.writer,
            codec: FrameCodec::new(MESSAGE_BYTES_MAX),
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
        };
        wire.outgoing.put_slice(&PREAMBLE);
        let check = encode_request(&Request::ServerCheck, None, &Ends::default());
        wire.send(0, true, check)?;
        wire.flush().await?;
        let mut first = [0; PREAMBLE.len()];
        wire.reader.read_exact(&mut first).await?;
        if first != PREAMBLE {
            return Err(odd("another protocol is spoken there"));
        }
        let acknowledged = acknowledges(&wire.frame().await?.payload)?;
        let payload = encode_request(&setup(), None, &Ends::default());
        wire.send(0, false, payload)?;
        wire.flush().await?;
        if acknowledged {
            let ack = wire.frame().await?;
            if !is_acknowledgement(&ack.payload) {
                return Err(odd("the setup was not acknowledged"));
            }
        }
        Ok(wire)
    }

    fn put(&mut self, frame: Frame) -> io::Result<()> {
        self.codec.encode(frame, &mut self.outgoing)
    }

    /// A request, to be flushed.
    pub(super) fn send(&mut self, id: u64, answered: bool, payload: Payload) -> io::Result<()> {
        let (id, kind) = match answered {
            true => (RequestId(id), FrameKind::Request),
            false => (RequestId(id), FrameKind::OneWay),
        };
        self.put(Frame { kind, id, payload })
    }

    /// An answer to a node's request, to be flushed.
    pub(super) fn answer(&mut self, id: RequestId, payload: Payload) -> io::Result<()> {
        self.put(Frame {
            kind: FrameKind::Response,
            id,
            payload,
        })
    }

    /// Writes everything that was put.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        self.writer.write_all_buf(&mut self.outgoing).await?;
        self.writer.flush().await
    }

    /// Waits for bytes. Dropping the future loses none.
    pub(super) async fn fill(&mut self) -> io::Result<()> {
        match self.reader.read_buf(&mut self.incoming).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next message among the bytes that are there.
    pub(super) fn next(&mut self) -> io::Result<Option<Arrived>> {
        let Some(Frame { kind, id, payload }) = self.codec.decode(&mut self.incoming)? else {
            return Ok(None);
        };
        Ok(Some(match kind {
            FrameKind::Response => Arrived::Answer(id.0, outcome(&payload.body)),
            FrameKind::Request | FrameKind::OneWay => Arrived::Asked(id, decode_request(&payload)),
        }))
    }

    async fn frame(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(frame) = self.codec.decode(&mut self.incoming)? {
                return Ok(frame);
            }
            self.fill().await?;
        }
    }
}
