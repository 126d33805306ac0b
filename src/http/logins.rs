//! Logins that wait, and who has to wait longer: whoever was wrong, for that user and from that
//! address alone. Somebody who tries passwords takes neither the place of others nor their time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use distro_core::ids::Str;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::warn;

use crate::text::plain;

/// Passwords that are compared at a time. Why one: bcrypt takes a core for 50 ms and more, and
/// whoever tries passwords must not get the cores that serve.
const AT_ONCE: usize = 1;
/// Logins of one user from one address that wait for that; a further one is refused.
pub(super) const WAITING_MAX: usize = 16;
/// Logins from one address that wait.
const WAITING_OF_ADDRESS_MAX: usize = 64;
/// Logins that wait.
const WAITING_OF_ALL_MAX: usize = 256;
/// Wrong logins in a row that cost nothing: people mistype.
const FREE: u32 = 2;
/// How long the next login has to wait after the first wrong one beyond; twice as long after each
/// further.
const SLOW: Duration = Duration::from_millis(500);
/// Longest that it has to wait.
const SLOW_MAX: Duration = Duration::from_secs(30);
/// Wrong logins of the same are told at most this often, with their number.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// Users and addresses that are remembered for wrong logins.
const REMEMBERED_MAX: usize = 4_096;
/// Characters of a user's name that tell it from others.
const NAME_CHARS_MAX: usize = 64;

type Who = (Str, Str);

/// What is known of one user from one address.
#[derive(Debug)]
struct Of {
    waiting: usize,
    wrong: u32,
    /// When the next login may be.
    again: Instant,
    told: Option<Instant>,
    untold: u64,
}

#[derive(Debug, Default)]
struct Table {
    waiting: usize,
    per_address: BTreeMap<Str, usize>,
    who: BTreeMap<Who, Of>,
}

/// All logins.
#[derive(Debug, Clone)]
pub(super) struct Logins {
    working: Arc<Semaphore>,
    table: Arc<Mutex<Table>>,
}

/// A login that waits; its place is free when this goes.
#[derive(Debug)]
pub(super) struct Login {
    logins: Logins,
    who: Who,
}

/// Why a login is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Later {
    /// Too many wait.
    Busy,
    /// It was wrong before.
    Slow(Duration),
}

impl Logins {
    pub(super) fn new() -> Logins {
        Logins {
            working: Arc::new(Semaphore::new(AT_ONCE)),
            table: Arc::default(),
        }
    }

    /// A place for a login.
    pub(super) fn enter(&self, user: &str, address: &Str) -> Result<Login, Later> {
        let name: String = user.chars().take(NAME_CHARS_MAX).collect();
        let who = (Str::from(name), address.clone());
        let now = Instant::now();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = table.per_address.get(address).copied().unwrap_or(0);
        if table.waiting >= WAITING_OF_ALL_MAX || of_address >= WAITING_OF_ADDRESS_MAX {
            return Err(Later::Busy);
        }
        if table.who.len() >= REMEMBERED_MAX {
            table.forget(now);
        }
        let of = table.who.entry(who.clone()).or_insert(Of {
            waiting: 0,
            wrong: 0,
            again: now,
            told: None,
            untold: 0,
        });
        if of.again > now {
            of.untold += 1;
            return Err(Later::Slow(of.again - now));
        }
        if of.waiting >= WAITING_MAX {
            return Err(Later::Busy);
        }
        of.waiting += 1;
        table.waiting += 1;
        *table.per_address.entry(address.clone()).or_default() += 1;
        Ok(Login {
            logins: self.clone(),
            who,
        })
    }
}

impl Table {
    /// Makes room: whoever may log in at once is not worth remembering, then who has waited
    /// longest.
    fn forget(&mut self, now: Instant) {
        self.who.retain(|_, of| of.waiting > 0 || of.again > now);
        let idle = self.who.iter().filter(|(_, of)| of.waiting == 0);
        let first = idle
            .min_by_key(|(_, of)| of.again)
            .map(|(who, _)| who.clone());
        if let Some(who) = first.filter(|_| self.who.len() >= REMEMBERED_MAX) {
            self.who.remove(&who);
        }
    }
}

impl Login {
    /// Waits for its turn; only as many hold one at a time as may work.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // Nobody closes it.
        self.logins.working.clone().acquire_owned().await.ok()
    }

    /// How it ended.
    pub(super) fn ended(&self, right: bool) {
        let now = Instant::now();
        let mut table = self
            .logins
            .table
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(of) = table.who.get_mut(&self.who) else {
            return;
        };
        if right {
            of.wrong = 0;
            of.again = now;
            return;
        }
        let slow = match of.wrong.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(beyond) => SLOW.saturating_mul(1 << beyond.min(16)).min(SLOW_MAX),
        };
        of.wrong = of.wrong.saturating_add(1);
        of.again = now + slow;
        of.untold += 1;
        if of.told.is_none_or(|told| now - told >= TELL_AGAIN) {
            let (user, from) = (plain(&self.who.0), &*self.who.1);
            warn!(%user, from, times = of.untold, "wrong login");
            of.told = Some(now);
            of.untold = 0;
        }
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        let mut table = self
            .logins
            .table
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        table.waiting -= 1;
        if let Some(of) = table.who.get_mut(&self.who) {
            of.waiting -= 1;
        }
        if let Some(count) = table.per_address.get_mut(&self.who.1) {
            *count -= 1;
            if *count == 0 {
                table.per_address.remove(&self.who.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_wrong_waits_longer_each_time_and_nobody_else_does() {
        let logins = Logins::new();
        let (bad, good) = (Str::from("10.0.0.9"), Str::from("10.0.0.1"));
        for _ in 0..FREE {
            logins.enter("ann", &bad).unwrap().ended(false);
        }
        for slow in [500, 1_000, 2_000] {
            logins.enter("ann", &bad).unwrap().ended(false);
            let later = logins.enter("ann", &bad).unwrap_err();
            assert_eq!(later, Later::Slow(Duration::from_millis(slow)));
            assert!(logins.enter("ann", &good).is_ok());
            assert!(logins.enter("bob", &bad).is_ok());
            tokio::time::advance(Duration::from_millis(slow)).await;
        }
        logins.enter("ann", &bad).unwrap().ended(true);
        assert!(
            logins.enter("ann", &bad).is_ok(),
            "what was wrong is forgotten"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_and_what_is_remembered_are_bounded() {
        let logins = Logins::new();
        let bad = Str::from("10.0.0.9");
        let held: Vec<Login> = (0..100)
            .filter_map(|_| logins.enter("ann", &bad).ok())
            .collect();
        assert_eq!(held.len(), WAITING_MAX);
        let others: Vec<Login> = (0..100)
            .filter_map(|user| logins.enter(&user.to_string(), &bad).ok())
            .collect();
        assert_eq!(held.len() + others.len(), WAITING_OF_ADDRESS_MAX);
        assert!(logins.enter("ann", &Str::from("10.0.0.1")).is_ok());
        drop((held, others));
        for user in 0..2 * REMEMBERED_MAX {
            logins.enter(&user.to_string(), &bad).unwrap().ended(false);
        }
        assert!(logins.table.lock().unwrap().who.len() <= REMEMBERED_MAX);
    }
}
