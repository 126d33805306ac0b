use distro_core::ids::Str;
use distro_core::message::MessageKind;
use distro_core::rng::Rng;
use distro_core::time::Period;
use proptest::prelude::*;

use super::model::{Fault, HostFault, HostId, LinkFault, NameAnswer, What};
use super::*;

const RICH: &str = include_str!("tests/rich.toml");
const EVERY: &str = include_str!("tests/every.toml");
const REFERENCE: &str = include_str!("../../../docs/SCENARIOS.md");

fn good(text: &str) -> Scenario {
    parse("test", text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn bad(text: &str) -> String {
    parse("test", text).expect_err("a problem").list()[0]
        .message
        .clone()
}

/// A file with one entry in its timeline.
fn entry(text: &str) -> String {
    format!(
        "about = \"x\"\nduration = \"60s\"\nnodes = 3\n[[clients]]\nname = \"web\"\ncount = 2\n\
         [[timeline]]\n{text}\n"
    )
}

fn round_trip(first: Scenario) {
    let text = write(&first);
    assert_eq!(without_lines(first), without_lines(good(&text)), "{text}");
}

#[test]
fn rich_files_survive_a_round_trip() {
    round_trip(good(RICH));
    round_trip(good(EVERY));
}

#[test]
fn groups_are_written_as_groups() {
    let text = write(&good(RICH));
    assert!(
        text.contains("name = \"web\"\ncount = 4\nstart = \"0s..2s\"\n"),
        "{text}"
    );
    assert!(
        text.contains("between = [\"n1\", \"n2\"]") || text.contains("web-1"),
        "{text}"
    );
}

#[test]
fn every_kind_of_the_schema_is_understood() {
    for section in schema::FAULTS
        .iter()
        .chain(schema::CALLS)
        .chain(schema::OPERATIONS)
    {
        assert!(
            EVERY.contains(&format!("\"{}\"", section.title)),
            "{}",
            section.title
        );
    }
    let scenario = good(EVERY);
    assert_eq!(scenario.nodes[1].members, [HostId(1), HostId(2)]);
    assert_eq!(scenario.clients[3].group, "web");
}

/// Compares the problems of a file with what is written beside it.
fn shows(file: &str, text: &str, golden: &str) {
    let shown = parse(file, text).expect_err("problems").render(false);
    assert!(
        shown == golden,
        "the problems of {file}.toml are now:\n{shown}"
    );
}

#[test]
fn all_problems_of_a_file_are_shown_at_once() {
    shows(
        "bad",
        include_str!("tests/bad.toml"),
        include_str!("tests/bad.txt"),
    );
}

#[test]
fn all_syntax_errors_are_shown_at_once() {
    shows(
        "syntax",
        include_str!("tests/syntax.toml"),
        include_str!("tests/syntax.txt"),
    );
}

#[test]
fn actions_on_hosts_that_are_not_there_are_shown() {
    shows(
        "states",
        include_str!("tests/states.toml"),
        include_str!("tests/states.txt"),
    );
}

#[test]
fn fault_past_the_end_is_refused() {
    let pause = |at, lasts| {
        entry(&format!(
            "at = \"{at}\"\nfor = \"{lasts}\"\nfault = \"pause\"\nhosts = \"n1\""
        ))
    };
    good(&pause("50s", "10s"));
    assert_eq!(
        bad(&pause("51s", "10s")),
        "its end at 61s is past the end of the run"
    );
    assert_eq!(
        bad(&pause("61s", "1s")),
        "this entry at 61s is past the end of the run"
    );
}

#[test]
fn repetition_past_the_end_is_refused() {
    let text = entry(
        "at = \"10s\"\nevery = \"20s\"\ntimes = 4\ncall = \"query\"\nclient = \"web\"\nservice = \"s\"",
    );
    assert_eq!(bad(&text), "its end at 70s is past the end of the run");
}

#[test]
fn host_that_does_not_exist_is_named() {
    let problems = parse(
        "test",
        &entry("at = \"1s\"\nfault = \"kill\"\nhosts = \"web-3\""),
    );
    let problems = problems.expect_err("no such host");
    assert_eq!(problems.list()[0].message, "no host `web-3`");
    assert!(
        problems.list()[0].help.starts_with("did you mean `web-"),
        "{problems}"
    );
    assert_eq!(problems.line(&problems.list()[0]), 10);
}

#[test]
fn partition_of_a_host_with_itself_is_refused() {
    let between = |sides| {
        entry(&format!(
            "at = \"1s\"\nfault = \"partition\"\nbetween = {sides}"
        ))
    };
    assert_eq!(
        bad(&between("[\"n1\", \"n1\"]")),
        "this path leads from `n1` to itself"
    );
    assert_eq!(
        bad(&between("[\"n1\", \"nodes\"]")),
        "`n1` is on both sides"
    );
    assert_eq!(
        bad(&between("[\"all\", \"others\"]")),
        "there are no others"
    );
    good(&between("[\"n1\", \"others\"]"));
}

#[test]
fn others_are_everyone_not_named() {
    let text =
        entry("at = \"1s\"\nfault = \"partition\"\nbetween = [\"n1\", [\"n2\"], \"others\"]");
    let scenario = good(&text);
    assert_eq!(
        scenario.timeline.len(),
        3,
        "one partition for each pair of sides"
    );
    let What::Fault {
        fault: Fault::Link(path, LinkFault::Partition),
        lasts,
    } = &scenario.timeline[1].what
    else {
        panic!("{:?}", scenario.timeline[1]);
    };
    assert_eq!(path.from, [HostId(0)]);
    assert_eq!(path.to, [HostId(2), HostId(3), HostId(4)]);
    assert_eq!(*lasts, Period::MAX);
}

#[test]
fn kill_with_a_length_restarts_the_process() {
    let scenario = good(&entry(
        "at = \"5s\"\nfor = \"7s\"\nfault = \"kill\"\nhosts = \"n2\"",
    ));
    assert_eq!(scenario.timeline[1].at, Period::from_secs(12));
    assert!(matches!(
        scenario.timeline[1].what,
        What::Fault {
            fault: Fault::Hosts(_, HostFault::Restart { profile: None, .. }),
            ..
        }
    ));
}

#[test]
fn spread_clients_start_at_different_nodes() {
    let scenario = good(
        "about = \"x\"\nduration = \"9s\"\nnodes = 2\n[[clients]]\nname = \"c\"\ncount = 3\nstart = \"0s..4s\"",
    );
    let first: Vec<u32> = scenario
        .clients
        .iter()
        .map(|client| client.servers[0].0)
        .collect();
    assert_eq!(first, [0, 1, 0]);
    let starts: Vec<u64> = scenario
        .clients
        .iter()
        .map(|client| client.start.0)
        .collect();
    assert_eq!(starts, [0, 2_000_000, 4_000_000]);
}

#[test]
fn metadata_of_a_group_reaches_its_instances() {
    let scenario = good(RICH);
    let instance = &scenario.clients[1].register[0].1;
    assert_eq!(&*instance.ip, "10.1.0.2");
    assert_eq!(
        instance
            .metadata
            .get(&Str::from("zone"))
            .map(|zone| &**zone),
        Some("east")
    );
    let said = &scenario.clients[1].register[1].1;
    assert_eq!(
        said.metadata.keys().map(|key| &**key).collect::<Vec<_>>(),
        ["a"]
    );
    assert_eq!(scenario.clients[1].batch[0].1[2].port, 8_082);
}

#[test]
fn empty_file_and_binary_rubbish_are_problems_not_panics() {
    assert_eq!(parse("x", "").expect_err("nothing in it").list().len(), 3);
    assert!(parse("x", "\u{0}\u{1}=[").is_err());
    assert!(load(std::path::Path::new("/no/such/file.toml")).is_err());
}

#[test]
fn example_of_the_reference_parses() {
    let example = REFERENCE
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let scenario = good(example.expect("the reference has an example"));
    assert!(scenario.timeline.len() > 3, "the example shows a timeline");
    round_trip(scenario);
}

#[test]
fn a_name_gives_nothing_or_an_old_address() {
    let fails = |answer: &str| entry(&format!("at = \"1s\"\nfault = \"dns-failure\"\n{answer}"));
    let answer = |text: &str| {
        let scenario = good(&fails(text));
        let What::Fault {
            fault: Fault::Link(_, LinkFault::DnsFailure { answer }),
            lasts: Period::MAX,
        } = scenario.timeline[0].what
        else {
            panic!("{:?}", scenario.timeline[0]);
        };
        answer
    };
    assert_eq!(answer(""), NameAnswer::Nothing);
    assert_eq!(answer("answer = \"old-address\""), NameAnswer::OldAddress);
    assert_eq!(bad(&fails("answer = \"new\"")), "no answer `new`");
    assert_eq!(bad(&fails("answer = 1")), "`answer` is a number");
}

/// A random scenario, all of whose faults can happen at any time.
fn random(seed: u64) -> Scenario {
    let mut rng = Rng::new(seed, "scenario");
    let mut scenario = good(RICH);
    scenario.timeline.clear();
    scenario.expect.lists.clear();
    scenario.link.loss_per_million = u32::try_from(rng.below(1_000_001)).expect("small");
    let hosts = u64::try_from(scenario.hosts()).expect("small");
    for client in &mut scenario.clients {
        client.start = Period(rng.below(60_000_000));
        if rng.chance(300_000) {
            client.servers = vec![HostId(u32::try_from(rng.below(3)).expect("small"))];
        }
        for (_, instance) in &mut client.register {
            instance.port = i32::try_from(rng.below(70_000)).expect("small");
            instance.enabled = rng.chance(500_000);
        }
    }
    for _ in 0..rng.below(8) {
        let cut = u32::try_from(rng.between(1, hosts - 1)).expect("small");
        let all = (0..u32::try_from(hosts).expect("small")).map(HostId);
        let (from, to) = all.partition(|host| host.0 < cut);
        let kinds = if rng.chance(500_000) {
            vec![MessageKind::Change]
        } else {
            Vec::new()
        };
        let requests =
            [None, Some(true), Some(false)][usize::try_from(rng.below(3)).expect("small")];
        let path = model::Path {
            from,
            to,
            both: rng.chance(500_000),
            kinds,
            requests,
        };
        let at = Period(rng.below(30_000_000));
        let fault = match rng.below(4) {
            0 => Fault::Link(path, LinkFault::Partition),
            1 => Fault::Link(
                path,
                LinkFault::Delay {
                    by: Period(rng.below(9_999_999)),
                },
            ),
            2 => Fault::Link(
                path,
                LinkFault::Drop {
                    count: u32::try_from(rng.between(1, 9)).expect("small"),
                },
            ),
            _ => Fault::Hosts(
                path.to,
                HostFault::WallJump {
                    by_millis: i64::try_from(rng.below(2_000_000)).expect("small") - 1_000_000,
                },
            ),
        };
        let lasts =
            [Period::MAX, Period(rng.between(1, 30_000_000))][usize::from(rng.chance(500_000))];
        scenario.timeline.push(model::Action {
            at,
            what: What::Fault { fault, lasts },
            line: 0,
        });
    }
    scenario.timeline.sort_by_key(|action| action.at);
    scenario
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_scenarios_survive_a_round_trip(seed in any::<u64>()) {
        round_trip(random(seed));
    }

    #[test]
    fn broken_files_never_panic(at in 0..RICH.len(), cut in 0..40_usize, put in "[\\PC\"\\[\\]=.0-9]{0,6}") {
        let end = (at + cut).min(RICH.len());
        let text = format!("{}{put}{}", &RICH[..at], &RICH[end..]);
        if let Err(problems) = parse("broken", &text) {
            prop_assert!(!problems.list().is_empty());
            prop_assert!(!problems.render(false).is_empty());
        }
    }
}
