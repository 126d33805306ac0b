//! Everything that is counted or measured, as Prometheus text.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use distro_core::view::{Counters, PeerProof, Sizes};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Ops, Refusal};
use crate::shell::LinkCounters;

const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;

/// What one look at the machine brings.
struct Seen {
    ready: bool,
    counters: Counters,
    sizes: Sizes,
    requests: Vec<(&'static str, u64)>,
    peers: Vec<Peer>,
}

struct Peer {
    labels: Labels,
    connected: bool,
    pending: u64,
    lag_micros: u64,
    proof: PeerProof,
}

/// Answers a scrape. The numbers of one answer are of one moment.
pub(super) async fn metrics(State(ops): State<Arc<Ops>>) -> Result<Response, Refusal> {
    let seen = ops
        .look(|node| Seen {
            ready: node.is_ready(),
            counters: node.counters().clone(),
            sizes: node.sizes(),
            requests: node
                .requests()
                .map(|(kind, count)| (kind.name(), count))
                .collect(),
            peers: node
                .members()
                .map(|member| Peer {
                    labels: vec![("peer", member.node.to_string())],
                    connected: member.connected,
                    pending: member.pending,
                    lag_micros: node.sync_lag(member.node).micros(),
                    proof: member.proof,
                })
                .collect(),
        })
        .await?;
    let ready = seen.ready && !ops.draining.load(Ordering::Relaxed);
    let registry = registry(&seen, ready, &ops.links);
    let mut text = String::new();
    encode(&mut text, &registry)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn counter(registry: &mut Registry, name: &str, help: impl Into<String>, count: u64) {
    let counter: Counter = Counter::default();
    counter.inc_by(count);
    registry.register(name, help, counter);
}

fn gauge(registry: &mut Registry, name: &str, help: impl Into<String>, value: u64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    registry.register(name, help, gauge);
}

fn registry(seen: &Seen, ready: bool, links: &LinkCounters) -> Registry {
    let mut registry = Registry::with_prefix("distro");
    gauge(
        &mut registry,
        "ready",
        "1 when clients are served",
        u64::from(ready),
    );
    for (name, count) in seen.counters.fields() {
        counter(&mut registry, name, words(name), count);
    }
    for (name, size) in seen.sizes.fields() {
        gauge(
            &mut registry,
            name,
            format!("Entries now: {}", words(name)),
            size,
        );
    }
    for (name, count) in links.fields() {
        let help = format!("Of the transport: {}", words(name));
        counter(&mut registry, &format!("link_{name}"), help, count);
    }
    let requests = Family::<Labels, Counter>::default();
    for (kind, count) in &seen.requests {
        let labels = vec![("type", (*kind).to_owned())];
        requests.get_or_create(&labels).inc_by(*count);
    }
    registry.register("requests", "Requests received, by type", requests);
    peers(&mut registry, &seen.peers);
    registry
}

fn peers(registry: &mut Registry, peers: &[Peer]) {
    type Read = fn(&Peer) -> u64;
    let counters: [(&str, &str, Read); 4] = [
        (
            "peer_verify_sent",
            "Verify messages sent to a member",
            |p| p.proof.sent,
        ),
        (
            "peer_verify_matched",
            "Those that found no difference",
            |p| p.proof.matched,
        ),
        ("peer_verify_failed", "Records found to differ", |p| {
            p.proof.failed
        }),
        (
            "peer_verify_lost",
            "Verify messages without an answer",
            |p| p.proof.lost,
        ),
    ];
    for (name, help, read) in counters {
        let family = Family::<Labels, Counter>::default();
        for peer in peers {
            family.get_or_create(&peer.labels).inc_by(read(peer));
        }
        registry.register(name, help, family);
    }
    let gauges: [(&str, &str, Read); 4] = [
        (
            "peer_connected",
            "1 when this node's connection to it is set up",
            |p| u64::from(p.connected),
        ),
        (
            "peer_syncs_pending",
            "Syncs that wait or are under way",
            |p| p.pending,
        ),
        (
            "peer_sync_lag_microseconds",
            "Age of the oldest sync that waits",
            |p| p.lag_micros,
        ),
        (
            "peer_divergent_clients",
            "Clients that the latest verify found to differ",
            |p| p.proof.divergent,
        ),
    ];
    for (name, help, read) in gauges {
        let family = Family::<Labels, Gauge>::default();
        for peer in peers {
            let value = i64::try_from(read(peer)).unwrap_or(i64::MAX);
            family.get_or_create(&peer.labels).set(value);
        }
        registry.register(name, help, family);
    }
}
