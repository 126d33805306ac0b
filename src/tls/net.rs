//! The operating system's network as the shell wants it, with TLS where it is asked for.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::client;

use super::stream::{Certificate, ServerStream};
use super::{Acceptor, Connector};
use crate::net::tokio::{TokioListener, TokioNet};
use crate::net::{Listener, Net, Stream};

/// TCP of the operating system, with TLS for what is dialled if there is a connector.
#[derive(Debug, Clone, Default)]
pub struct TlsNet {
    /// Opens streams under TLS; without it they are plain.
    pub connector: Option<Connector>,
}

/// A listening TCP socket, with TLS if there is an acceptor.
#[derive(Debug)]
pub struct TlsListener {
    inner: TokioListener,
    acceptor: Option<Acceptor>,
}

impl TlsListener {
    /// Accepts on a socket that listens.
    pub fn new(inner: TokioListener, acceptor: Option<Acceptor>) -> TlsListener {
        TlsListener { inner, acceptor }
    }
}

/// Reads a stream.
#[derive(Debug)]
pub enum Reader {
    /// As it is on the wire.
    Plain(OwnedReadHalf),
    /// Of a stream that was accepted; with what its other end shows, if it is asked.
    Accepted(ReadHalf<ServerStream<TcpStream>>, Option<Certificate>),
    /// Of a stream that was dialled.
    Dialed(ReadHalf<client::TlsStream<TcpStream>>),
}

/// Writes a stream.
#[derive(Debug)]
pub enum Writer {
    /// As it is on the wire.
    Plain(OwnedWriteHalf),
    /// Of a stream that was accepted.
    Accepted(WriteHalf<ServerStream<TcpStream>>),
    /// Of a stream that was dialled.
    Dialed(WriteHalf<client::TlsStream<TcpStream>>),
}

type Tcp = Stream<OwnedReadHalf, OwnedWriteHalf>;

fn plain(stream: Tcp) -> Stream<Reader, Writer> {
    Stream {
        reader: Reader::Plain(stream.reader),
        writer: Writer::Plain(stream.writer),
        remote_ip: stream.remote_ip,
        remote_port: stream.remote_port,
    }
}

fn whole(reader: OwnedReadHalf, writer: OwnedWriteHalf) -> io::Result<TcpStream> {
    reader.reunite(writer).map_err(io::Error::other)
}

impl Net for TlsNet {
    type Reader = Reader;
    type Writer = Writer;
    type Listener = TlsListener;

    /// A plain listener; those with TLS are made with [`TlsListener::new`].
    async fn listen(&self, port: u16) -> io::Result<TlsListener> {
        Ok(TlsListener::new(TokioNet.listen(port).await?, None))
    }

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        TokioNet.resolve(host).await
    }

    async fn connect(&self, host: &str, port: u16) -> io::Result<Stream<Reader, Writer>> {
        let stream = TokioNet.connect(host, port).await?;
        let Some(connector) = &self.connector else {
            return Ok(plain(stream));
        };
        let Stream {
            reader,
            writer,
            remote_ip,
            remote_port,
        } = stream;
        let secure = connector.connect(host, whole(reader, writer)?).await?;
        let (reader, writer) = split(secure);
        Ok(Stream {
            reader: Reader::Dialed(reader),
            writer: Writer::Dialed(writer),
            remote_ip,
            remote_port,
        })
    }

    fn certificate(reader: &Reader) -> Option<Certificate> {
        if let Reader::Accepted(_, certificate) = reader {
            return certificate.clone();
        }
        None
    }
}

impl Listener for TlsListener {
    type Reader = Reader;
    type Writer = Writer;

    async fn accept(&mut self) -> io::Result<Stream<Reader, Writer>> {
        let stream = self.inner.accept().await?;
        let Some(acceptor) = &self.acceptor else {
            return Ok(plain(stream));
        };
        let secure = acceptor.wrap(whole(stream.reader, stream.writer)?);
        let certificate = acceptor.asks().then(|| secure.certificate());
        let (reader, writer) = split(secure);
        Ok(Stream {
            reader: Reader::Accepted(reader, certificate),
            writer: Writer::Accepted(writer),
            remote_ip: stream.remote_ip,
            remote_port: stream.remote_port,
        })
    }

    fn port(&self) -> u16 {
        self.inner.port()
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Reader::Plain(half) => Pin::new(half).poll_read(cx, buffer),
            Reader::Accepted(half, _) => Pin::new(half).poll_read(cx, buffer),
            Reader::Dialed(half) => Pin::new(half).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Writer::Plain(half) => Pin::new(half).poll_write(cx, bytes),
            Writer::Accepted(half) => Pin::new(half).poll_write(cx, bytes),
            Writer::Dialed(half) => Pin::new(half).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Writer::Plain(half) => Pin::new(half).poll_flush(cx),
            Writer::Accepted(half) => Pin::new(half).poll_flush(cx),
            Writer::Dialed(half) => Pin::new(half).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Writer::Plain(half) => Pin::new(half).poll_shutdown(cx),
            Writer::Accepted(half) => Pin::new(half).poll_shutdown(cx),
            Writer::Dialed(half) => Pin::new(half).poll_shutdown(cx),
        }
    }
}
