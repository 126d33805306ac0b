//! The SDKs: where their programs are, how they are built, what is known of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::cluster::SILENCE_BOUND;

/// How to start a program.
pub(crate) struct Program {
    pub(crate) command: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
}

/// Why a suite cannot run.
pub(crate) enum Unready {
    /// Its tools or packages are not here.
    Missing(String),
    /// All is here, yet our program does not build.
    Broken(String),
}

/// An SDK.
pub(crate) struct Suite {
    /// As `SDK_SUITES` names it.
    pub(crate) name: &'static str,
    /// Cases that fail because of the SDK, and why.
    pub(crate) explained: &'static [(&'static str, &'static str)],
    /// How many seconds it may take until the SDK registers again what a lost connection cost: the
    /// period of its redo task.
    pub(crate) redo_seconds: u32,
    /// When a client that hangs is gone at the latest, as people read it.
    pub(crate) silence_bound: &'static str,
    build: fn(&Path) -> Result<Program, Unready>,
}

/// All of them; those that need only Rust and Python first.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "python",
        explained: &[],
        redo_seconds: 30,
        silence_bound: SILENCE_BOUND,
        build: python,
    },
    Suite {
        name: "rust",
        explained: &[],
        redo_seconds: 10,
        silence_bound: SILENCE_BOUND,
        build: rust,
    },
    Suite {
        name: "java2",
        explained: &[],
        redo_seconds: 3,
        silence_bound: SILENCE_BOUND,
        build: |dir| java(dir, "nacos2", &["java/Suite.java"]),
    },
    Suite {
        name: "java3",
        explained: &[],
        redo_seconds: 3,
        silence_bound: SILENCE_BOUND,
        build: |dir| java(dir, "nacos3", &["java/Suite.java", "java/FuzzyWatch.java"]),
    },
    Suite {
        name: "go",
        explained: &[],
        redo_seconds: 3,
        silence_bound: SILENCE_BOUND,
        build: go,
    },
    Suite {
        name: "node",
        explained: &[],
        redo_seconds: 5,
        // Its beats stop: 6 s until its instance is to go, as it asked, and the node looks every 5
        // s.
        silence_bound: "11 s, and 10 s until its SDK asks again",
        build: node,
    },
];

impl Suite {
    /// Fetches packages and builds the program, in `dir`.
    pub(crate) fn prepare(&self, dir: &Path) -> Result<Program, Unready> {
        (self.build)(dir)
    }
}

/// A file or folder of `tests/sdk`.
fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sdk")
        .join(path)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Runs a tool that fetches packages; that it cannot is no failure of ours.
fn fetch(command: &mut Command) -> Result<(), Unready> {
    tool(command).map_err(Unready::Missing)
}

/// Runs a tool that builds our program from what was fetched.
fn compile(command: &mut Command) -> Result<(), Unready> {
    tool(command).map_err(Unready::Broken)
}

/// Runs a tool; an error is one line with its last words.
fn tool(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command
        .output()
        .map_err(|error| format!("{name} is not here: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    eprintln!("{name}:\n{}", said.concat());
    let last = said
        .iter()
        .flat_map(|text| text.lines())
        .rfind(|l| !l.trim().is_empty());
    Err(format!(
        "{name} failed: {}",
        last.unwrap_or("without a word")
    ))
}

/// Does `work` unless it was done for the same `recipe` before.
fn once(
    dir: &Path,
    recipe: &[PathBuf],
    work: impl FnOnce() -> Result<(), Unready>,
) -> Result<(), Unready> {
    let recipe: Vec<String> = recipe
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let (recipe, done) = (recipe.join("\n"), dir.join("recipe"));
    if std::fs::read_to_string(&done).is_ok_and(|before| before == recipe) {
        return Ok(());
    }
    work()?;
    std::fs::write(done, recipe).unwrap();
    Ok(())
}

fn python(dir: &Path) -> Result<Program, Unready> {
    let requirements = source("python/requirements.txt");
    let interpreter = dir.join("venv/bin/python");
    once(dir, std::slice::from_ref(&requirements), || {
        fetch(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(dir.join("venv")),
        )?;
        let install = ["-m", "pip", "install", "--quiet", "-r"];
        fetch(Command::new(&interpreter).args(install).arg(&requirements))
    })?;
    Ok(Program {
        command: interpreter,
        arguments: vec![text(&source("python/suite.py"))],
        environment: Vec::new(),
    })
}

fn rust(dir: &Path) -> Result<Program, Unready> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = source("rust/Cargo.toml");
    let mut packages = Command::new(&cargo);
    packages.args(["fetch", "--quiet", "--locked", "--manifest-path"]);
    fetch(packages.arg(&manifest))?;
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--offline"]);
    build.arg("--manifest-path").arg(&manifest);
    compile(build.arg("--target-dir").arg(dir))?;
    Ok(Program {
        command: dir.join("debug/sdk-suite"),
        arguments: Vec::new(),
        environment: Vec::new(),
    })
}

/// `programs`: those that the SDK has all methods for.
fn java(dir: &Path, profile: &str, programs: &[&str]) -> Result<Program, Unready> {
    let pom = source("java/pom.xml");
    let programs: Vec<PathBuf> = programs.iter().map(|name| source(name)).collect();
    let path = dir.join("classpath");
    let recipe = [std::slice::from_ref(&pom), &programs].concat();
    once(dir, &recipe, || {
        let mut resolve = Command::new("mvn");
        resolve.args(["-q", "-B", "-P", profile, "-f"]).arg(&pom);
        resolve.arg("dependency:build-classpath");
        resolve.arg(format!("-Dmdep.outputFile={}", text(&path)));
        fetch(&mut resolve)?;
        let classes = std::fs::read_to_string(&path).unwrap();
        // Without it the resolver alone would do.
        fetch(Command::new("javac").arg("-version"))?;
        let mut build = Command::new("javac");
        build.args(["-cp", classes.trim(), "-d"]).arg(dir);
        compile(build.args(&programs))
    })?;
    let classes = std::fs::read_to_string(&path).unwrap();
    Ok(Program {
        command: "java".into(),
        arguments: vec![
            "-Xmx128m".to_owned(),
            "-XX:TieredStopAtLevel=1".to_owned(),
            "-cp".to_owned(),
            format!("{}:{}", text(dir), classes.trim()),
            "Suite".to_owned(),
        ],
        environment: Vec::new(),
    })
}

fn go(dir: &Path) -> Result<Program, Unready> {
    let program = dir.join("suite");
    let mut packages = Command::new("go");
    fetch(packages.args(["mod", "download"]).current_dir(source("go")))?;
    let mut build = Command::new("go");
    build.args(["build", "-mod=readonly", "-o"]).arg(&program);
    compile(build.arg(".").current_dir(source("go")))?;
    Ok(Program {
        command: program,
        arguments: Vec::new(),
        environment: Vec::new(),
    })
}

fn node(dir: &Path) -> Result<Program, Unready> {
    let recipe = ["package.json", "package-lock.json"];
    let files = recipe.map(|name| source(&format!("node/{name}")));
    once(dir, &files, || {
        for (name, file) in recipe.iter().zip(&files) {
            std::fs::copy(file, dir.join(name)).unwrap();
        }
        let install = ["ci", "--silent", "--no-audit", "--no-fund"];
        fetch(Command::new("npm").args(install).current_dir(dir))
    })?;
    Ok(Program {
        command: "node".into(),
        arguments: vec![text(&source("node/suite.js"))],
        environment: vec![("NODE_PATH".to_owned(), text(&dir.join("node_modules")))],
    })
}
