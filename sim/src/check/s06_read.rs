//! S6: an answer or push is the projection of the node's table at some instant within the last
//! push delay and tick. S7: no instance is in it twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use distro_core::message::ResponseBody;
use distro_core::message::naming::Instance;

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::mirror::Fit;
use crate::check::{Check, Context, Listing, Property};
use crate::observe::{Observation, Seen};

/// A list's hosts.
type Hosts = Arc<[Arc<Instance>]>;

/// Judge of S6 and S7.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// The list that fitted last, by (node, service), with the step of the table that it fits.
    fitted: BTreeMap<(u32, u32), (Hosts, u64)>,
}

impl Check for Read {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::PushSent, Kind::ListAnswered])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let Some(listing) = cx.listing else { return };
        let facts = cx.facts;
        if listing.places.len() == listing.info.hosts.len() {
            found.held(Property::S7);
        } else {
            found.broken(Property::S7, facts.now, || {
                format!(
                    "{} listed {} instances of {} at {} places",
                    facts.name(seen.host.0),
                    listing.info.hosts.len(),
                    listing.info.service,
                    listing.places.len()
                )
            });
        }
        // A query may have left out what is not healthy, without saying so in its answer.
        let query = matches!(
            seen.what,
            Seen::ResponseSent { response, .. }
                if matches!(response.body, ResponseBody::QueryService(_))
        );
        match self.wrong(seen.host.0, listing, query, cx) {
            None => found.held(Property::S6),
            Some(text) => found.broken(Property::S6, facts.now, || {
                format!(
                    "{} listed {} {text}",
                    facts.name(seen.host.0),
                    listing.info.service
                )
            }),
        }
    }
}

impl Read {
    /// What is wrong with a list, in words that follow the service's name.
    fn wrong(
        &mut self,
        node: u32,
        listing: &Listing<'_>,
        query: bool,
        cx: &Context<'_>,
    ) -> Option<String> {
        let facts = cx.facts;
        let since = facts.now.at - facts.bounds.read_window();
        let Some(list) = facts.node[node as usize].mirror.list(listing.service) else {
            let first = listing.info.hosts.first()?;
            return Some(format!(
                "with {}:{}, which no record holds",
                first.ip, first.port
            ));
        };
        let key = (node, listing.service);
        let same = |(hosts, steps): &(Arc<[Arc<Instance>]>, u64)| {
            Arc::ptr_eq(hosts, &listing.info.hosts) && *steps == list.steps()
        };
        if listing.whole && self.fitted.get(&key).is_some_and(same) {
            return None;
        }
        let mut now = true;
        for instance in listing.info.hosts.iter() {
            let place = facts.known.places.known(instance);
            match place.map_or(Fit::Never, |place| list.has(place, instance, since)) {
                Fit::Now => {}
                Fit::Lately => now = false,
                Fit::Never => {
                    return Some(format!(
                        "with {}:{} as no record has held it lately",
                        instance.ip, instance.port
                    ));
                }
            }
        }
        if !listing.whole {
            return None;
        }
        match list.fit(listing.places, since) {
            Fit::Now => {
                if now {
                    let fitted = (listing.info.hosts.clone(), list.steps());
                    self.fitted.insert(key, fitted);
                }
                return None;
            }
            Fit::Lately => return None,
            Fit::Never => {}
        }
        let missing = list.instances().find(|(place, instance)| {
            listing.places.binary_search(place).is_err() && (instance.healthy || !query)
        });
        match missing {
            Some((_, instance)) => Some(format!("without {}:{}", instance.ip, instance.port)),
            None if query => None,
            None => Some(format!(
                "as it was never within {}: {} places against {}",
                facts.bounds.read_window(),
                listing.places.len(),
                list.count()
            )),
        }
    }
}
