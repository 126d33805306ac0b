use super::agenda::Agenda;
use super::*;
use crate::scenario::model::{ClientOp, ConnFault, Path};
use crate::scenario::parse;

/// A stage that only notes what it is told, in seconds.
#[derive(Default)]
struct Paper {
    now: u64,
    agenda: Agenda,
    running: [bool; 3],
    notes: Vec<String>,
}

impl Paper {
    fn note(&mut self, what: impl std::fmt::Display) -> Done {
        self.notes.push(format!("{} {what}", self.now / 1_000_000));
        Ok(())
    }
}

impl Stage for Paper {
    fn now(&self) -> u64 {
        self.now
    }
    fn plan(&mut self, at: u64, due: Due) {
        self.agenda.push(at, due);
    }
    fn began(&mut self, index: usize, _: &Action) {
        self.notes
            .push(format!("{} begins {index}", self.now / 1_000_000));
    }
    fn ended(&mut self, index: usize, _: &Action) {
        self.notes
            .push(format!("{} ends {index}", self.now / 1_000_000));
    }
    fn runs(&self, host: u32) -> bool {
        self.running[host as usize]
    }
    fn start(&mut self, host: u32, _: Profile) -> Done {
        self.running[host as usize] = true;
        self.note(format_args!("start {host}"))
    }
    fn stop(&mut self, host: u32, silent: bool) -> Done {
        self.running[host as usize] = false;
        self.note(format_args!("stop {host} {silent}"))
    }
    fn pause(&mut self, host: u32, pause: bool) -> Done {
        self.note(format_args!("pause {host} {pause}"))
    }
    fn slow(&mut self, host: u32, per_message: Option<Period>) -> Done {
        self.note(format_args!("slow {host} {per_message:?}"))
    }
    fn clock(&mut self, host: u32, turn: Turn) -> Done {
        self.note(format_args!("clock {host} {turn:?}"))
    }
    fn call(&mut self, host: u32, op: ClientOp) -> Done {
        let what = match op {
            ClientOp::Register(..) | ClientOp::Batch(..) => "publish",
            ClientOp::Deregister(_) => "withdraw",
            ClientOp::Subscribe(_) | ClientOp::Unsubscribe(_) | ClientOp::Query(_) => "ask",
        };
        self.note(format_args!("call {host} {what}"))
    }
    fn order(&mut self, host: u32, _: Order<'_>) -> Done {
        self.note(format_args!("order {host}"))
    }
    fn link(&mut self, action: u32, _: &Path, fault: &LinkFault) -> Done {
        self.note(format_args!("link {action} {}", fault.name()))
    }
    fn unlink(&mut self, action: u32, fault: &LinkFault) -> Done {
        self.note(format_args!("unlink {action} {}", fault.name()))
    }
    fn cut(&mut self, _: &Path, fault: ConnFault) -> Done {
        self.note(format_args!("cut {}", fault.name()))
    }
}

/// Two nodes and a client, 0 to 2, for 100 s, with these entries in the timeline.
fn file(entries: &[&str]) -> Scenario {
    let mut text = "about = \"x\"\nduration = \"100s\"\nnodes = 2\n\
        [[clients]]\nname = \"web\"\nregister = [\"s\"]\n"
        .to_owned();
    for entry in entries {
        text.push_str("[[timeline]]\n");
        text.push_str(&entry.replace("; ", "\n"));
        text.push('\n');
    }
    parse("x", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What a stage is told after the start, and what is skipped.
fn played(scenario: &Scenario) -> (Vec<String>, Skipped) {
    let mut paper = Paper::default();
    let mut script = Script::new(scenario, 1, &mut paper);
    while let Some(at) = paper.agenda.next().filter(|at| *at <= scenario.duration.0) {
        paper.now = at;
        let due = paper.agenda.pop(at).unwrap();
        script.due(&mut paper, due).unwrap();
    }
    let begin = ["0 start 0", "0 start 1", "0 start 2", "0 call 2 publish"];
    assert_eq!(paper.notes[..4], begin);
    (paper.notes.split_off(4), script.into_skipped())
}

fn told(entries: &[&str]) -> Vec<String> {
    let mut told = played(&file(entries)).0;
    told.retain(|note| !note.contains("begins") && !note.contains("ends"));
    told
}

#[test]
fn pauses_that_overlap_are_one() {
    let mut scenario = file(&["at = \"10s\"; for = \"20s\"; fault = \"pause\"; hosts = \"n1\""]);
    // No file may say this: a paused host does nothing, so it cannot be paused.
    let mut again = scenario.timeline[0].clone();
    again.at = Period::from_secs(20);
    scenario.timeline.push(again);
    let (notes, _) = played(&scenario);
    assert_eq!(
        notes,
        [
            "10 begins 0",
            "10 pause 0 true",
            "20 begins 1",
            "30 ends 0",
            "40 ends 1",
            "40 pause 0 false"
        ]
    );
}

#[test]
fn what_makes_a_host_slow_adds_up() {
    let slow = |at: u32, per_message: &str| {
        format!(
            "at = \"{at}s\"; for = \"20s\"; fault = \"slow\"; hosts = \"n1\"; \
             per-message = \"{per_message}\""
        )
    };
    assert_eq!(
        told(&[&slow(10, "3ms"), &slow(20, "5ms")]),
        [
            "10 slow 0 Some(Period(3000))",
            "20 slow 0 Some(Period(8000))",
            "30 slow 0 Some(Period(5000))",
            "40 slow 0 None"
        ]
    );
}

#[test]
fn a_rolling_restart_ends_when_the_last_host_is_back() {
    let (notes, skipped) = played(&file(&[
        "at = \"10s\"; fault = \"rolling-restart\"; step = \"20s\"; down = \"5s\"",
        "at = \"12s\"; operate = \"rebalance\"; node = \"n1\"; keep = 1",
    ]));
    assert_eq!(
        notes,
        [
            "10 begins 0",
            "10 stop 0 false",
            "12 begins 1",
            "15 start 0",
            "30 stop 1 false",
            "35 start 1",
            "35 ends 0"
        ]
    );
    let why = "n1 is not running and cannot be operated".to_owned();
    assert_eq!(skipped, [(12, why)]);
}

#[test]
fn a_clock_that_jumped_for_a_while_jumps_back() {
    let jump = "at = \"10s\"; fault = \"wall-jump\"; hosts = \"n1\"; by = \"-1s\"";
    assert_eq!(told(&[jump]), ["10 clock 0 Wall(-1000)"]);
    assert_eq!(
        told(&[&format!("{jump}; for = \"5s\"")]),
        ["10 clock 0 Wall(-1000)", "15 clock 0 Wall(1000)"]
    );
}

#[test]
fn a_fault_that_is_spent_ends_once() {
    let scenario = file(&["at = \"10s\"; for = \"5s\"; fault = \"drop\"; count = 1"]);
    let mut paper = Paper::default();
    let mut script = Script::new(&scenario, 1, &mut paper);
    script.due(&mut paper, Due::Begin(0)).unwrap();
    script.end(&mut paper, 0).unwrap();
    script.due(&mut paper, Due::End(0)).unwrap();
    assert_eq!(
        paper.notes,
        ["0 begins 0", "0 link 0 drop", "0 ends 0", "0 unlink 0 drop"]
    );
}

#[test]
fn a_restart_repeats_as_often_as_the_file_says() {
    let told =
        told(&["at = \"10s\"; every = \"20s\"; times = 2; fault = \"restart\"; hosts = \"web\""]);
    let once = |at: u32| ["stop 2 false", "start 2", "call 2 publish"].map(|s| format!("{at} {s}"));
    assert_eq!(told, [once(10), once(30)].concat());
}

#[test]
fn what_a_world_cannot_do_is_left_out_and_what_it_does_partly_stays() {
    let scenario = file(&[
        "at = \"10s\"; fault = \"kill\"; hosts = \"n1\"",
        "at = \"20s\"; fault = \"reset\"; between = [\"n1\", \"n2\"]",
        "at = \"30s\"; fault = \"loss\"; rate = \"1%\"",
    ]);
    let (possible, skipped) = possible(&scenario, |action| match &action.what {
        What::Fault {
            fault: Fault::Conns(..),
            ..
        } => Can::Not("cannot".to_owned()),
        What::Fault {
            fault: Fault::Link(..),
            ..
        } => Can::Partly("partly".to_owned()),
        What::Fault { .. } | What::Call { .. } | What::Operate { .. } => Can::Wholly,
    });
    let left: Vec<u32> = possible.timeline.iter().map(|action| action.line).collect();
    assert_eq!(left, [7, 15]);
    let said = [(11, "cannot".to_owned()), (15, "partly".to_owned())];
    assert_eq!(skipped, said);
}
