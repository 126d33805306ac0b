use distro_node::text::value::{TIME_HELP, bytes};

use super::*;

#[test]
fn times_are_read_exactly() {
    assert_eq!(period("30s"), Ok(Period::from_secs(30)));
    assert_eq!(period("1.5s"), Ok(Period::from_millis(1_500)));
    assert_eq!(period("2m"), Ok(Period::from_secs(120)));
    assert_eq!(period("7us"), Ok(Period(7)));
    assert_eq!(
        period("0.5us").map_err(|wrong| wrong.help),
        Err(TIME_HELP.to_owned())
    );
    assert!(period("99999999999999999999s").is_err());
    assert!(period("9999999h").is_err());
    assert!(period("").is_err());
    assert!(period(".").is_err());
    assert!(period("-5s").is_err());
}

#[test]
fn wrong_units_are_answered_with_the_right_one() {
    assert_eq!(period("5 sec").expect_err("unit").help, "write \"5s\"");
    assert_eq!(period("5 s").expect_err("blank").help, "write \"5s\"");
    assert_eq!(period("2mins").expect_err("unit").help, "write \"2m\"");
    assert_eq!(period("30").expect_err("none").message, "`30` has no unit");
    assert!(
        period("3d")
            .expect_err("days")
            .help
            .starts_with("units are us, ms, s, m and h")
    );
}

#[test]
fn every_value_is_written_as_it_is_read() {
    for micros in [0, 1, 999, 1_000, 1_500_000, 60_000_000, 86_400_000_000] {
        assert_eq!(period(&period_text(Period(micros))), Ok(Period(micros)));
    }
    for per_million in [0, 1, 100, 9_999, 10_000, 12_345, 500_000, 1_000_000] {
        assert_eq!(rate(&rate_text(per_million)), Ok(per_million));
    }
    for millis in [-90_000, -1, 0, 1, 250, 5_000] {
        assert_eq!(signed_millis(&signed_millis_text(millis)), Ok(millis));
    }
    for text in [
        "distro",
        "nacos-2.3",
        "distro + retry-replaces-delete",
        "nacos-3 - ages-on-wall-clock",
    ] {
        assert_eq!(profile_text(profile(text).expect(text)), text);
    }
    for text in ["orders", "G@@orders", "ns@@G@@orders"] {
        assert_eq!(
            service_text(&service(text).expect(text)).as_deref(),
            Some(text)
        );
    }
}

#[test]
fn ranges_must_not_be_reversed() {
    assert_eq!(period_range("1ms..5ms"), Ok((Period(1_000), Period(5_000))));
    assert_eq!(period_range("3ms"), Ok((Period(3_000), Period(3_000))));
    assert_eq!(
        period_range("5ms..1ms").expect_err("reversed").help,
        "write \"1ms..5ms\""
    );
}

#[test]
fn shares_stay_between_nothing_and_everything() {
    assert_eq!(rate("2.5%"), Ok(25_000));
    assert!(rate("101%").is_err());
    assert!(rate("0.00001%").is_err());
    assert!(
        rate("5")
            .expect_err("no sign")
            .help
            .ends_with("with the sign")
    );
}

#[test]
fn sizes_know_their_units() {
    assert_eq!(bytes("1MiB"), Ok(1 << 20));
    assert_eq!(bytes("1.5KiB"), Ok(1_536));
    assert!(
        bytes("1mb")
            .expect_err("case")
            .help
            .contains("did you mean")
    );
    assert!(bytes("99999999999GiB").is_err());
}
