use std::sync::Arc;

use distro_core::ids::{ClientId, Revision};
use distro_core::message::ResponseBody;
use distro_core::message::distro::{ClientSyncData, DistroDataResponse};
use distro_core::message::naming::{Instance, Published, ServiceKey};

use super::*;

fn snapshot(records: usize) -> Response {
    let published = Published::Single(Arc::new(Instance::new("10.1.0.1", 8080)));
    let data = Arc::new(ClientSyncData {
        client: ClientId::new("1767225600000_10.1.0.1_40000"),
        origin: None,
        revision: Revision(1),
        services: vec![(ServiceKey::named("s"), published)],
        words: Vec::new(),
    });
    Response::ok(ResponseBody::DistroData(DistroDataResponse::Snapshot(
        vec![data; records],
    )))
}

#[test]
fn a_snapshot_grows_with_its_records_until_it_is_over_the_limit() {
    let one = response(&snapshot(1)) - BASE;
    assert_eq!(response(&snapshot(100)) - BASE, 100 * one);
    assert!(!response_over(&snapshot(10), 10 * one + BASE));
    assert!(response_over(&snapshot(11), 10 * one + BASE));
}

#[test]
fn small_messages_are_never_over_the_smallest_limit() {
    assert!(!request_over(&Request::HealthCheck, 4096));
    assert!(!response_over(
        &Response::ok(ResponseBody::HealthCheck),
        4096
    ));
}
