//! What a message becomes once it is decoded, told before it is: a few bytes of JSON can become a
//! hundred times as many.

use distro_core::ids::Str;
use distro_core::message::{Malformed, Received};

use super::{LinkCounters, count};
use crate::codec::{Payload, decode_request};

/// Bodies up to this become nothing that hurts.
const LIGHT_BYTES: usize = 64 * 1024;
/// Bytes that an object becomes, about: an instance, with its map of metadata.
const OBJECT_BYTES: u64 = 240;
/// Bytes that a key and its value become, about, beside their texts.
const PAIR_BYTES: u64 = 32;
/// Bytes that a message may become.
const WEIGHT_MAX: u64 = 64 * 1024 * 1024;

/// What a payload that came as a request is. One that would become too big is malformed, and says
/// so.
pub(super) fn decode(payload: &Payload, counters: &LinkCounters) -> Received {
    let weight = weight(&payload.body);
    if weight <= WEIGHT_MAX {
        return decode_request(payload);
    }
    count(&counters.overweight);
    let message = format!(
        "the message would take {weight} bytes of memory, over the limit of {WEIGHT_MAX}: send fewer \
         instances at a time (limits.instances-per-batch is the most of a batch)"
    );
    Received::Malformed(Box::new(Malformed {
        type_name: payload.type_name.clone(),
        message: Str::from(message),
    }))
}

/// About how many bytes a JSON text becomes. No text of its own is looked into.
fn weight(body: &[u8]) -> u64 {
    if body.len() <= LIGHT_BYTES {
        return 0;
    }
    let (mut weight, mut in_text, mut escaped) = (body.len() as u64, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' if !in_text => weight += OBJECT_BYTES,
            b':' if !in_text => weight += PAIR_BYTES,
            _ => {}
        }
    }
    weight
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use bytes::Bytes;
    use distro_core::message::Request;

    use super::*;

    fn batch(instance: &str, count: usize) -> Payload {
        let instances = vec![instance; count].join(",");
        Payload {
            type_name: Str::from("BatchInstanceRequest"),
            client_ip: Str::from("10.0.0.1"),
            body: Bytes::from(format!(
                r#"{{"serviceName":"a","type":"batchRegisterInstance","instances":[{instances}]}}"#
            )),
        }
    }

    #[test]
    fn many_empty_instances_are_refused_before_they_become_anything() {
        let counters = LinkCounters::default();
        let received = decode(&batch("{}", 1_000_000), &counters);
        let Received::Malformed(malformed) = received else {
            panic!("{} was decoded", received.type_name());
        };
        assert!(malformed.message.contains("limits.instances-per-batch"));
        assert_eq!(counters.overweight.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_is_long_and_honest_is_decoded_and_braces_in_texts_weigh_nothing() {
        let counters = LinkCounters::default();
        let text = r#"{"ip":"10.0.0.1","port":80,"metadata":{"a":"{{{{\"{{{{:::"}}"#;
        let received = decode(&batch(text, 20_000), &counters);
        let request = received.request();
        assert!(
            matches!(request, Some(Request::BatchInstance(_))),
            "{received:?}"
        );
        assert_eq!(counters.overweight.load(Ordering::Relaxed), 0);
    }
}
