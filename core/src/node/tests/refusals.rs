//! What is known and not offered is refused by a failure of the type that its caller waits for.
//! An SDK hands that on; a generic error it would try again, then doubt its connection.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::cluster::Cluster;
use crate::message::naming::{
    BatchInstanceRequest, Instance, InstanceOperation, InstanceRequest, ServiceKey,
};
use crate::message::unsupported::Unsupported;
use crate::message::{Denied, MessageKind, Received, Request, Response, ResponseBody, code};
use crate::profile::{Profile, Release};

fn single(operation: InstanceOperation, ephemeral: bool) -> Box<InstanceRequest> {
    let mut instance = Instance::new("10.1.0.0", 80);
    instance.ephemeral = ephemeral;
    Box::new(InstanceRequest {
        service: ServiceKey::named("orders"),
        operation,
        instance,
    })
}

fn batch() -> Box<BatchInstanceRequest> {
    let mut persistent = Instance::new("10.1.0.0", 81);
    persistent.ephemeral = false;
    Box::new(BatchInstanceRequest {
        service: ServiceKey::named("orders"),
        instances: vec![Instance::new("10.1.0.0", 80), persistent],
    })
}

/// What is refused, and the type that says so.
fn refused() -> Vec<(Received, &'static str)> {
    let (register, deregister) = (InstanceOperation::Register, InstanceOperation::Deregister);
    let mut table = vec![
        (
            Request::PersistentInstance(single(register, false)).into(),
            "InstanceResponse",
        ),
        (
            Request::PersistentInstance(single(deregister, false)).into(),
            "InstanceResponse",
        ),
        (
            Request::Instance(single(register, false)).into(),
            "InstanceResponse",
        ),
        (
            Request::BatchInstance(batch()).into(),
            "BatchInstanceResponse",
        ),
    ];
    let modules = Unsupported::ALL.into_iter();
    table.extend(modules.map(|(which, _, response)| (Received::Unsupported(which), response)));
    table
}

#[test]
fn what_is_not_offered_gets_a_failure_of_its_own_type_and_changes_nothing() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let client = cluster.connect(0);
    for (received, response) in refused() {
        let name = Box::<str>::from(received.type_name());
        cluster.ask(client, received);
        let (_, answer) = cluster.answers.last().expect("it is answered");
        assert_eq!(answer.body.type_name(), response, "{name}");
        assert_eq!(answer.result_code, code::FAIL, "{name}");
        assert_eq!(answer.error_code, code::SERVER_NOT_IMPLEMENTED, "{name}");
        let text = answer.message.as_deref().expect("it says why");
        assert!(text.contains("ephemeral"), "{name}: {text}");
    }
    assert_eq!(cluster.nodes[0].sizes().instances, 0);
    cluster.ask(client, Request::HealthCheck);
    let (_, answer) = cluster.answers.last().expect("it is answered");
    assert_eq!(
        answer.body,
        ResponseBody::HealthCheck,
        "it is still connected"
    );
    assert!(answer.is_ok());
}

#[test]
fn withdrawing_asks_nothing_about_the_instance() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let client = cluster.connect(0);
    cluster.register(client, "orders", 80);
    let withdraw = single(InstanceOperation::Deregister, false);
    cluster.ask(client, Request::Instance(withdraw));
    let (_, answer) = cluster.answers.last().expect("it is answered");
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(cluster.listed(0, "orders"), 0);
}

#[test]
fn a_nacos_profile_takes_every_single_instance_for_ephemeral() {
    let mut cluster = Cluster::new(1, Profile::of(Release::Nacos3));
    let client = cluster.connect(0);
    let register = single(InstanceOperation::Register, false);
    cluster.ask(client, Request::Instance(register));
    assert_eq!(cluster.listed(0, "orders"), 1);
}

#[test]
fn a_denied_request_is_answered_with_its_refusal_and_changes_nothing() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let client = cluster.connect(0);
    let refused = cluster.nodes[0].counters().requests_refused;
    let request = Request::Instance(single(InstanceOperation::Register, true));
    let refusal = Response::fail(code::NO_RIGHT, "no token", request.failed());
    let denied = Denied {
        request,
        refusal: refusal.clone(),
    };
    cluster.ask(client, Received::Denied(Box::new(denied)));
    let (_, answer) = cluster.answers.last().expect("it is answered");
    assert_eq!(*answer, refusal);
    assert_eq!(cluster.nodes[0].sizes().instances, 0);
    let node = &cluster.nodes[0];
    assert_eq!(node.counters().requests_refused, refused + 1);
    let count = |of| {
        node.requests()
            .find(|(kind, _)| *kind == of)
            .map(|(_, n)| n)
    };
    assert_eq!(count(MessageKind::Register), Some(1));
    assert_eq!(count(MessageKind::HealthCheck), Some(0));
}

#[test]
fn where_a_health_check_would_be_refused_a_denied_request_is_refused_alike() {
    let mut cluster = Cluster::new(1, Profile::DISTRO);
    let client = cluster.open(0);
    let request = Request::Instance(single(InstanceOperation::Register, true));
    let refusal = Response::fail(code::NO_RIGHT, "no token", request.failed());
    cluster.ask(client, Request::HealthCheck);
    let (_, before) = cluster.answers.last().expect("it is answered").clone();
    let denied = Denied { request, refusal };
    cluster.ask(client, Received::Denied(Box::new(denied)));
    let (_, answer) = cluster.answers.last().expect("it is answered");
    assert_eq!(answer.error_code, code::UN_REGISTER);
    assert_eq!(*answer, before);
}
