//! S9: before its first load is settled a node answers clients only that it is not ready, and
//! sends no push and no DELETE. It may verify what it owns.

use distro_core::message::distro::DistroDataRequest;
use distro_core::message::{Request, ResponseBody, code};

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Judge of S9.
#[derive(Debug)]
pub(crate) struct NotReady;

impl Check for NotReady {
    fn interest(&self) -> Interest {
        Interest::of(&[
            Kind::PushSent,
            Kind::SyncSent,
            Kind::ListAnswered,
            Kind::RegisterAnswered,
            Kind::OtherAnswered,
        ])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (node, facts) = (seen.host.0, cx.facts);
        if !facts.is_node(node) || facts.node[node as usize].ready.is_some() {
            return;
        }
        let wrong = match seen.what {
            Seen::RequestSent {
                request: Request::NotifySubscriber(info),
                ..
            } => Some(format!("pushed {}", info.service)),
            Seen::RequestSent {
                peer,
                request: Request::DistroData(DistroDataRequest::Delete(client, _)),
                ..
            } => Some(format!("sent DELETE {client} to {}", facts.name(peer.0))),
            Seen::ResponseSent { peer, response, .. } if !facts.is_node(peer.0) => {
                let refused = response.body == ResponseBody::Error
                    && response.error_code == code::INVALID_SERVER_STATUS;
                (!refused).then(|| {
                    let what = response.body.type_name();
                    format!(
                        "answered {} with {what} {}",
                        facts.name(peer.0),
                        response.result_code
                    )
                })
            }
            _ => return,
        };
        match wrong {
            None => found.held(Property::S9),
            Some(text) => found.broken(Property::S9, facts.now, || {
                format!("{} was not ready and {text}", facts.name(node))
            }),
        }
    }
}
