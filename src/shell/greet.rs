//! The first moments of an accepted stream: who is there. What is refused is counted by its
//! cause and closed cleanly.

use std::collections::BTreeMap;
use std::io;
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, PoisonError};

use distro_core::ids::NodeId;
use distro_core::io::Listener as Source;
use distro_core::time::{Mono, Period};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::connection::LinkEvent;
use super::places::Place;
use super::secret::{ClusterSecret, SECRET_PREAMBLE};
use super::{LINGER, LinkCounters, PREAMBLE_TIMEOUT, count};
use crate::carrier::Carrier;
use crate::carrier::grpc::PREFACE_START;
use crate::carrier::tcp::PREAMBLE;
use crate::carrier::unfinished::Cut;
use crate::net::{Clock, Stream, within};
use crate::tls::is_tls_error;

/// Bytes of a refused stream that are read away before it is closed all the same.
const AWAY_BYTES_MAX: usize = 256 * 1024;

/// Why a stream was refused before anything was read of it.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It speaks HTTP.
    Http,
    /// It speaks TLS, and this listener does not.
    Tls,
    /// Its first bytes are nobody's that we know.
    Stranger,
    /// It did not say in time who it is.
    Silent,
    /// It closed before that, or broke.
    HungUp,
    /// The TLS handshake failed, as this says.
    Handshake(String),
    /// A node that proves a secret, and this one has none.
    SecretOnlyThere,
    /// A node that proves no secret, and this one has one.
    SecretOnlyHere,
    /// The two secrets are not the same.
    SecretDiffers,
}

/// How long the same is not told again of a member. Why: a member is dialled about twice a second.
const TELL_AGAIN: Period = Period::from_secs(60);

/// What was told of a member, and when.
type Last = (Discriminant<Refusal>, Mono);

/// What was last told of each member that cannot be reached.
#[derive(Debug, Clone, Default)]
pub(super) struct Told(Arc<Mutex<BTreeMap<NodeId, Last>>>);

impl Told {
    /// Warns of a member, unless it did so of the same a short while ago.
    pub(super) fn warn(&self, member: &NodeId, refusal: &Refusal, now: Mono) {
        if self.is_news(member, refusal, now) {
            tracing::warn!(%member, "no connection: {}", refusal.words());
        }
    }

    fn is_news(&self, member: &NodeId, refusal: &Refusal, now: Mono) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cause = discriminant(refusal);
        let recent = |(last, at): &Last| *last == cause && now.since(*at) < TELL_AGAIN;
        if told.get(member).is_some_and(recent) {
            return false;
        }
        told.insert(member.clone(), (cause, now));
        true
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        if is_tls_error(&error) {
            Refusal::Handshake(error.to_string())
        } else if error.kind() == io::ErrorKind::TimedOut {
            Refusal::Silent
        } else {
            Refusal::HungUp
        }
    }
}

impl Refusal {
    /// Whose first bytes these are, when they are not ours.
    pub(super) fn of_first_bytes(first: [u8; 8]) -> Refusal {
        const METHODS: [&[u8]; 10] = [
            b"GET ",
            b"POST ",
            b"PUT ",
            b"HEAD ",
            b"DELETE ",
            b"OPTIONS ",
            b"PATCH ",
            b"CONNECT ",
            b"TRACE ",
            b"PRI * ",
        ];
        let is_method = |method: &&[u8]| first.starts_with(&method[..method.len().min(8)]);
        // A TLS record of a handshake, version 3.x.
        if first.starts_with(&[0x16, 3]) {
            Refusal::Tls
        } else if METHODS.iter().any(is_method) {
            Refusal::Http
        } else {
            Refusal::Stranger
        }
    }

    /// True when it is about the secret.
    pub(super) const fn is_of_secret(&self) -> bool {
        matches!(
            self,
            Refusal::SecretOnlyThere | Refusal::SecretOnlyHere | Refusal::SecretDiffers
        )
    }

    pub(super) fn count(&self, counters: &LinkCounters) {
        count(match self {
            Refusal::Http => &counters.http_clients,
            Refusal::Tls => &counters.tls_clients,
            Refusal::Stranger => &counters.strangers,
            Refusal::Silent => &counters.silent,
            Refusal::HungUp => &counters.hung_up,
            Refusal::Handshake(_) => &counters.tls_failed,
            Refusal::SecretOnlyThere | Refusal::SecretOnlyHere | Refusal::SecretDiffers => {
                &counters.secret_refused
            }
        });
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        match self {
            Refusal::Http => "it speaks HTTP",
            Refusal::Tls => "it speaks TLS and this listener does not",
            Refusal::Stranger => "it is no node and no client",
            Refusal::Silent => "it did not say in time who it is",
            Refusal::HungUp => "it closed before it said who it is",
            Refusal::Handshake(why) => return format!("no TLS: {why}"),
            Refusal::SecretOnlyThere => {
                "it has a cluster secret and this node has none: set cluster.secret here"
            }
            Refusal::SecretOnlyHere => {
                "it has no cluster secret and this node has one: set cluster.secret there"
            }
            Refusal::SecretDiffers => "its cluster secret is not that of this node",
        }
        .to_owned()
    }
}

/// A stream that was accepted, before anybody knows who it is.
#[derive(Debug)]
pub(super) struct Newcomer<R, W> {
    pub(super) source: Source,
    pub(super) stream: Stream<R, W>,
    pub(super) place: Place,
    /// Another needs its place.
    pub(super) cut: Arc<Cut>,
}

/// Finds out who an accepted stream is; `None` when it is nobody, or lost its place.
pub(super) async fn greet<R, W, C>(
    newcomer: Newcomer<R, W>,
    clock: C,
    secret: Option<ClusterSecret>,
    counters: Arc<LinkCounters>,
) -> Option<LinkEvent<R, W>>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    C: Clock,
{
    let Newcomer {
        source,
        mut stream,
        place,
        cut,
    } = newcomer;
    let welcome = within(
        &clock,
        PREAMBLE_TIMEOUT,
        welcome(source, &mut stream, secret.as_ref()),
    );
    let welcomed = tokio::select! {
        biased;
        () = cut.told() => {
            count(&counters.turned_away);
            return None;
        }
        welcomed = welcome => welcomed,
    };
    let refusal = match welcomed {
        Some(Ok(carrier)) => {
            let newcomer = Newcomer {
                source,
                stream,
                place,
                cut,
            };
            return Some(LinkEvent::Accepted(carrier, Box::new(newcomer)));
        }
        Some(Err(refusal)) => refusal,
        None => Refusal::Silent,
    };
    refusal.count(&counters);
    let (why, from) = (refusal.words(), &*stream.remote_ip);
    let secret = secret.filter(|secret| secret.may_tell(clock.now().mono));
    if secret.is_some() && refusal.is_of_secret() {
        tracing::warn!(from, "a node was refused: {why}");
    } else {
        tracing::debug!(from, "a stream was refused: {why}");
    }
    let Stream { reader, writer, .. } = stream;
    tokio::select! {
        biased;
        () = cut.told() => {}
        () = part(reader, writer, &clock) => {}
    }
    None
}

async fn welcome<R, W>(
    source: Source,
    stream: &mut Stream<R, W>,
    secret: Option<&ClusterSecret>,
) -> Result<Carrier, Refusal>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut first = [0; PREAMBLE.len()];
    stream.reader.read_exact(&mut first).await?;
    match (source, secret, first) {
        (Source::Sdk, _, PREAMBLE) | (Source::Cluster, None, PREAMBLE) => Ok(Carrier::Tcp),
        (Source::Sdk, _, PREFACE_START) => Ok(Carrier::Grpc),
        (Source::Cluster, Some(_), PREAMBLE) => {
            // Tells the other end why.
            stream.writer.write_all(&SECRET_PREAMBLE).await?;
            Err(Refusal::SecretOnlyHere)
        }
        (Source::Cluster, None, SECRET_PREAMBLE) => {
            stream.writer.write_all(&PREAMBLE).await?;
            Err(Refusal::SecretOnlyThere)
        }
        (Source::Cluster, Some(secret), SECRET_PREAMBLE) => {
            secret.accept(stream).await?;
            stream.reader.read_exact(&mut first).await?;
            if first == PREAMBLE {
                Ok(Carrier::Tcp)
            } else {
                Err(Refusal::of_first_bytes(first))
            }
        }
        (Source::Sdk | Source::Cluster, _, first) => Err(Refusal::of_first_bytes(first)),
    }
}

/// Closes a stream so that its end arrives as one. Unread input would turn the close into a reset,
/// so some of it is read away.
pub(super) async fn part<R, W, C>(mut reader: R, mut writer: W, clock: &C)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    C: Clock,
{
    let parting = async {
        // Who is gone already needs no goodbye.
        if writer.shutdown().await.is_err() {
            return;
        }
        let mut away = vec![0; 4096];
        let mut left = AWAY_BYTES_MAX;
        while let Ok(read @ 1..) = reader.read(&mut away).await {
            left = left.saturating_sub(read);
            if left == 0 {
                return;
            }
        }
    };
    within(clock, LINGER, parting).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_member_the_same_is_told_once_a_minute_and_anything_else_at_once() {
        let told = Told::default();
        let (one, two) = (NodeId::new("10.0.0.1:8848"), NodeId::new("10.0.0.2:8848"));
        let at = |seconds| Mono(0) + Period::from_secs(seconds);
        assert!(told.is_news(&one, &Refusal::SecretDiffers, at(0)));
        assert!(!told.is_news(&one, &Refusal::SecretDiffers, at(59)));
        assert!(told.is_news(&two, &Refusal::SecretDiffers, at(59)));
        assert!(told.is_news(&one, &Refusal::SecretOnlyHere, at(59)));
        assert!(!told.is_news(&one, &Refusal::SecretOnlyHere, at(60)));
        assert!(told.is_news(&one, &Refusal::SecretOnlyHere, at(119)));
    }
}
