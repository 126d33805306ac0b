use super::*;

#[test]
fn earlier_comes_first_and_equal_times_keep_their_order() {
    let mut queue = Queue::default();
    for (at, host) in [(5, 0), (3, 1), (5, 2), (3, 3), (4, 4)] {
        queue.push(at, Event::Wake(host));
    }
    let popped: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
    assert_eq!(
        popped,
        [
            (3, Event::Wake(1)),
            (3, Event::Wake(3)),
            (4, Event::Wake(4)),
            (5, Event::Wake(0)),
            (5, Event::Wake(2)),
        ]
    );
}
