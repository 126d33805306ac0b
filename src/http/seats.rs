//! The connections of an HTTP port: how many there may be, of one address and in all, and who goes
//! when one more comes.
//!
//! It is the one on which nothing has moved for longest. So one that is asked and answered at once,
//! as a probe is, gets in however many others hold a connection and say nothing, send half a
//! request or do not read what they asked for.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use distro_core::ids::Str;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::carrier::unfinished::Cut;

/// All seats of a port.
#[derive(Debug, Clone)]
pub(super) struct Seats(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all_max: usize,
    per_address_max: usize,
    start: Instant,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last: u64,
    seats: BTreeMap<u64, Taken>,
    per_address: BTreeMap<Str, usize>,
}

#[derive(Debug)]
struct Taken {
    address: Str,
    moved: Arc<AtomicU64>,
    cut: Arc<Cut>,
}

/// A seat; free when this goes.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    number: u64,
    moved: Arc<AtomicU64>,
    cut: Arc<Cut>,
}

impl Seats {
    pub(super) fn new(all_max: usize, per_address_max: usize) -> Seats {
        Seats(Arc::new(Inner {
            all_max,
            per_address_max,
            start: Instant::now(),
            table: Mutex::default(),
        }))
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.0.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A seat, if need be that of another, which is cut.
    pub(super) fn take(&self, address: &Str) -> Seat {
        let (moved, cut) = (Arc::new(AtomicU64::new(self.micros())), Arc::default());
        let mut table = self.0.table.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = table.per_address.get(address).copied().unwrap_or(0);
        if of_address >= self.0.per_address_max {
            table.free_one(Some(address));
        } else if table.seats.len() >= self.0.all_max {
            table.free_one(None);
        }
        table.last += 1;
        let number = table.last;
        let taken = Taken {
            address: address.clone(),
            moved: Arc::clone(&moved),
            cut: Arc::clone(&cut),
        };
        table.seats.insert(number, taken);
        *table.per_address.entry(address.clone()).or_default() += 1;
        Seat {
            seats: self.clone(),
            number,
            moved,
            cut,
        }
    }
}

impl Table {
    /// Takes the seat on which nothing has moved for longest, of this address or of all.
    fn free_one(&mut self, address: Option<&Str>) {
        let of = |taken: &Taken| address.is_none_or(|address| taken.address == *address);
        let seats = self.seats.iter().filter(|(_, taken)| of(taken));
        let stillest =
            seats.min_by_key(|(number, taken)| (taken.moved.load(Ordering::Relaxed), **number));
        if let Some((number, _)) = stillest
            && let Some(taken) = self.leave(*number)
        {
            taken.cut.cut();
        }
    }

    fn leave(&mut self, number: u64) -> Option<Taken> {
        let taken = self.seats.remove(&number)?;
        if let Some(count) = self.per_address.get_mut(&taken.address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&taken.address);
            }
        }
        Some(taken)
    }
}

impl Seat {
    /// The stream, which says when something moves on it.
    pub(super) fn watch<S>(&self, stream: S) -> Watched<S> {
        Watched {
            stream,
            seats: self.seats.clone(),
            moved: self.moved.clone(),
        }
    }

    /// Resolves when another needs the seat, or nothing has moved for so long.
    pub(super) async fn over(&self, still_max: Duration) {
        let still = async {
            loop {
                let moved = Duration::from_micros(self.moved.load(Ordering::Relaxed));
                let due = self.seats.0.start + moved + still_max;
                if due <= Instant::now() {
                    return;
                }
                tokio::time::sleep_until(due).await;
            }
        };
        tokio::select! {
            biased;
            () = self.cut.told() => {}
            () = still => {}
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let inner = &self.seats.0;
        let mut table = inner.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.leave(self.number);
    }
}

/// A stream that says when something moves on it.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    seats: Seats,
    moved: Arc<AtomicU64>,
}

impl<S> Watched<S> {
    fn moves(&self) {
        self.moved.store(self.seats.micros(), Ordering::Relaxed);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.moves();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.moves();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, pieces));
        self.moves();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_has_been_still_for_longest_goes_and_a_stranger_only_for_its_own() {
        let seats = Seats::new(4, 3);
        let (bad, good) = (Str::from("10.0.0.9"), Str::from("10.0.0.1"));
        let held: Vec<Seat> = (0..3).map(|_| seats.take(&bad)).collect();
        let probe = seats.take(&good);
        assert!(held.iter().all(|seat| !seat.cut.is_cut()));
        tokio::time::advance(Duration::from_secs(1)).await;
        held[0].watch(()).moves();
        let fourth = seats.take(&bad);
        let cut: Vec<bool> = held.iter().map(|seat| seat.cut.is_cut()).collect();
        assert_eq!(cut, [false, true, false]);
        let again = seats.take(&good);
        assert!(held[2].cut.is_cut() && !probe.cut.is_cut());
        assert!(!fourth.cut.is_cut() && !again.cut.is_cut());
    }

    #[tokio::test(start_paused = true)]
    async fn a_seat_on_which_nothing_moves_is_over_in_time() {
        let seats = Seats::new(4, 4);
        let seat = seats.take(&Str::from("10.0.0.9"));
        let start = Instant::now();
        let move_once = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            seat.watch(()).moves();
        };
        tokio::join!(seat.over(Duration::from_secs(10)), move_once);
        assert_eq!(start.elapsed(), Duration::from_secs(15));
    }
}
