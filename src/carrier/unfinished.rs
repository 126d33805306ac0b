//! What has arrived of messages that are not complete, whatever carries them: a bound on it per
//! connection, per address and in all.
//!
//! A peer that never finishes what it began holds memory for nothing. Who holds most, loses: when
//! all together have too much, the address with the most of it gives up its oldest unfinished
//! message, and its connection with it. So whoever sends slowly and honestly is safe from
//! strangers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use distro_core::ids::Str;
use tokio::sync::Notify;

/// Pieces up to this are not counted: mostly the rest of a message is on its way.
const FREE_BYTES: u64 = 4 * 1024;

/// Tells a stream's task from outside that it has to go.
#[derive(Debug, Default)]
pub struct Cut {
    is: AtomicBool,
    told: Notify,
}

impl Cut {
    /// From now on it has to go.
    pub fn cut(&self) {
        self.is.store(true, Ordering::Relaxed);
        self.told.notify_one();
    }

    /// Whether it has to go.
    pub fn is_cut(&self) -> bool {
        self.is.load(Ordering::Relaxed)
    }

    /// Resolves when it has to go.
    pub async fn told(&self) {
        while !self.is_cut() {
            self.told.notified().await;
        }
    }
}

/// The bounds, shared by all connections of one kind.
#[derive(Debug, Clone)]
pub struct Unfinished(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes_max: u64,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    all: u64,
    last: u64,
    addresses: BTreeMap<Str, Of>,
}

/// What the connections of one address hold, the oldest first.
#[derive(Debug, Default)]
struct Of {
    bytes: u64,
    held: BTreeMap<u64, (u64, Arc<Cut>)>,
}

impl Table {
    /// The number that this holds under, from now on; 0 when it holds nothing.
    fn put(&mut self, share: &Share, bytes: u64) -> u64 {
        self.take(&share.address, share.number);
        if bytes == 0 {
            return 0;
        }
        let number = if share.number == 0 {
            self.last += 1;
            self.last
        } else {
            share.number
        };
        self.all += bytes;
        let of = self.addresses.entry(share.address.clone()).or_default();
        of.bytes += bytes;
        of.held.insert(number, (bytes, share.cut.clone()));
        number
    }

    fn take(&mut self, address: &Str, number: u64) -> Option<Arc<Cut>> {
        let of = self.addresses.get_mut(address)?;
        let (bytes, cut) = of.held.remove(&number)?;
        of.bytes -= bytes;
        self.all -= bytes;
        if of.held.is_empty() {
            self.addresses.remove(address);
        }
        Some(cut)
    }

    /// Whose oldest message goes when there is too much; `None` when there is not.
    fn heaviest(&self, bytes_max: u64) -> Option<(Str, u64)> {
        let (address, of) = self.addresses.iter().max_by_key(|(_, of)| of.bytes)?;
        // A stranger alone never has it all.
        let is_too_much = self.all > bytes_max || of.bytes > bytes_max / 2;
        let oldest = *of.held.keys().next()?;
        is_too_much.then(|| (address.clone(), oldest))
    }
}

impl Unfinished {
    /// At most so many bytes in all, and half as many of one address.
    pub fn new(bytes_max: u64) -> Unfinished {
        let table = Mutex::default();
        Unfinished(Arc::new(Inner { bytes_max, table }))
    }

    /// The share of one connection. It may hold `bytes_max`, until it is [widened](Share::widen).
    pub fn share(&self, address: Str, cut: Arc<Cut>, bytes_max: u64) -> Share {
        Share {
            of: Some(self.0.clone()),
            address,
            number: 0,
            held: 0,
            bytes_max,
            cut,
        }
    }
}

/// What one connection holds.
#[derive(Debug)]
pub struct Share {
    of: Option<Arc<Inner>>,
    address: Str,
    number: u64,
    held: u64,
    bytes_max: u64,
    cut: Arc<Cut>,
}

impl Share {
    /// Of a connection that this end opened: it is sent what it asked for.
    pub fn free() -> Share {
        Share {
            of: None,
            address: Str::from(""),
            number: 0,
            held: 0,
            bytes_max: u64::MAX,
            cut: Arc::default(),
        }
    }

    /// The connection holds so many bytes now. False when it has to go.
    pub fn set(&mut self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if bytes > self.bytes_max {
            return false;
        }
        let bytes = if bytes <= FREE_BYTES { 0 } else { bytes };
        let Some(inner) = self.of.clone() else {
            return true;
        };
        if bytes != self.held {
            let mut table = inner.table.lock().unwrap_or_else(PoisonError::into_inner);
            self.number = table.put(self, bytes);
            self.held = bytes;
            while let Some((address, oldest)) = table.heaviest(inner.bytes_max) {
                if let Some(cut) = table.take(&address, oldest) {
                    cut.cut();
                }
            }
        }
        !self.cut.is_cut()
    }

    /// From now on it may hold as much as all of an address.
    pub fn widen(&mut self) {
        self.bytes_max = u64::MAX;
    }

    /// From now on it is not counted.
    pub fn trust(&mut self) {
        self.set(0);
        self.bytes_max = u64::MAX;
        self.of = None;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    fn share(all: &Unfinished, address: &str) -> (Share, Arc<Cut>) {
        let cut: Arc<Cut> = Arc::default();
        (all.share(Str::from(address), cut.clone(), u64::MAX), cut)
    }

    #[test]
    fn who_holds_most_loses_its_oldest_and_the_others_lose_nothing() {
        let all = Unfinished::new(100 * 1024);
        let (mut good, good_cut) = share(&all, "10.0.0.1");
        assert!(good.set(30 * KIB));
        let mut bad: Vec<_> = (0..10).map(|_| share(&all, "10.0.0.9")).collect();
        for (share, _) in &mut bad {
            assert!(share.set(20 * KIB), "a new one never pays for the old ones");
        }
        let left = bad.iter().filter(|(_, cut)| !cut.is_cut()).count();
        assert_eq!(left, 2, "half of it for one address");
        assert!(!good_cut.is_cut());
        assert!(good.set(50 * KIB));
        drop(bad);
        drop(good);
        let (mut alone, _) = share(&all, "10.0.0.9");
        assert!(alone.set(50 * KIB), "what has gone is free again");
        assert!(!alone.set(51 * KIB), "more than an address may have");
    }

    #[test]
    fn a_connection_that_nobody_knows_yet_has_a_bound_of_its_own() {
        let all = Unfinished::new(1024 * 1024);
        let mut share = all.share(Str::from("10.0.0.1"), Arc::default(), 64 * 1024);
        assert!(share.set(64 * KIB));
        assert!(!share.set(65 * KIB));
        share.widen();
        assert!(share.set(65 * KIB));
        assert!(Share::free().set(usize::MAX));
    }

    #[test]
    fn little_pieces_are_free() {
        let all = Unfinished::new(8 * 1024);
        let mut many: Vec<_> = (0..100).map(|_| share(&all, "10.0.0.1")).collect();
        assert!(many.iter_mut().all(|(share, _)| share.set(4 * KIB)));
    }
}
