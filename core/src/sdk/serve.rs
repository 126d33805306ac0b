//! What the server asks of the client: probes, resets, pushes.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::ids::{ConnId, RequestId};
use crate::message::naming::{ServiceInfo, ServiceKey};
use crate::message::{Addressed, Received, Response, ResponseBody, ToClient, ToDialer, code};
use crate::time::Mono;

use super::Sdk;
use super::connect::{Change, Role};
use super::io::{SdkEvent, SdkOutput};
use super::lists::Offered;

fn no_handler(conn: ConnId, id: RequestId) -> SdkOutput {
    let response = Response::error(code::NO_HANDLER, "RequestHandler Not Found");
    SdkOutput::Response { conn, id, response }
}

impl Sdk {
    /// Handles a request of the server. It is answered on the connection it came from. Java
    /// answers on its current one, where another server may take it for the answer to its own
    /// request (part 12.41 of the protocol).
    pub(super) fn serve(
        &mut self,
        now: Mono,
        conn: ConnId,
        id: RequestId,
        received: Received,
        out: &mut Vec<SdkOutput>,
    ) -> Change {
        let role = self.connect.role(conn);
        if role == Role::Stranger {
            return Change::Same;
        }
        if role == Role::Current {
            self.connect.heard(now);
        }
        let request = match received {
            Received::Request(request) => request,
            Received::Denied(denied) => {
                let response = denied.refusal;
                out.push(SdkOutput::Response { conn, id, response });
                return Change::Same;
            }
            Received::Unsupported(_) | Received::Unknown(_) | Received::Malformed(_) => {
                out.push(no_handler(conn, id));
                return Change::Same;
            }
        };
        let mut answer = |body| {
            out.push(SdkOutput::Response {
                conn,
                id,
                response: Response::ok(body),
            });
        };
        let is_answered = request.expects_response();
        match request.addressed() {
            Addressed::Dialer(ToDialer::SetupAck(_)) => {
                return self.connect.setup_acknowledged(now, conn, out);
            }
            Addressed::Dialer(ToDialer::ClientDetection) => answer(ResponseBody::ClientDetection),
            Addressed::Dialer(ToDialer::ConnectReset(reset)) => {
                answer(ResponseBody::ConnectReset);
                self.connect.reset(now, &reset, out);
            }
            Addressed::Client(ToClient::NotifySubscriber(info)) => {
                answer(ResponseBody::NotifySubscriber);
                if role == Role::Current {
                    self.pushed(conn, &info, out);
                }
            }
            // It watches no names.
            Addressed::Client(
                ToClient::NamingFuzzyWatchSync(_) | ToClient::NamingFuzzyWatchChangeNotify(_),
            ) => out.push(no_handler(conn, id)),
            Addressed::Server(_) if is_answered => out.push(no_handler(conn, id)),
            // A setup has no answer, whoever sends it.
            Addressed::Server(_) => {}
        }
        Change::Same
    }

    /// A push. Of services that are not subscribed nothing is kept.
    fn pushed(&mut self, conn: ConnId, info: &Arc<ServiceInfo>, out: &mut Vec<SdkOutput>) {
        if self.subscribe.wanted_of(&info.service).is_some() {
            let service = info.service.clone();
            self.take_list(conn, &service, info, out);
        } else if let Some(service) = self.subscribed_as(&info.service) {
            self.take_list(conn, &service, info, out);
        }
    }

    /// The one subscription that a push can mean although its namespace differs: Nacos's list
    /// does not carry the namespace, so the decoder had to guess it.
    fn subscribed_as(&self, pushed: &ServiceKey) -> Option<ServiceKey> {
        let mut same = self
            .subscribe
            .wanted()
            .map(|(service, ..)| service)
            .filter(|service| service.name == pushed.name && service.group == pushed.group);
        let first = same.next()?;
        same.next().is_none().then(|| first.clone())
    }

    /// A list of a subscribed service arrived, as a push or as an answer.
    pub(super) fn take_list(
        &mut self,
        conn: ConnId,
        service: &ServiceKey,
        info: &Arc<ServiceInfo>,
        out: &mut Vec<SdkOutput>,
    ) {
        let info = if info.service == *service {
            info.clone()
        } else {
            Arc::new(ServiceInfo {
                service: service.clone(),
                ..ServiceInfo::clone(info)
            })
        };
        match self
            .lists
            .offer(service, conn, &info, self.connect.config.profile)
        {
            Offered::Changed => out.push(SdkOutput::Event(SdkEvent::ListChanged { info })),
            Offered::Stored => {}
            Offered::Ignored => {
                let service = service.clone();
                out.push(SdkOutput::Event(SdkEvent::ListIgnored { service }));
            }
        }
    }
}
