//! The cluster secret: what both ends of a connection between nodes prove to know before anything
//! of the protocol is read.
//!
//! ```text
//! dialler   SECRET_PREAMBLE, 32 random bytes D
//! acceptor  SECRET_PREAMBLE, 32 random bytes A
//! dialler   HMAC-SHA256(secret, "distro cluster: dialler" D A)
//! acceptor  1, HMAC-SHA256(secret, "distro cluster: acceptor" D A)      or 0, and it closes
//! ```
//!
//! Then the connection begins as one without a secret does. Whoever dials proves first, so a
//! stranger who dials learns nothing to guess at. Both ends draw their own bytes, so nothing that
//! was overheard opens a second connection; the two words differ, so nobody's proof can be sent
//! back to it. The secret is not a cipher: on a network where others can read or change what is
//! sent, use TLS beneath it.
//!
//! An end without a secret opens with [`PREAMBLE`], so each end can say which of the two lacks it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use distro_core::time::Mono;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::greet::Refusal;
use crate::carrier::tcp::PREAMBLE;
use crate::net::Stream;

/// First bytes of a connection between nodes that prove a secret.
pub const SECRET_PREAMBLE: [u8; 8] = *b"DISTRO\x01\x01";
/// Fewest characters of a secret: shorter ones can be guessed by who overheard a proof.
pub const SECRET_CHARS_MIN: usize = 16;

const NONCE_BYTES: usize = 32;
const PROOF_BYTES: usize = 32;
const DIALLER: &[u8] = b"distro cluster: dialler";
const ACCEPTOR: &[u8] = b"distro cluster: acceptor";
/// A refusal is told at most this often: whoever knocks must not fill the log.
const TELL_MICROS: u64 = 1_000_000;

/// The secret that the nodes of a cluster share. Never shown.
#[derive(Clone)]
pub struct ClusterSecret(Arc<Inner>);

struct Inner {
    key: hmac::Key,
    /// When a refusal may be told again, in microseconds.
    tell: AtomicU64,
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterSecret(set)")
    }
}

type Nonce = [u8; NONCE_BYTES];

fn nonce() -> io::Result<Nonce> {
    let mut bytes = [0; NONCE_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(bytes)
}

fn message(word: &[u8], dialler: &Nonce, acceptor: &Nonce) -> Vec<u8> {
    [word, dialler, acceptor].concat()
}

impl ClusterSecret {
    /// The secret with this text.
    pub fn new(text: &str) -> ClusterSecret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
        let tell = AtomicU64::new(0);
        ClusterSecret(Arc::new(Inner { key, tell }))
    }

    fn proof(&self, word: &[u8], dialler: &Nonce, acceptor: &Nonce) -> hmac::Tag {
        hmac::sign(&self.0.key, &message(word, dialler, acceptor))
    }

    fn holds(&self, word: &[u8], dialler: &Nonce, acceptor: &Nonce, proof: &[u8]) -> bool {
        hmac::verify(&self.0.key, &message(word, dialler, acceptor), proof).is_ok()
    }

    /// True when a refusal may be told again.
    pub(super) fn may_tell(&self, now: Mono) -> bool {
        let next = self.0.tell.load(Ordering::Relaxed);
        if now.0 < next {
            return false;
        }
        self.0.tell.store(now.0 + TELL_MICROS, Ordering::Relaxed);
        true
    }

    /// Proves it on a stream that this end dialled, and has the other end prove it.
    pub(super) async fn dial<R, W>(&self, stream: &mut Stream<R, W>) -> Result<(), Refusal>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mine = nonce()?;
        let Stream { reader, writer, .. } = stream;
        writer.write_all(&SECRET_PREAMBLE).await?;
        writer.write_all(&mine).await?;
        writer.flush().await?;
        let mut first = [0; SECRET_PREAMBLE.len()];
        reader.read_exact(&mut first).await?;
        match first {
            SECRET_PREAMBLE => {}
            PREAMBLE => return Err(Refusal::SecretOnlyHere),
            other => return Err(Refusal::of_first_bytes(other)),
        }
        let mut theirs = [0; NONCE_BYTES];
        reader.read_exact(&mut theirs).await?;
        let proof = self.proof(DIALLER, &mine, &theirs);
        writer.write_all(proof.as_ref()).await?;
        writer.flush().await?;
        if reader.read_u8().await? != 1 {
            return Err(Refusal::SecretDiffers);
        }
        let mut proof = [0; PROOF_BYTES];
        reader.read_exact(&mut proof).await?;
        if self.holds(ACCEPTOR, &mine, &theirs, &proof) {
            Ok(())
        } else {
            Err(Refusal::SecretDiffers)
        }
    }

    /// The same on a stream that this end accepted, after its [`SECRET_PREAMBLE`].
    pub(super) async fn accept<R, W>(&self, stream: &mut Stream<R, W>) -> Result<(), Refusal>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mine = nonce()?;
        let Stream { reader, writer, .. } = stream;
        let mut theirs = [0; NONCE_BYTES];
        reader.read_exact(&mut theirs).await?;
        writer.write_all(&SECRET_PREAMBLE).await?;
        writer.write_all(&mine).await?;
        writer.flush().await?;
        let mut proof = [0; PROOF_BYTES];
        reader.read_exact(&mut proof).await?;
        if !self.holds(DIALLER, &theirs, &mine, &proof) {
            writer.write_all(&[0]).await?;
            return Err(Refusal::SecretDiffers);
        }
        writer.write_all(&[1]).await?;
        let proof = self.proof(ACCEPTOR, &theirs, &mine);
        writer.write_all(proof.as_ref()).await?;
        writer.flush().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use distro_core::ids::Str;
    use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};

    use super::*;

    type Half = Stream<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

    fn pair() -> (Half, Half) {
        let stream = |end| {
            let (reader, writer) = split(end);
            Stream {
                reader,
                writer,
                remote_ip: Str::from("127.0.0.1"),
                remote_port: 1,
            }
        };
        let (one, other) = duplex(4096);
        (stream(one), stream(other))
    }

    /// What the acceptor says after it read the preamble.
    async fn accept(secret: &ClusterSecret, stream: &mut Half) -> Result<(), Refusal> {
        let mut first = [0; 8];
        stream.reader.read_exact(&mut first).await?;
        assert_eq!(first, SECRET_PREAMBLE);
        secret.accept(stream).await
    }

    #[tokio::test]
    async fn those_who_know_it_let_each_other_in_and_nobody_else() {
        let ours = ClusterSecret::new("correct horse battery");
        let (mut here, mut there) = pair();
        let (dialled, accepted) = tokio::join!(ours.dial(&mut here), accept(&ours, &mut there));
        dialled.unwrap();
        accepted.unwrap();

        let other = ClusterSecret::new("correct horse batterY");
        let (mut here, mut there) = pair();
        let (dialled, accepted) = tokio::join!(other.dial(&mut here), accept(&ours, &mut there));
        assert!(matches!(dialled, Err(Refusal::SecretDiffers)));
        assert!(matches!(accepted, Err(Refusal::SecretDiffers)));
    }

    #[tokio::test]
    async fn what_was_overheard_opens_nothing() {
        let ours = ClusterSecret::new("correct horse battery");
        // A relay between two honest ends writes down what the dialler says.
        let ((mut here, mut relay), (mut onward, mut there)) = (pair(), pair());
        let mut heard = vec![0; 8 + NONCE_BYTES + PROOF_BYTES];
        let relayed = async {
            let half = 8 + NONCE_BYTES;
            relay.reader.read_exact(&mut heard[..half]).await.unwrap();
            onward.writer.write_all(&heard[..half]).await.unwrap();
            let mut answer = [0; 8 + NONCE_BYTES];
            onward.reader.read_exact(&mut answer).await.unwrap();
            relay.writer.write_all(&answer).await.unwrap();
            relay.reader.read_exact(&mut heard[half..]).await.unwrap();
            onward.writer.write_all(&heard[half..]).await.unwrap();
            let mut answer = [0; 1 + PROOF_BYTES];
            onward.reader.read_exact(&mut answer).await.unwrap();
            relay.writer.write_all(&answer).await.unwrap();
        };
        let (dialled, accepted, ()) =
            tokio::join!(ours.dial(&mut here), accept(&ours, &mut there), relayed);
        dialled.unwrap();
        accepted.unwrap();

        let (mut thief, mut there) = pair();
        let replay = async { thief.writer.write_all(&heard).await.unwrap() };
        let (accepted, ()) = tokio::join!(accept(&ours, &mut there), replay);
        assert!(matches!(accepted, Err(Refusal::SecretDiffers)));
    }

    #[tokio::test]
    async fn a_proof_sent_back_to_who_made_it_proves_nothing() {
        let ours = ClusterSecret::new("correct horse battery");
        let (mut here, mut mirror) = pair();
        let reflect = async {
            let mut hello = [0; 8 + NONCE_BYTES];
            mirror.reader.read_exact(&mut hello).await.unwrap();
            mirror.writer.write_all(&hello).await.unwrap();
            let mut proof = [0; PROOF_BYTES];
            mirror.reader.read_exact(&mut proof).await.unwrap();
            mirror.writer.write_all(&[1]).await.unwrap();
            mirror.writer.write_all(&proof).await.unwrap();
        };
        let (dialled, ()) = tokio::join!(ours.dial(&mut here), reflect);
        assert!(matches!(dialled, Err(Refusal::SecretDiffers)));
    }

    #[test]
    fn it_is_never_shown_and_a_refusal_is_told_once_a_second() {
        let secret = ClusterSecret::new("correct horse battery");
        assert_eq!(format!("{secret:?}"), "ClusterSecret(set)");
        assert!(secret.may_tell(Mono(5)));
        assert!(!secret.may_tell(Mono(1_000_004)));
        assert!(secret.may_tell(Mono(1_000_005)));
    }
}
