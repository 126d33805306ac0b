//! What the client asks of the server: sending what is due, and taking the answers.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::ids::{ConnId, RequestId, Str};
use crate::io::SendError;
use crate::message::naming::{
    BatchInstanceRequest, Instance, InstanceOperation, InstanceRequest, Published, ServiceInfo,
    ServiceKey, SubscribeServiceRequest,
};
use crate::message::{Request, Response, ResponseBody};
use crate::time::Mono;

use super::calls::CallNo;
use super::connect::{Change, Role};
use super::io::{Answer, CallError, SdkEvent, SdkOutput};
use super::redo::{Ended, Operation, Settled};
use super::requests::{Purpose, Verdict, judge};
use super::{CLIENT_INVALID_PARAM, Sdk, due};

impl Sdk {
    /// Sends what is due, as far as there is a connection and room.
    pub(super) fn send_due(&mut self, now: Mono, out: &mut Vec<SdkOutput>) {
        let Some(conn) = self.connect.usable() else {
            return;
        };
        while self.requests.has_room() {
            let (purpose, call, request) = if let Some(operation) = self.publish.next_due() {
                let (service, op) = (operation.service.clone(), operation.op);
                let call = operation.call;
                (
                    Purpose::Publish { service, op },
                    call,
                    self.publish_request(operation),
                )
            } else if let Some(operation) = self.subscribe.next_due() {
                let (service, op) = (operation.service.clone(), operation.op);
                let (call, subscribe) = (operation.call, operation.wish.is_some());
                let purpose = Purpose::Subscribe {
                    service,
                    op,
                    subscribe,
                };
                (purpose, call, subscribe_request(operation))
            } else if let Some((call, request)) = self.calls.next_unsent() {
                (Purpose::Ask { call }, Some(call), request)
            } else {
                return;
            };
            let id = self.connect.request_id();
            let until = due(now, self.connect.config.timing.request_timeout);
            self.requests.insert(id, purpose, until);
            if let Some(call) = call {
                self.calls.sent(call, until);
            }
            out.push(SdkOutput::Request { conn, id, request });
        }
    }

    fn publish_request(&self, operation: Operation<Published>) -> Request {
        let Operation {
            service,
            wish,
            accepted,
            ..
        } = operation;
        match wish {
            Some(Published::Single(instance)) => Request::Instance(Box::new(InstanceRequest {
                service,
                operation: InstanceOperation::Register,
                instance: Instance::clone(&instance),
            })),
            Some(Published::Batch(instances)) => {
                let instances = instances.iter().map(|instance| Instance::clone(instance));
                let instances = instances.collect();
                Request::BatchInstance(Box::new(BatchInstanceRequest { service, instances }))
            }
            None => {
                // The server looks at the service only, but Nacos wants some instance here.
                let known = accepted
                    .as_ref()
                    .and_then(|known| known.instances().first());
                let instance = match known {
                    Some(instance) => Instance::clone(instance),
                    None => Instance::new(&self.connect.config.client_ip, 0),
                };
                let operation = InstanceOperation::Deregister;
                Request::Instance(Box::new(InstanceRequest {
                    service,
                    operation,
                    instance,
                }))
            }
        }
    }

    /// An answer of a server.
    pub(super) fn answered(
        &mut self,
        now: Mono,
        conn: ConnId,
        id: RequestId,
        response: Response,
        out: &mut Vec<SdkOutput>,
    ) -> Change {
        match self.connect.role(conn) {
            Role::Stranger => return Change::Same,
            Role::Attempt => {
                self.connect.attempt_answered(now, id, response, out);
                return Change::Same;
            }
            Role::Current => {}
        }
        if !matches!(response.body, ResponseBody::Error) {
            self.connect.heard(now);
        }
        if self.connect.is_health_check(id) {
            let ok = response.is_ok() && matches!(response.body, ResponseBody::HealthCheck);
            return self.connect.health_answered(now, ok, out);
        }
        // An answer that comes too late, twice, or after the connection was given up.
        let Some(purpose) = self.requests.take(id) else {
            return Change::Same;
        };
        match judge(&response) {
            Verdict::Reconnect => return self.connect.give_up(now, out),
            Verdict::Done => self.done(conn, purpose, response, out),
            Verdict::Later { doubtful } => {
                self.failed(purpose, Some(&response), out);
                if doubtful {
                    self.connect.doubt(now, out);
                }
            }
            Verdict::Refused => self.refused(purpose, refusal(&response), out),
        }
        Change::Same
    }

    /// A request could not be sent.
    pub(super) fn not_sent(
        &mut self,
        now: Mono,
        conn: ConnId,
        id: RequestId,
        cause: SendError,
        out: &mut Vec<SdkOutput>,
    ) -> Change {
        match self.connect.role(conn) {
            Role::Stranger => return Change::Same,
            Role::Attempt => {
                self.connect.attempt_not_sent(now, out);
                return Change::Same;
            }
            Role::Current => {}
        }
        match cause {
            SendError::Closed => return self.connect.give_up(now, out),
            SendError::Busy if self.connect.is_health_check(id) => {
                return self.connect.health_not_sent(now, out);
            }
            SendError::Busy | SendError::TooLarge => {}
        }
        let Some(purpose) = self.requests.take(id) else {
            return Change::Same;
        };
        match cause {
            SendError::Closed | SendError::Busy => self.failed(purpose, None, out),
            SendError::TooLarge => {
                let message = Str::from("the request is over the size limit");
                let error = CallError::Refused {
                    code: CLIENT_INVALID_PARAM,
                    message,
                };
                self.refused(purpose, error, out);
            }
        }
        Change::Same
    }

    /// Requests whose time is over.
    pub(super) fn time_out_requests(&mut self, now: Mono, out: &mut Vec<SdkOutput>) {
        while let Some(purpose) = self.requests.take_due(now) {
            self.failed(purpose, None, out);
            self.connect.doubt(now, out);
        }
    }

    /// The server says that it did what was asked. An answer of the wrong type says nothing.
    fn done(
        &mut self,
        conn: ConnId,
        purpose: Purpose,
        response: Response,
        out: &mut Vec<SdkOutput>,
    ) {
        match (purpose, response.body) {
            (
                Purpose::Publish { service, op },
                ResponseBody::Instance(_) | ResponseBody::BatchInstance,
            ) => {
                let settled = self.publish.ended(&service, op, Ended::Acknowledged);
                self.published(service, settled, out);
            }
            (
                Purpose::Subscribe { service, op, .. },
                ResponseBody::SubscribeService(Some(info)),
            ) => {
                let settled = self.subscribe.ended(&service, op, Ended::Acknowledged);
                self.subscribed(conn, &service, settled, &info, out);
            }
            (
                Purpose::Subscribe {
                    service,
                    op,
                    subscribe: false,
                },
                ResponseBody::SubscribeService(None),
            ) => {
                let settled = self.subscribe.ended(&service, op, Ended::Acknowledged);
                if let Settled::Yes {
                    call: Some(call), ..
                } = settled
                {
                    self.calls.finish(call, Ok(Answer::Done), out);
                }
            }
            (Purpose::Ask { call }, ResponseBody::QueryService(Some(info))) => {
                self.calls.finish(call, Ok(Answer::Service(info)), out);
            }
            (Purpose::Ask { call }, ResponseBody::ServiceList(list)) => {
                self.calls.finish(call, Ok(Answer::Services(*list)), out);
            }
            (purpose, _) => self.failed(purpose, None, out),
        }
    }

    fn published(&mut self, service: ServiceKey, settled: Settled, out: &mut Vec<SdkOutput>) {
        let Settled::Yes { call, something } = settled else {
            return;
        };
        if something {
            let redo = call.is_none();
            out.push(SdkOutput::Event(SdkEvent::Registered { service, redo }));
        }
        if let Some(call) = call {
            self.calls.finish(call, Ok(Answer::Done), out);
        }
    }

    fn subscribed(
        &mut self,
        conn: ConnId,
        service: &ServiceKey,
        settled: Settled,
        info: &Arc<ServiceInfo>,
        out: &mut Vec<SdkOutput>,
    ) {
        let Settled::Yes { call, something } = settled else {
            return;
        };
        let answer = if something {
            self.take_list(conn, service, info, out);
            // A push may have overtaken the answer: the call gets the newer of the two.
            Answer::Service(self.lists.get(service).unwrap_or(info).clone())
        } else {
            Answer::Done
        };
        if let Some(call) = call {
            self.calls.finish(call, Ok(answer), out);
        }
    }

    /// Not answered, or not now. A wish stays and is redone; a question ends with what the
    /// server said, and without a word when its call's time is over.
    fn failed(&mut self, purpose: Purpose, response: Option<&Response>, out: &mut Vec<SdkOutput>) {
        match purpose {
            Purpose::Publish { service, op } => {
                self.publish.ended(&service, op, Ended::Failed);
            }
            Purpose::Subscribe { service, op, .. } => {
                self.subscribe.ended(&service, op, Ended::Failed);
            }
            Purpose::Ask { call } => {
                if let Some(response) = response {
                    self.calls.finish(call, Err(refusal(response)), out);
                }
            }
        }
    }

    /// It will never be done: the wish is dropped.
    fn refused(&mut self, purpose: Purpose, error: CallError, out: &mut Vec<SdkOutput>) {
        let call = match purpose {
            Purpose::Publish { service, op } => {
                dropped_call(self.publish.ended(&service, op, Ended::Refused))
            }
            Purpose::Subscribe { service, op, .. } => {
                let settled = self.subscribe.ended(&service, op, Ended::Refused);
                if self.subscribe.wanted_of(&service).is_none() {
                    self.lists.remove(&service);
                }
                dropped_call(settled)
            }
            Purpose::Ask { call } => Some(call),
        };
        if let Some(call) = call {
            self.calls.finish(call, Err(error), out);
        }
    }
}

fn dropped_call(settled: Settled) -> Option<CallNo> {
    match settled {
        Settled::Dropped { call } => call,
        Settled::No | Settled::Yes { .. } => None,
    }
}

fn refusal(response: &Response) -> CallError {
    let message = response.message.clone().unwrap_or_else(|| Str::from(""));
    CallError::Refused {
        code: response.error_code,
        message,
    }
}

fn subscribe_request(operation: Operation<Str>) -> Request {
    let Operation {
        service,
        wish,
        accepted,
        ..
    } = operation;
    let subscribe = wish.is_some();
    let clusters = wish.or(accepted).unwrap_or_else(|| Str::from(""));
    Request::SubscribeService(Box::new(SubscribeServiceRequest {
        service,
        subscribe,
        clusters,
    }))
}
