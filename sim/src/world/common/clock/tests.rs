use super::*;

const SECOND: u64 = 1_000_000;

#[test]
fn a_true_clock_shows_true_time_from_its_boot() {
    let clock = Clock::new(Period::from_secs(100));
    let now = clock.read(5 * SECOND);
    assert_eq!(now.mono, Mono(105 * SECOND));
    assert_eq!(now.wall, Wall(EPOCH_MILLIS + 5_000));
    assert_eq!(clock.when(Mono(107 * SECOND)), 7 * SECOND);
}

#[test]
fn a_deadline_is_met_at_the_first_microsecond_that_shows_it() {
    for ppm in [-900_000, -333, -1, 1, 77, 500_000, 3_000_000] {
        let mut clock = Clock::new(Period(17));
        clock.drift(3, ppm);
        for deadline in [18, 1_000, 999_999, 180 * SECOND + 7] {
            let at = clock.when(Mono(deadline));
            assert!(clock.read(at).mono >= Mono(deadline), "{ppm} {deadline}");
            assert!(
                at <= 3 || clock.read(at - 1).mono < Mono(deadline),
                "{ppm} {deadline}"
            );
        }
    }
}

#[test]
fn drift_moves_both_clocks_and_ends_without_a_jump() {
    let mut clock = Clock::new(Period::ZERO);
    clock.drift(10 * SECOND, 500_000);
    assert_eq!(clock.read(20 * SECOND).mono, Mono(25 * SECOND));
    clock.drift(20 * SECOND, -500_000);
    assert_eq!(clock.read(20 * SECOND).mono, Mono(25 * SECOND));
    let later = clock.read(30 * SECOND);
    assert_eq!(
        (later.mono, later.wall),
        (Mono(35 * SECOND), Wall(EPOCH_MILLIS + 35_000))
    );
}

#[test]
fn each_clock_jumps_for_itself() {
    let mut clock = Clock::new(Period::ZERO);
    clock.jump_wall(-7_000);
    clock.jump_mono(Period::from_secs(2));
    let now = clock.read(SECOND);
    assert_eq!(
        (now.mono, now.wall),
        (Mono(3 * SECOND), Wall(EPOCH_MILLIS - 6_000))
    );
    assert_eq!(clock.when(Mono(3 * SECOND)), SECOND);
}

#[test]
fn a_clock_never_stands_still() {
    let mut clock = Clock::new(Period::ZERO);
    clock.drift(0, -5_000_000);
    assert!(clock.read(10_000 * SECOND).mono > Mono(0));
}
