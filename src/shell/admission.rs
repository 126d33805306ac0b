//! What an accepted connection may do, which is little until its setup has arrived.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use distro_core::ids::{NodeId, Str};
use distro_core::message::internal::{ConnectionSetupRequest, label};

use super::places::Place;
use super::{LinkCounters, count};
use crate::carrier::unfinished::{Cut, Share};
use crate::tls::stream::Certificate;

/// What a connection has been given.
#[derive(Debug)]
pub(super) struct Admission {
    /// It came in on the port of members.
    pub(super) is_member: bool,
    pub(super) address: Str,
    /// Its place among those who have not said who they are, until it has.
    pub(super) place: Option<Place>,
    /// What it may hold of messages that are not complete.
    pub(super) share: Share,
    /// What it shows for itself, if it is asked.
    pub(super) certificate: Option<Certificate>,
    /// It has to go.
    pub(super) cut: Arc<Cut>,
}

impl Admission {
    /// Of a connection that this end opened.
    pub(super) fn none() -> Admission {
        Admission {
            is_member: false,
            address: Str::from(""),
            place: None,
            share: Share::free(),
            certificate: None,
            cut: Arc::default(),
        }
    }

    /// It says who it is. False when its certificate says something else.
    pub(super) fn set_up(
        &mut self,
        setup: &ConnectionSetupRequest,
        counters: &LinkCounters,
    ) -> bool {
        if let Some(certificate) = &self.certificate {
            let node = setup.labels.get(label::NODE).cloned().map(NodeId);
            // One that names no node is known by its address.
            let host = node.as_ref().map_or(&*self.address, NodeId::ip);
            if !certificate.is_of(host) {
                count(&counters.certificate_refused);
                tracing::warn!(
                    from = &*self.address,
                    host,
                    "a node was refused: its certificate is not for the host of the member that it \
                     says it is"
                );
                return false;
            }
        }
        self.place = None;
        if self.is_member {
            self.share.trust();
        } else {
            self.share.widen();
        }
        true
    }

    /// What counts that it was cut.
    pub(super) fn why_cut<'a>(&self, counters: &'a LinkCounters) -> &'a AtomicU64 {
        if self.place.is_some() {
            &counters.turned_away
        } else {
            &counters.unfinished
        }
    }
}
