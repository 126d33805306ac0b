//! The cases of a program, then the faults, judged by what its second client sees.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::cluster::Cluster;
use super::process::distro;
use super::speaker::{Speaker, Speaks};
use super::suite::{Program, Suite};
use super::table::{Case, Row, Verdict};

/// The node that keeps running: B is there.
const OBSERVED: usize = 1;
/// The node of A, and one of the two between which `hold` moves.
const OF_A: usize = 0;
/// Where `hold` may be.
const HOLDERS: [usize; 2] = [OF_A, 2];
/// An instance that only the node that dies was told of.
const WITNESS: &str = "10.9.9.9:1";
/// The host of an instance that only the node that keeps running is told of.
const FENCE: &str = "10.9.9.8";

/// Runs a suite from the first case to the last fault.
pub(crate) fn run(suite: &'static Suite, program: &Program, dir: &Path) -> Row {
    let files = tempfile::tempdir_in(dir).unwrap();
    let cluster = match Cluster::start(files.path(), suite.redo_seconds) {
        Ok(cluster) => cluster,
        Err(error) => return Row::broken(suite.name, error),
    };
    let mut run = Run {
        suite,
        program,
        cluster,
        files: files.path(),
        logs: dir,
        cases: Vec::new(),
        fences: 0,
    };
    let mut main = run.launch("main");
    let sdk = main.until("its name", |line| !line["sdk"].is_null());
    let sdk = match sdk {
        Ok(line) => (word(&line["sdk"]), word(&line["version"])),
        Err(error) => return Row::broken(suite.name, error),
    };
    let broken = run.everything(main).err();
    Row::ran(suite.name, sdk, run.cases, broken)
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or("?").to_owned()
}

struct Run<'a> {
    suite: &'static Suite,
    program: &'a Program,
    cluster: Cluster,
    /// For what the SDKs write; gone afterwards.
    files: &'a Path,
    /// For what the programs say beside their answers; stays.
    logs: &'a Path,
    cases: Vec<Case>,
    fences: u16,
}

impl<'a> Run<'a> {
    fn launch(&self, role: &str) -> Speaker {
        let mut command = Command::new(&self.program.command);
        command.args(&self.program.arguments).arg(role);
        command.envs(self.program.environment.iter().cloned());
        command.env("SUITE_A", self.cluster.address(OF_A));
        command.env("SUITE_B", self.cluster.address(OBSERVED));
        let all = HOLDERS.map(|index| self.cluster.address(index));
        command.env("SUITE_ALL", all.join(","));
        command.env("SUITE_DIR", self.files).current_dir(self.files);
        let noise = std::fs::File::create(self.logs.join(format!("{role}.log"))).unwrap();
        Speaker::start(command, Speaks::Out, Stdio::from(noise))
    }

    fn everything(&mut self, mut main: Speaker) -> Result<(), String> {
        self.take_cases(&mut main)?;
        main.until("observing", |line| !line["observing"].is_null())?;
        let mut hold = self.launch("hold");
        let held = hold.until("holding", |line| !line["holding"].is_null())?;
        let held = word(&held["holding"]);
        main.ask(&format!("present {held}"), "present")?;
        let stages: [(&str, Stage<'a>); 4] = [
            ("node-killed", Run::node_killed),
            ("node-restarted", Run::node_restarted),
            ("node-drained", Run::node_drained),
            ("client-stopped", Run::client_stopped),
        ];
        for (name, stage) in stages {
            let result = stage(self, &mut main, &hold, &held);
            let failed = result.is_err();
            self.record(name, result);
            if failed {
                return Err(format!("no further stage after {name}"));
            }
        }
        main.tell("end");
        Ok(())
    }

    /// The results of the cases, until the program has no more.
    fn take_cases(&mut self, main: &mut Speaker) -> Result<(), String> {
        loop {
            let line = main.until("a case", |line| {
                !line["case"].is_null() || !line["cases"].is_null()
            })?;
            if !line["cases"].is_null() {
                return Ok(());
            }
            let name = word(&line["case"]);
            if let Some(why) = line["skip"].as_str() {
                self.push(&name, Verdict::Skipped(why.to_owned()));
                continue;
            }
            let note = line["note"].as_str().map(str::to_owned);
            let result = match line["ok"] == true {
                true => Ok(note),
                false => Err(word(&line["why"])),
            };
            self.record(&name, result);
        }
    }

    /// A failure that is known to be the SDK's is explained, and one that no longer happens must
    /// lose its explanation.
    fn record(&mut self, name: &str, result: Result<Option<String>, String>) {
        let known = self.suite.explained.iter().find(|(case, _)| *case == name);
        let verdict = match (result, known) {
            (Ok(note), None) => Verdict::Passed(note),
            (Err(_), Some((_, why))) => Verdict::Explained((*why).to_owned()),
            (Err(why), None) => Verdict::Failed(why),
            (Ok(_), Some(_)) => Verdict::Failed("passes, yet is explained as failing".to_owned()),
        };
        self.push(name, verdict);
    }

    /// Takes note of how a case ended and tells whoever is waiting.
    fn push(&mut self, name: &str, verdict: Verdict) {
        eprintln!("{} {name}: {}", self.suite.name, verdict.word());
        self.cases.push(Case {
            name: name.to_owned(),
            verdict,
        });
    }

    /// Where `hold` is; any of its nodes when its protocol has no connection.
    fn holder(&self, hold: &Speaker) -> usize {
        let connected = self.cluster.connected(hold.id(), &HOLDERS);
        connected.unwrap_or(HOLDERS[1])
    }

    /// Registers the witness at one node alone.
    fn witness(&self, node: usize, main: &mut Speaker) -> Result<Speaker, String> {
        self.publish(WITNESS, node, main)
    }

    /// What B sees afterwards is what its node knew at this moment, or later: the pushes until now
    /// have arrived, for one that came after them has.
    fn fence(&mut self, main: &mut Speaker) -> Result<(), String> {
        self.fences += 1;
        let fence = format!("{FENCE}:{}", self.fences);
        self.publish(&fence, OBSERVED, main).map(drop)
    }

    /// An instance of the held service that lives as long as what is returned, seen by B.
    fn publish(&self, instance: &str, node: usize, main: &mut Speaker) -> Result<Speaker, String> {
        let mut command = distro();
        command.args(["register", "held", instance, "--format", "json"]);
        command.args(["--server", &self.cluster.address(node)]);
        command.env("XDG_RUNTIME_DIR", self.files);
        let mut publisher = Speaker::start(command, Speaks::Out, Stdio::null());
        publisher.until("registered", |line| line["type"] == "registered")?;
        main.ask(&format!("present {instance}"), "present")?;
        Ok(publisher)
    }

    /// A node dies: the SDK goes to another and registers again, before everything that the dead
    /// node was told is gone, so that its instance never leaves the list.
    fn node_killed(
        &mut self,
        main: &mut Speaker,
        hold: &Speaker,
        held: &str,
    ) -> Result<Option<String>, String> {
        let victim = self.holder(hold);
        let witness = self.witness(victim, main)?;
        main.ask("mark", "marked")?;
        self.cluster.kill(victim);
        drop(witness);
        main.ask(&format!("absent {WITNESS}"), "absent")?;
        self.fence(main)?;
        main.ask(&format!("present {held}"), "present")?;
        self.cluster.start_node(victim)?;
        stayed(main, held)
    }

    /// A node dies and is back at once: all that its clients registered is there when the grace
    /// for the clients of its earlier life is over.
    fn node_restarted(
        &mut self,
        main: &mut Speaker,
        _: &Speaker,
        held: &str,
    ) -> Result<Option<String>, String> {
        let witness = self.witness(OF_A, main)?;
        main.ask("mark", "marked")?;
        self.cluster.kill(OF_A);
        drop(witness);
        self.cluster.start_node(OF_A)?;
        main.ask(&format!("absent {WITNESS}"), "absent")?;
        self.fence(main)?;
        main.ask(&format!("present {held}"), "present")?;
        main.ask("sees register 80", "sees")?;
        main.ask("sees batch 82 83", "sees")?;
        stayed(main, held)
    }

    /// A node is stopped with grace: its clients leave, nothing stays behind, it exits 0.
    fn node_drained(
        &mut self,
        main: &mut Speaker,
        hold: &Speaker,
        held: &str,
    ) -> Result<Option<String>, String> {
        let node = self.holder(hold);
        main.ask("mark", "marked")?;
        let code = self.cluster.stop(node);
        if code != Some(0) {
            return Err(format!("the node that was stopped exited with {code:?}"));
        }
        self.fence(main)?;
        main.ask(&format!("present {held}"), "present")?;
        self.cluster.start_node(node)?;
        let left = has_left(main, held)?;
        Ok(left.then(|| "away until its SDK registered it again".to_owned()))
    }

    /// A client hangs: it leaves the lists; it runs again: it is back.
    fn client_stopped(
        &mut self,
        main: &mut Speaker,
        hold: &Speaker,
        held: &str,
    ) -> Result<Option<String>, String> {
        hold.signal("-STOP");
        let stopped = Instant::now();
        let gone = main.ask(&format!("absent {held}"), "absent");
        let after = stopped.elapsed();
        hold.signal("-CONT");
        gone?;
        let continued = Instant::now();
        main.ask(&format!("present {held}"), "present")?;
        Ok(Some(format!(
            "gone {:.1} s after the stop (bound: {}), back {:.1} s after it ran again",
            after.as_secs_f64(),
            self.suite.silence_bound,
            continued.elapsed().as_secs_f64()
        )))
    }
}

/// A fault and what to tell of it.
type Stage<'a> = fn(&mut Run<'a>, &mut Speaker, &Speaker, &str) -> Result<Option<String>, String>;

/// Whether the held instance was away for a while since the mark.
fn has_left(main: &mut Speaker, held: &str) -> Result<bool, String> {
    let removed = main.ask("removed", "removed")?;
    let removed = removed.as_array();
    Ok(removed.is_some_and(|all| all.contains(&held.into())))
}

/// An error when it was.
fn stayed(main: &mut Speaker, held: &str) -> Result<Option<String>, String> {
    if has_left(main, held)? {
        return Err(format!("{held} was lost for a while"));
    }
    Ok(None)
}
