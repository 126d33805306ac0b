//! The instances of a list as JSON, written once for all who read the list.
//!
//! A service is read far more often than it changes: each subscriber is pushed the same instances,
//! each query answers them. Their text is nearly all of a list and nearly all of its cost. Lists
//! that stay the same share their hosts ([`ServiceInfo::hosts`]), so the text is kept beside the
//! address of what is shared, for as long as that lives and there is room.
//!
//! [`ServiceInfo::hosts`]: distro_core::message::naming::ServiceInfo::hosts

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

use distro_core::message::naming::Instance;
use serde::ser::{Error, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::instance::InstanceOut;

/// Lists that are shorter are written anew: that costs about what a look at the store does.
const HOSTS_MIN: usize = 4;
/// Text that is kept by a thread, in bytes. A list of a hundred instances has about 25 KiB.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

thread_local! {
    static STORE: RefCell<Store> = const { RefCell::new(Store::new(KEPT_BYTES)) };
}

/// Hosts that are written as JSON, and as nothing else.
pub(super) struct HostsOut<'a>(pub(super) &'a Arc<[Arc<Instance>]>);

impl Serialize for HostsOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = || self.0.iter().map(|host| InstanceOut::from(&**host));
        if self.0.len() < HOSTS_MIN {
            return serializer.collect_seq(written());
        }
        STORE.with_borrow_mut(|store| {
            let text = store.text(self.0, || to_raw_value(&written().collect::<Vec<_>>()));
            text.map_err(S::Error::custom)?.serialize(serializer)
        })
    }
}

/// Texts by the address of what they show. What is shown is held weakly: an address that is in the
/// store is not given out again.
#[derive(Debug)]
struct Store {
    kept: BTreeMap<usize, Kept>,
    /// In the order of arrival, which is the order of leaving.
    order: VecDeque<usize>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Kept {
    shown: Weak<[Arc<Instance>]>,
    text: Box<RawValue>,
}

impl Store {
    const fn new(bytes_max: usize) -> Store {
        Store {
            kept: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// The text of these hosts, written now if it is not there.
    fn text<E>(
        &mut self,
        hosts: &Arc<[Arc<Instance>]>,
        write: impl FnOnce() -> Result<Box<RawValue>, E>,
    ) -> Result<&RawValue, E> {
        let address = Arc::as_ptr(hosts).cast::<Arc<Instance>>().addr();
        if !self.kept.contains_key(&address) {
            let text = write()?;
            self.make_room(text.get().len());
            self.bytes += text.get().len();
            self.order.push_back(address);
            let shown = Arc::downgrade(hosts);
            self.kept.insert(address, Kept { shown, text });
        }
        Ok(&self.kept[&address].text)
    }

    /// Drops what came first: until there is room, and while nobody has the list any more.
    fn make_room(&mut self, bytes: usize) {
        while let Some(first) = self.order.front() {
            let is_dead = self.kept[first].shown.strong_count() == 0;
            if !is_dead && self.bytes + bytes <= self.bytes_max {
                return;
            }
            if let Some(gone) = self.kept.remove(first) {
                self.bytes -= gone.text.get().len();
            }
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(port: u16) -> Arc<[Arc<Instance>]> {
        [Arc::new(Instance::new("10.0.0.1", port))].into()
    }

    fn text_of(store: &mut Store, hosts: &Arc<[Arc<Instance>]>, writes: &mut u32) -> String {
        let text = store.text(hosts, || {
            *writes += 1;
            to_raw_value(&hosts[0].port)
        });
        text.unwrap().get().to_owned()
    }

    #[test]
    fn a_list_is_written_once_while_it_stands() {
        let (mut store, mut writes) = (Store::new(1000), 0);
        let (one, same, other) = (hosts(80), hosts(80), hosts(81));
        for _ in 0..3 {
            assert_eq!(text_of(&mut store, &one, &mut writes), "80");
        }
        assert_eq!(writes, 1);
        assert_eq!(text_of(&mut store, &other, &mut writes), "81");
        assert_eq!(text_of(&mut store, &same, &mut writes), "80");
        assert_eq!(writes, 3, "equal is not the same");
    }

    #[test]
    fn the_store_stays_within_its_bytes_and_forgets_the_dead() {
        let (mut store, mut writes) = (Store::new(6), 0);
        let lists: Vec<_> = (80..90).map(hosts).collect();
        for list in &lists {
            text_of(&mut store, list, &mut writes);
            assert!(store.bytes <= 6);
        }
        assert_eq!(
            (store.kept.len(), store.order.len(), store.bytes),
            (3, 3, 6)
        );
        drop(lists);
        let last = hosts(7);
        text_of(&mut store, &last, &mut writes);
        assert_eq!(
            (store.kept.len(), store.order.len(), store.bytes),
            (1, 1, 1)
        );
    }

    #[test]
    fn kept_text_is_what_the_instances_are_written_as() {
        let list: Arc<[Arc<Instance>]> = (80..90)
            .map(|port| Arc::new(Instance::new("10.0.0.1", port)))
            .collect();
        let plain: Vec<_> = list.iter().map(|host| InstanceOut::from(&**host)).collect();
        let plain = serde_json::to_string(&plain).unwrap();
        for _ in 0..2 {
            assert_eq!(serde_json::to_string(&HostsOut(&list)).unwrap(), plain);
        }
    }
}
