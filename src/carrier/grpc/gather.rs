//! Fewer and larger writes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that gather before they are written early.
const GATHER_BYTES: usize = 64 * 1024;
/// Room that an idle connection keeps.
const KEPT_BYTES: usize = 4 * 1024;

/// A stream that writes when it is flushed. HTTP/2 writes every large body on its own, which is a
/// system call for each answer, and flushes when nothing more is ready.
#[derive(Debug)]
pub(super) struct Gather<S> {
    inner: S,
    waiting: BytesMut,
}

impl<S> Gather<S> {
    pub(super) fn new(inner: S) -> Gather<S> {
        Gather {
            inner,
            waiting: BytesMut::new(),
        }
    }
}

impl<S: AsyncWrite + Unpin> Gather<S> {
    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.waiting))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(written);
        }
        if self.waiting.capacity() > KEPT_BYTES {
            self.waiting = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.waiting.len() >= GATHER_BYTES {
            ready!(self.poll_out(context))?;
        }
        self.waiting.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// What each write brought, and how much of a write is taken at once.
    #[derive(Debug)]
    struct Writes {
        all: Vec<Vec<u8>>,
        taken_max: usize,
    }

    impl AsyncWrite for Writes {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.taken_max);
            self.all.push(bytes[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn gather(taken_max: usize) -> Gather<Writes> {
        Gather::new(Writes {
            all: Vec::new(),
            taken_max,
        })
    }

    #[tokio::test]
    async fn what_was_written_goes_out_in_one_piece_when_flushed() {
        let mut gather = gather(usize::MAX);
        for part in [&b"one"[..], b"two", b"three"] {
            gather.write_all(part).await.unwrap();
        }
        assert!(gather.inner.all.is_empty());
        gather.flush().await.unwrap();
        assert_eq!(gather.inner.all, [b"onetwothree"]);
        gather.write_all(b"last").await.unwrap();
        gather.shutdown().await.unwrap();
        assert_eq!(gather.inner.all.concat(), b"onetwothreelast");
    }

    #[tokio::test]
    async fn short_writes_lose_nothing_and_much_does_not_wait_for_a_flush() {
        let mut gather = gather(1000);
        let sent: Vec<u8> = (0..GATHER_BYTES * 3).map(|at| (at % 251) as u8).collect();
        for part in sent.chunks(4096) {
            gather.write_all(part).await.unwrap();
        }
        let early = gather.inner.all.concat().len();
        assert!(early >= GATHER_BYTES && early < sent.len(), "{early}");
        gather.flush().await.unwrap();
        assert_eq!(gather.inner.all.concat(), sent);
    }
}
