//! Connections: how they begin and end, what may cross them, and the faults that happen to them.

use std::collections::BTreeMap;
use std::task::Waker;

use distro_core::message::MessageKind;

use super::{
    Conn, Dial, Door, End, Fabric, Gate, Half, KINDS_MAX, Outbound, Passage, Power, micros,
};
use crate::scenario::model::{ConnFault, Path};
use crate::world::common::RETRANSMISSION_MAX;
use crate::world::common::rules::{Fate, Scope, Subject};

impl Fabric {
    /// What becomes of a dial that starts now.
    pub(crate) fn dial(&self, from: u32, to: u32) -> Dial {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let mut way = |pair| {
            let (rules, rng) = (&mut inner.rules, &mut inner.faults);
            rules.fate(rng, 0, pair, Subject::Transport, &|| 0)
        };
        let (there, back) = (way((from, to)), way((to, from)));
        if [there, back].iter().any(|fate| fate.hold || fate.vanish) {
            return Dial::Lost;
        }
        let mut latency = || {
            inner
                .latency
                .period(self.link.latency_min, self.link.latency_max)
                .0
        };
        let answer = latency().saturating_add(back.delay);
        match inner.hosts[to as usize].power {
            Power::Running => Dial::Goes(micros(there.delay), micros(answer)),
            Power::Down => {
                let arrival = latency().saturating_add(there.delay);
                Dial::Refused(micros(arrival.saturating_add(answer)))
            }
            Power::Off => Dial::Lost,
        }
    }

    /// What a dial finds.
    pub(crate) fn door(&self, from: u32, to: u32) -> Door {
        let inner = self.lock();
        let power = inner.hosts[to as usize].power;
        let cut = inner.rules.blocked(from, to) || inner.rules.blocked(to, from);
        match power {
            Power::Off => Door::Dark,
            Power::Running | Power::Down if cut => Door::Dark,
            Power::Running => Door::Open,
            Power::Down => Door::Shut,
        }
    }

    /// A connection was established.
    pub(crate) fn open(&self, from: u32, to: u32) -> u64 {
        let mut inner = self.lock();
        inner.last_conn += 1;
        let number = inner.last_conn;
        let conn = Conn {
            hosts: [from, to],
            gone: [false; 2],
            dead: [false; 2],
            reset_at: [None; 2],
            unacked: [false; 2],
            kinds: [BTreeMap::new(), BTreeMap::new()],
            waiting: Default::default(),
            streams: 0,
        };
        inner.conns.insert(number, conn);
        number
    }

    /// The dialler of a connection.
    pub(crate) fn dialler(&self, conn: u64) -> Option<u32> {
        self.lock().conns.get(&conn).map(|conn| conn.hosts[0])
    }

    /// A stream of a connection begins to exist.
    pub(crate) fn hold(&self, end: End) {
        if let Some(conn) = self.lock().conns.get_mut(&end.conn) {
            conn.streams += 1;
        }
    }

    /// A stream is dropped; the last one takes the connection with it.
    pub(crate) fn release(&self, end: End) {
        let mut inner = self.lock();
        if let Some(conn) = inner.conns.get_mut(&end.conn) {
            conn.streams -= 1;
            if conn.streams == 0 {
                inner.conns.remove(&end.conn);
            }
        }
    }

    /// What a stream may do now. Unless that is everything, its waker is called on a change.
    pub(crate) fn gate(&self, end: End, half: Half, now: u64, waker: &Waker) -> Gate {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let Some(conn) = inner.conns.get_mut(&end.conn) else {
            return Gate::Reset;
        };
        conn.waiting[end.side][half as usize] = Some(waker.clone());
        if inner.hosts[conn.hosts[end.side] as usize].paused {
            return Gate::Shut;
        }
        match conn.reset_at[end.side] {
            Some(at) if at <= now => Gate::Reset,
            later => Gate::Open(later),
        }
    }

    /// Streams of this end that wait look again.
    pub(crate) fn wake(&self, end: End) {
        if let Some(conn) = self.lock().conns.get_mut(&end.conn) {
            let waiting = conn.waiting[end.side].iter_mut();
            waiting.filter_map(Option::take).for_each(Waker::wake);
        }
    }

    /// True while nothing may cross towards this end.
    pub(crate) fn blocked(&self, end: End) -> bool {
        let inner = self.lock();
        let Some(conn) = inner.conns.get(&end.conn) else {
            return false;
        };
        inner
            .rules
            .blocked(conn.hosts[1 - end.side], conn.hosts[end.side])
    }

    /// True when the end of the stream never reaches this end, and when data does not either.
    pub(crate) fn lost(&self, end: End) -> (bool, bool) {
        let inner = self.lock();
        let other = 1 - end.side;
        inner.conns.get(&end.conn).map_or((false, false), |conn| {
            (conn.gone[other] || conn.dead[other], conn.dead[other])
        })
    }

    /// From the end of a partition to the first retransmission.
    pub(crate) fn retransmission(&self) -> u64 {
        self.lock().faults.below(RETRANSMISSION_MAX.0)
    }

    /// What becomes of a frame that is sent now.
    pub(crate) fn send(&self, end: End, now: u64, frame: &Outbound<'_>) -> Passage {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let mut passage = Passage {
            fate: Fate::default(),
            second: 0,
            jitter: [0; 2],
        };
        let (here, there) = (end.side, 1 - end.side);
        let Some(conn) = inner.conns.get_mut(&end.conn) else {
            passage.fate.vanish = true;
            return passage;
        };
        let pair = (conn.hosts[here], conn.hosts[there]);
        let subject = match frame.request {
            Some(kind) if self.track_kinds => {
                let kind = kind();
                conn.kinds[here].insert(frame.id, kind);
                if conn.kinds[here].len() > KINDS_MAX {
                    conn.kinds[here].pop_first();
                }
                Subject::Request(kind)
            }
            Some(_) => Subject::Request(MessageKind::Unknown),
            None => {
                let kind = conn.kinds[there].remove(&frame.id);
                Subject::Response(kind.unwrap_or(MessageKind::Unknown))
            }
        };
        let bytes = frame.bytes;
        passage.fate = inner
            .rules
            .fate(&mut inner.faults, now, pair, subject, &|| bytes);
        if passage.fate.busy {
            return passage;
        }
        let loses = self.link.loss_per_million;
        passage.fate.vanish |= loses > 0 && inner.loss.chance(loses);
        if conn.dead[here] {
            passage.fate.vanish = true;
        } else if conn.gone[there] && !passage.fate.vanish {
            passage.fate.vanish = true;
            if inner.hosts[pair.1 as usize].power == Power::Off {
                conn.unacked[here] = true;
            } else if conn.reset_at[here].is_none() {
                let round = inner
                    .latency
                    .period(self.link.latency_min, self.link.latency_max);
                conn.reset_at[here] = Some(now.saturating_add(round.times(2).0));
                conn.wake();
            }
        }
        if !self.medium.has_latency {
            let latency = inner
                .latency
                .period(self.link.latency_min, self.link.latency_max);
            passage.fate.delay = passage.fate.delay.saturating_add(latency.0);
        }
        if passage.fate.duplicate {
            let late = inner
                .latency
                .period(self.link.latency_min, self.link.latency_max)
                .0;
            passage.second = inner.faults.below(passage.fate.within.max(late));
        }
        if passage.fate.within > 0 {
            passage.jitter = [(); 2].map(|()| inner.faults.below(passage.fate.within));
        }
        passage
    }

    /// Something happens to the connections that exist.
    pub(crate) fn cut(&self, path: &Path, fault: ConnFault, now: u64) {
        match fault {
            ConnFault::Reset => self.reset(path, now),
            ConnFault::HalfOpen => self.half_open(path, now),
            ConnFault::DeadStream => self.dead_stream(path),
        }
    }

    /// Both ends of all connections between two sides see a reset.
    fn reset(&self, path: &Path, now: u64) {
        self.change(path, |conn, scope| {
            let [a, b] = conn.hosts;
            if scope.covers_pair(a, b) || scope.covers_pair(b, a) {
                conn.reset_at = [Some(now); 2];
            }
        });
    }

    /// Connections end at the receiving end; the sending end is not told.
    fn half_open(&self, path: &Path, now: u64) {
        self.change(path, |conn, scope| {
            for from in [0, 1] {
                if scope.covers_pair(conn.hosts[from], conn.hosts[1 - from]) {
                    conn.reset_at[1 - from] = Some(now);
                    conn.gone[1 - from] = true;
                }
            }
        });
    }

    /// One direction of the connections that exist dies silently.
    fn dead_stream(&self, path: &Path) {
        self.change(path, |conn, scope| {
            for from in [0, 1] {
                conn.dead[from] |= scope.covers_pair(conn.hosts[from], conn.hosts[1 - from]);
            }
        });
    }

    fn change(&self, path: &Path, change: impl Fn(&mut Conn, &Scope)) {
        let mut inner = self.lock();
        let scope = Scope::new(path, inner.hosts.len());
        for conn in inner.conns.values_mut() {
            change(conn, &scope);
            conn.wake();
        }
    }

    /// A host is switched off: its connections are gone and nobody is told.
    pub(crate) fn vanish(&self, host: u32) {
        for conn in self.lock().conns.values_mut() {
            for side in [0, 1] {
                conn.gone[side] |= conn.hosts[side] == host;
            }
        }
    }

    /// A host is on again: what peers sent to its earlier life is sent again and draws a reset.
    pub(crate) fn reset_earlier_life(&self, host: u32, now: u64) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        for conn in inner.conns.values_mut() {
            for side in [0, 1] {
                let waits = std::mem::take(&mut conn.unacked[1 - side]);
                if conn.hosts[side] == host && conn.gone[side] && waits {
                    let delay = inner.faults.below(RETRANSMISSION_MAX.0);
                    conn.reset_at[1 - side].get_or_insert(now.saturating_add(delay));
                    conn.wake();
                } else {
                    conn.unacked[1 - side] = waits;
                }
            }
        }
    }
}
