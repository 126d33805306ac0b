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
use crate::message::{MalformedRequest, Request, Response, ResponseBody, code};

impl Node {
    /// Handles one request and answers it, unless it is a setup.
    pub(super) fn request(
        &mut self,
        conn: ConnId,
        id: RequestId,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        // Kinds are declared in the order of their list, which a test holds.
        self.requests[request.kind() as usize] += 1;
        let Some(connection) = self.connections.get(conn) else {
            return self.request_of_member(conn, id, &request, out);
        };
        if let Request::ConnectionSetup(setup) = &request {
            return self.setup(conn, setup, out);
        }
        if !request.expects_response() {
            return;
        }
        let (listener, is_set_up) = (connection.listener, connection.setup.is_some());
        let refusal = self.refusal(listener, is_set_up, &request);
        let response = match refusal {
            Some(response) => response,
            None => self.serve(conn, request, out),
        };
        if !response.is_ok() {
            self.counters.requests_refused += 1;
        }
        out.push(Output::Response { conn, id, response });
    }

    /// Steps 1 to 6 of part 1.6: why the request is not handled at all.
    fn refusal(&mut self, from: Listener, is_set_up: bool, request: &Request) -> Option<Response> {
        if from == Listener::Sdk && request.cluster_only() {
            let text = alloc::format!(" invoke {} from sdk is forbidden", request.type_name());
            return Some(Response::error(code::BAD_GATEWAY, &text));
        }
        if from == Listener::Sdk && !self.serves() {
            return Some(Response::error(
                code::INVALID_SERVER_STATUS,
                "Server is starting,please try later.",
            ));
        }
        match request {
            Request::ServerCheck => None,
            Request::Unknown(_)
            | Request::SetupAck(_)
            | Request::ClientDetection
            | Request::ConnectReset(_)
            | Request::NotifySubscriber(_)
            | Request::NamingFuzzyWatchSync(_)
            | Request::NamingFuzzyWatchChangeNotify(_) => Some(Response::error(
                code::NO_HANDLER,
                "RequestHandler Not Found",
            )),
            other if !is_set_up && !matches!(other, Request::ServerCheck) => Some(Response::error(
                code::UN_REGISTER,
                "Connection is unregistered.",
            )),
            Request::Malformed(malformed) => {
                self.counters.requests_malformed += 1;
                Some(malformed_answer(malformed))
            }
            Request::ConnectionSetup(_)
            | Request::HealthCheck
            | Request::ServerLoaderInfo
            | Request::ServerReload(_)
            | Request::Instance(_)
            | Request::BatchInstance(_)
            | Request::PersistentInstance(_)
            | Request::SubscribeService(_)
            | Request::ServiceQuery(_)
            | Request::ServiceList(_)
            | Request::NamingFuzzyWatch(_)
            | Request::DistroData(_)
            | Request::MemberReport(_)
            | Request::Unsupported(_) => None,
        }
    }

    /// Step 7 and on: a request that a handler takes.
    fn serve(&mut self, conn: ConnId, request: Request, out: &mut Vec<Output>) -> Response {
        if !matches!(request, Request::ServerCheck) {
            self.conn_active(conn);
        }
        match request {
            Request::ServerCheck => self.server_check(conn),
            Request::HealthCheck => Response::ok(ResponseBody::HealthCheck),
            Request::ServerLoaderInfo => {
                let metrics = LoaderMetrics {
                    connections: u32::try_from(self.connections.len()).unwrap_or(u32::MAX),
                    sdk_connections: self.connections.sdk_count(),
                };
                Response::ok(ResponseBody::ServerLoaderInfo(metrics))
            }
            Request::ServerReload(reload) => self.server_reload(reload),
            Request::Instance(request) => self.instance(conn, *request, out),
            Request::BatchInstance(request) => self.batch_instance(conn, *request, out),
            Request::PersistentInstance(request) => Response::fail(
                code::SERVER_NOT_IMPLEMENTED,
                NO_PERSISTENT,
                ResponseBody::Instance(request.operation),
            ),
            Request::SubscribeService(request) => self.subscribe(conn, &request),
            Request::ServiceQuery(request) => self.query(&request),
            Request::ServiceList(request) => self.list_services(&request),
            Request::NamingFuzzyWatch(request) => self.fuzzy_watch(conn, &request),
            Request::DistroData(data) => {
                let source = self.connections.get(conn).and_then(|c| c.setup.as_ref());
                let origin = match source.map(|setup| &setup.source) {
                    Some(Source::Distro(origin)) => Some(origin.clone()),
                    Some(Source::Cluster) => None,
                    Some(Source::Sdk | Source::Other) | None => {
                        return Response::error(code::NO_RIGHT, "Only a fellow node may sync.");
                    }
                };
                self.distro_data(origin, data, out)
            }
            Request::MemberReport(member) => {
                let sender = self.sender(conn);
                self.member_report(sender.as_ref(), &member, out)
            }
            Request::Unsupported(which) => Response::fail(
                code::SERVER_NOT_IMPLEMENTED,
                which.refusal(),
                ResponseBody::Unsupported(which),
            ),
            Request::Malformed(malformed) => malformed_answer(&malformed),
            Request::ConnectionSetup(_)
            | Request::SetupAck(_)
            | Request::ClientDetection
            | Request::ConnectReset(_)
            | Request::NotifySubscriber(_)
            | Request::NamingFuzzyWatchSync(_)
            | Request::NamingFuzzyWatchChangeNotify(_)
            | Request::Unknown(_) => Response::error(code::NO_HANDLER, "RequestHandler Not Found"),
        }
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
        request: &Request,
        out: &mut Vec<Output>,
    ) {
        if !self.members.knows(conn) {
            // A transport that this node closed meanwhile.
            return;
        }
        self.members.heard(conn, self.clock.run());
        let response = match request {
            Request::SetupAck(ack) => return self.member_acknowledged(conn, ack, out),
            Request::ConnectionSetup(_) => return,
            Request::ClientDetection => Response::ok(ResponseBody::ClientDetection),
            Request::ConnectReset(_) => Response::ok(ResponseBody::ConnectReset),
            Request::HealthCheck => Response::ok(ResponseBody::HealthCheck),
            Request::Malformed(malformed) => malformed_answer(malformed),
            Request::ServerCheck
            | Request::ServerLoaderInfo
            | Request::ServerReload(_)
            | Request::Instance(_)
            | Request::BatchInstance(_)
            | Request::PersistentInstance(_)
            | Request::SubscribeService(_)
            | Request::ServiceQuery(_)
            | Request::ServiceList(_)
            | Request::NotifySubscriber(_)
            | Request::NamingFuzzyWatch(_)
            | Request::NamingFuzzyWatchSync(_)
            | Request::NamingFuzzyWatchChangeNotify(_)
            | Request::DistroData(_)
            | Request::MemberReport(_)
            | Request::Unsupported(_)
            | Request::Unknown(_) => Response::error(code::NO_HANDLER, "RequestHandler Not Found"),
        };
        out.push(Output::Response { conn, id, response });
        if matches!(request, Request::ConnectReset(_)) {
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

fn malformed_answer(malformed: &MalformedRequest) -> Response {
    Response::error(code::BAD_GATEWAY, &malformed.message)
}
