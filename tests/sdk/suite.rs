//! The SDKs: where their programs are, how they are built, what is known of them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How to start a program.
pub(crate) struct Program {
    pub(crate) command: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
}

/// Whether a suite can run here.
pub(crate) enum Prepared {
    /// It can.
    Ready(Program),
    /// Its tools or packages are not there.
    Missing(String),
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
    build: fn(&Path) -> Result<Program, String>,
}

/// All of them; those that need only Rust and Python first.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "python",
        explained: &[],
        redo_seconds: 30,
        build: python,
    },
    Suite {
        name: "rust",
        explained: &[],
        redo_seconds: 10,
        build: rust,
    },
    Suite {
        name: "java2",
        explained: &[],
        redo_seconds: 3,
        build: |dir| java(dir, "nacos2"),
    },
    Suite {
        name: "java3",
        explained: &[],
        redo_seconds: 3,
        build: |dir| java(dir, "nacos3"),
    },
    Suite {
        name: "go",
        explained: &[],
        redo_seconds: 3,
        build: go,
    },
    Suite {
        name: "node",
        explained: &[],
        redo_seconds: 5,
        build: node,
    },
];

impl Suite {
    /// Fetches packages and builds the program, in `dir`.
    pub(crate) fn prepare(&self, dir: &Path) -> Prepared {
        match (self.build)(dir) {
            Ok(program) => Prepared::Ready(program),
            Err(why) => Prepared::Missing(why),
        }
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
    work: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
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

fn python(dir: &Path) -> Result<Program, String> {
    let requirements = source("python/requirements.txt");
    let interpreter = dir.join("venv/bin/python");
    once(dir, std::slice::from_ref(&requirements), || {
        tool(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(dir.join("venv")),
        )?;
        let install = ["-m", "pip", "install", "--quiet", "-r"];
        tool(Command::new(&interpreter).args(install).arg(&requirements))
    })?;
    Ok(Program {
        command: interpreter,
        arguments: vec![text(&source("python/suite.py"))],
        environment: Vec::new(),
    })
}

fn rust(dir: &Path) -> Result<Program, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--manifest-path"]);
    build.arg(source("rust/Cargo.toml"));
    build.arg("--target-dir").arg(dir);
    tool(&mut build)?;
    Ok(Program {
        command: dir.join("debug/sdk-suite"),
        arguments: Vec::new(),
        environment: Vec::new(),
    })
}

fn java(dir: &Path, profile: &str) -> Result<Program, String> {
    let (pom, program) = (source("java/pom.xml"), source("java/Suite.java"));
    let path = dir.join("classpath");
    once(dir, &[pom.clone(), program.clone()], || {
        let mut resolve = Command::new("mvn");
        resolve.args(["-q", "-B", "-P", profile, "-f"]).arg(&pom);
        resolve.arg("dependency:build-classpath");
        resolve.arg(format!("-Dmdep.outputFile={}", text(&path)));
        tool(&mut resolve)?;
        let classes = std::fs::read_to_string(&path).unwrap();
        let mut compile = Command::new("javac");
        compile.args(["-cp", classes.trim(), "-d"]).arg(dir);
        tool(compile.arg(&program))
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

fn go(dir: &Path) -> Result<Program, String> {
    let program = dir.join("suite");
    let mut build = Command::new("go");
    build.args(["build", "-mod=readonly", "-o"]).arg(&program);
    tool(build.arg(".").current_dir(source("go")))?;
    Ok(Program {
        command: program,
        arguments: Vec::new(),
        environment: Vec::new(),
    })
}

fn node(dir: &Path) -> Result<Program, String> {
    let recipe = ["package.json", "package-lock.json"];
    let files = recipe.map(|name| source(&format!("node/{name}")));
    once(dir, &files, || {
        for (name, file) in recipe.iter().zip(&files) {
            std::fs::copy(file, dir.join(name)).unwrap();
        }
        let install = ["ci", "--silent", "--no-audit", "--no-fund"];
        tool(Command::new("npm").args(install).current_dir(dir))
    })?;
    Ok(Program {
        command: "node".into(),
        arguments: vec![text(&source("node/suite.js"))],
        environment: vec![("NODE_PATH".to_owned(), text(&dir.join("node_modules")))],
    })
}
