//! What arrives on a transport, in Nacos's processing order (part 1.6).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Node;
use super::connections::Source;
use super::naming::NO_PERSISTENT;
use crate::ids::{ConnId, NodeId, RequestId};
use crate::io::{CloseReason, Listener, Output};
use crate::message::cluster::{LoaderMetrics, Member, NodeState, ServerReloadRequest};
use crate::message::internal::ServerCheckResponse;
use crate::message::unsupported::Unsupported;
use crate::message::{
    Addressed, Malformed, Received, RequestFacts, Response, ResponseBody, Sender, ToDialer,
    ToServer, code,
};

impl Node {
    /// Handles what arrived as a request and answers it, unless it is a setup.
    pub(super) fn request(
        &mut self,
        conn: ConnId,
        id: RequestId,
        received: Received,
        out: &mut Vec<Output>,
    ) {
        // Kinds are declared in the order of their list, which a test holds.
        self.requests[received.kind() as usize] += 1;
        let Some(connection) = self.connections.get(conn) else {
            return self.request_of_member(conn, id, received, out);
        };
        let (from, is_set_up) = (connection.listener, connection.setup.is_some());
        let response = match received {
            Received::Request(request) => {
                let refusal = self.refusal(from, is_set_up, request.of().facts());
                match (refusal, request.addressed()) {
                    (Some(refusal), _) => Some(refusal),
                    (None, Addressed::Server(asked)) => self.serve(conn, asked, out),
                    // The acknowledgement of a setup that nobody sent.
                    (None, Addressed::Dialer(_) | Addressed::Client(_)) => None,
                }
            }
            Received::Denied(denied) => {
                let facts = denied.request.of().facts();
                Some(self.refusal(from, is_set_up, facts).unwrap_or_else(|| {
                    self.conn_active(conn);
                    denied.refusal
                }))
            }
            Received::Unsupported(which) => {
                Some(self.unready(from, is_set_up).unwrap_or_else(|| {
                    self.conn_active(conn);
                    unsupported_answer(which)
                }))
            }
            Received::Unknown(_) => Some(self.starting(from).unwrap_or_else(no_handler)),
            Received::Malformed(malformed) => {
                Some(self.unready(from, is_set_up).unwrap_or_else(|| {
                    self.counters.requests_malformed += 1;
                    malformed_answer(&malformed)
                }))
            }
        };
        let Some(response) = response else {
            return;
        };
        if !response.is_ok() {
            self.counters.requests_refused += 1;
        }
        out.push(Output::Response { conn, id, response });
    }

    /// Steps 1 to 6 of part 1.6: why a request is not handled at all. What has no answer is never
    /// refused.
    fn refusal(&self, from: Listener, is_set_up: bool, facts: &RequestFacts) -> Option<Response> {
        facts.answer?;
        if from == Listener::Sdk && facts.from == Sender::Node {
            let text = alloc::format!(" invoke {} from sdk is forbidden", facts.name);
            return Some(Response::error(code::BAD_GATEWAY, &text));
        }
        if facts.from == Sender::Server {
            return Some(self.starting(from).unwrap_or_else(no_handler));
        }
        self.unready(from, is_set_up || !facts.needs_setup)
    }

    /// Steps 2 and 5: the first load is not settled, or the connection is not set up.
    fn unready(&self, from: Listener, is_set_up: bool) -> Option<Response> {
        let text = "Connection is unregistered.";
        let unregistered = || (!is_set_up).then(|| Response::error(code::UN_REGISTER, text));
        self.starting(from).or_else(unregistered)
    }

    /// Step 2: a node whose first load is not settled serves no client.
    fn starting(&self, from: Listener) -> Option<Response> {
        let text = "Server is starting,please try later.";
        let starting = from == Listener::Sdk && !self.serves();
        starting.then(|| Response::error(code::INVALID_SERVER_STATUS, text))
    }

    /// Step 7 and on: a request that nothing speaks against. No answer to a setup.
    fn serve(&mut self, conn: ConnId, asked: ToServer, out: &mut Vec<Output>) -> Option<Response> {
        // A setup says so itself, when it is accepted.
        if !matches!(asked, ToServer::ServerCheck | ToServer::ConnectionSetup(_)) {
            self.conn_active(conn);
        }
        Some(match asked {
            ToServer::ServerCheck => self.server_check(conn),
            ToServer::ConnectionSetup(setup) => {
                self.setup(conn, &setup, out);
                return None;
            }
            ToServer::HealthCheck => Response::ok(ResponseBody::HealthCheck),
            ToServer::ServerLoaderInfo => {
                let metrics = LoaderMetrics {
                    connections: u32::try_from(self.connections.len()).unwrap_or(u32::MAX),
                    sdk_connections: self.connections.sdk_count(),
                };
                Response::ok(ResponseBody::ServerLoaderInfo(metrics))
            }
            ToServer::ServerReload(reload) => self.server_reload(reload),
            ToServer::Instance(request) => self.instance(conn, *request, out),
            ToServer::BatchInstance(request) => self.batch_instance(conn, *request, out),
            ToServer::PersistentInstance(request) => Response::fail(
                code::SERVER_NOT_IMPLEMENTED,
                NO_PERSISTENT,
                ResponseBody::Instance(request.operation),
            ),
            ToServer::SubscribeService(request) => self.subscribe(conn, &request),
            ToServer::ServiceQuery(request) => self.query(&request),
            ToServer::ServiceList(request) => self.list_services(&request),
            ToServer::NamingFuzzyWatch(request) => self.fuzzy_watch(conn, &request),
            ToServer::DistroData(data) => {
                let source = self.connections.get(conn).and_then(|c| c.setup.as_ref());
                let origin = match source.map(|setup| &setup.source) {
                    Some(Source::Distro(origin)) => Some(origin.clone()),
                    Some(Source::Cluster) => None,
                    Some(Source::Sdk | Source::Other) | None => {
                        let text = "Only a fellow node may sync.";
                        return Some(Response::error(code::NO_RIGHT, text));
                    }
                };
                self.distro_data(origin, data, out)
            }
            ToServer::MemberReport(member) => {
                let sender = self.sender(conn);
                self.member_report(sender.as_ref(), &member, out)
            }
        })
    }

    /// Which node of our kind is at the other end.
    fn sender(&self, conn: ConnId) -> Option<NodeId> {
        match &self.connections.get(conn)?.setup.as_ref()?.source {
            Source::Distro(origin) => Some(origin.node.clone()),
            Source::Cluster | Source::Sdk | Source::Other => None,
        }
    }

    fn server_check(&self, conn: ConnId) -> Response {
        let connection = self.connections.get(conn).expect("the request came on it");
        Response::ok(ResponseBody::ServerCheck(Box::new(ServerCheckResponse {
            connection_id: connection.client.clone(),
            support_ability_negotiation: true,
        })))
    }

    /// Nacos `ServerReloaderRequestHandler`: keep at least nine tenths at a time.
    pub(super) fn server_reload(&mut self, reload: ServerReloadRequest) -> Response {
        if reload
            .reload_server
            .as_ref()
            .is_some_and(|to| !self.may_redirect(to))
        {
            let text = "clients are sent to members only";
            return Response::fail(code::INVALID_PARAM, text, ResponseBody::ServerReload);
        }
        let sdk = self.connections.sdk_count();
        let mut response = Response::ok(ResponseBody::ServerReload);
        if sdk <= reload.reload_count {
            response.message = Some("ignore".into());
        } else {
            let keep = reload.reload_count.max(sdk - sdk / 10);
            self.rebalance = Some((keep, reload.reload_server));
            response.message = Some("ok".into());
        }
        response
    }

    /// What a member asks on the connection that this node opened to it.
    fn request_of_member(
        &mut self,
        conn: ConnId,
        id: RequestId,
        received: Received,
        out: &mut Vec<Output>,
    ) {
        if !self.members.knows(conn) {
            // A transport that this node closed meanwhile.
            return;
        }
        self.members.heard(conn, self.clock.run());
        let mut leaves = false;
        let response = match received {
            Received::Request(request) => {
                let is_answered = request.expects_response();
                match request.addressed() {
                    Addressed::Dialer(ToDialer::SetupAck(ack)) => {
                        return self.member_acknowledged(conn, &ack, out);
                    }
                    Addressed::Dialer(ToDialer::ClientDetection) => {
                        Response::ok(ResponseBody::ClientDetection)
                    }
                    Addressed::Dialer(ToDialer::ConnectReset(_)) => {
                        leaves = true;
                        Response::ok(ResponseBody::ConnectReset)
                    }
                    Addressed::Server(ToServer::HealthCheck) => {
                        Response::ok(ResponseBody::HealthCheck)
                    }
                    Addressed::Server(_) | Addressed::Client(_) if is_answered => no_handler(),
                    // A setup has no answer, whoever sends it.
                    Addressed::Server(_) | Addressed::Client(_) => return,
                }
            }
            Received::Denied(denied) => denied.refusal,
            Received::Malformed(malformed) => malformed_answer(&malformed),
            Received::Unsupported(_) | Received::Unknown(_) => no_handler(),
        };
        out.push(Output::Response { conn, id, response });
        if leaves {
            self.drop_member_conn(conn, CloseReason::Obsolete, out);
        }
    }

    /// This node as it reports itself.
    pub(super) fn self_member(&self) -> Member {
        Member {
            node: self.config.node.clone(),
            state: if self.serves() {
                NodeState::Up
            } else {
                NodeState::Starting
            },
            incarnation: if self.config.profile.speaks_distro() {
                self.origin.incarnation
            } else {
                crate::ids::Incarnation(0)
            },
            version: self.config.version.clone(),
        }
    }
}

fn no_handler() -> Response {
    Response::error(code::NO_HANDLER, "RequestHandler Not Found")
}

fn unsupported_answer(which: Unsupported) -> Response {
    let body = ResponseBody::Unsupported(which);
    Response::fail(code::SERVER_NOT_IMPLEMENTED, which.refusal(), body)
}

fn malformed_answer(malformed: &Malformed) -> Response {
    Response::error(code::BAD_GATEWAY, &malformed.message)
}
