//! The formats of files as others see them: the JSON Schemas by which editors check them, and the
//! references in the docs, which are printed from the same tables.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::path::PathBuf;

use distro_node::settings;
use distro_node::text::reference::{markdown, with_region};
use distro_sim::scenario::{self, schema};
use jsonschema::Validator;
use serde_json::{Value as Json, json};
use toml::de::{DeTable, DeValue};

/// Set: rewrite what stands in the docs instead of comparing it.
const REWRITE: &str = "REWRITE_DOCS";

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap()
}

/// Compares a region of a page with what the tables print, or rewrites it.
fn region(page: &str, name: &str, printed: &str) {
    let before = read(page);
    let after = with_region(&before, name, printed);
    let after = after.unwrap_or_else(|| panic!("{page} has no region {name}"));
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(root(page), after).unwrap();
    } else if before != after {
        let lines = before.lines().zip(after.lines());
        let (old, new) = lines
            .into_iter()
            .find(|(old, new)| old != new)
            .unwrap_or_default();
        panic!("{page} says\n  {old}\nthe tables say\n  {new}\nrun with {REWRITE}=1");
    }
}

fn json_of(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => {
            json!(i64::from_str_radix(number.as_str(), number.radix()).unwrap())
        }
        DeValue::Float(number) => json!(number.as_str().parse::<f64>().unwrap()),
        DeValue::Boolean(flag) => json!(flag),
        DeValue::Datetime(date) => json!(date.to_string()),
        DeValue::Array(values) => values
            .iter()
            .map(|value| json_of(value.get_ref()))
            .collect(),
        DeValue::Table(table) => json_of_table(table),
    }
}

fn json_of_table(table: &DeTable<'_>) -> Json {
    let pairs = table.iter();
    let pairs = pairs.map(|(key, value)| (key.get_ref().to_string(), json_of(value.get_ref())));
    Json::Object(pairs.collect())
}

fn json_of_file(text: &str) -> Json {
    json_of_table(DeTable::parse(text).unwrap().get_ref())
}

fn validator(schema: &Json) -> Validator {
    assert!(jsonschema::draft202012::meta::is_valid(schema));
    jsonschema::draft202012::new(schema).unwrap()
}

fn accepts(validator: &Validator, what: &str, text: &str) {
    let file = json_of_file(text);
    let wrong: Vec<String> = validator
        .iter_errors(&file)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{what}: {}", wrong.join("\n"));
}

/// The TOML examples of a page.
fn examples(page: &str) -> Vec<String> {
    let page = read(page);
    let blocks = page.split("```toml\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn settings_in_the_docs_are_those_of_the_table() {
    let sections = settings::sections();
    let printed: String = sections
        .iter()
        .map(|section| markdown(section) + "\n")
        .collect();
    region("docs/RUNNING.md", "settings", &printed);
}

#[test]
fn the_schema_of_settings_takes_every_example_of_the_docs_and_what_a_node_prints() {
    let validator = validator(&settings::json_schema());
    let examples = ["docs/RUNNING.md", "docs/HTTP.md"].map(examples).concat();
    assert!(examples.len() >= 4, "{}", examples.len());
    for example in examples {
        accepts(&validator, "example", &example);
    }
    let (printed, _) = settings::read::load(&settings::read::Sources::default()).unwrap();
    accepts(&validator, "print-config", &printed.print());
}

#[test]
fn the_schema_of_settings_refuses_what_the_reader_refuses() {
    let validator = validator(&settings::json_schema());
    for wrong in [
        "prot = 1",
        "port = 0",
        "port = \"8848\"",
        "sdk-port = 70000",
        "bind = \"localhost!\"",
        "members = \"10.0.0.1:8848\"",
        "address = \"10.0.0.1:8848\"",
        "members-refresh = 30",
        "drain-timeout = \"10 s\"",
        "message-bytes-max = \"10 megabytes\"",
        "[naming]\nprotect-threshold = 80",
        "[cluster]\nsecret = \"short\"",
        "[tls]\nsdk = \"on\"",
        "[auth]\nenabled = true",
        "[log]\nlevel = \"verbose\"",
        "[limits]\nper-ip = { \"10.0.0.1\" = \"many\" }",
        "[timing]\nverify-intervall = \"5s\"",
        "[timing]\nverify-interval = \"5sec\"",
        "[limit]\ntotal = 1",
    ] {
        assert!(!validator.is_valid(&json_of_file(wrong)), "{wrong}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), wrong).unwrap();
        let sources = settings::read::Sources {
            file: Some(file.path().to_owned()),
            ..Default::default()
        };
        assert!(settings::read::load(&sources).is_err(), "{wrong}");
    }
}

/// The scenarios of the library.
fn scenarios() -> Vec<(String, String)> {
    let files = std::fs::read_dir(root("scenarios")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let toml = paths.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    toml.map(|path| {
        (
            path.display().to_string(),
            std::fs::read_to_string(&path).unwrap(),
        )
    })
    .collect()
}

#[test]
fn the_reference_of_scenarios_is_what_the_tables_print() {
    for (name, printed) in schema::markdown() {
        region("docs/SCENARIOS.md", name, &printed);
    }
}

#[test]
fn the_schema_of_scenarios_takes_every_scenario_of_the_library_and_of_the_docs() {
    let validator = validator(&schema::json_schema());
    let library = scenarios();
    assert!(library.len() >= 43, "{}", library.len());
    for (name, text) in library {
        accepts(&validator, &name, &text);
        let written = scenario::write(&scenario::parse("again", &text).unwrap());
        accepts(&validator, &name, &written);
    }
    for page in ["docs/SCENARIOS.md", "README.md"] {
        for example in examples(page) {
            accepts(&validator, page, &example);
        }
    }
    accepts(
        &validator,
        "every kind",
        include_str!("../sim/src/scenario/tests/every.toml"),
    );
    accepts(
        &validator,
        "rich",
        include_str!("../sim/src/scenario/tests/rich.toml"),
    );
}

#[test]
fn the_schema_of_scenarios_refuses_what_the_reader_refuses() {
    let validator = validator(&schema::json_schema());
    let right = "about = \"x\"\nduration = \"60s\"\nnodes = 3\n";
    accepts(&validator, "the rest", right);
    for wrong in [
        "sead = 4",
        "seed = \"4\"",
        "worlds = [\"events\"]",
        "profile = \"nacos-2.4\"",
        "carrier = \"http\"",
        "time-scale = 0",
        "message-bytes-max = \"10 MiB\"",
        "[link]\nlatency = \"5\"",
        "[link]\nloss = 0.1",
        "[timing]\nverfy-timeout = \"3s\"",
        "[limits]\ntotal = -1",
        "[[clients]]\nname = \"web\"\ncount = 0",
        "[[clients]]\ncount = 2",
        "[[clients]]\nname = \"web\"\nregister = \"orders\"",
        "[[clients]]\nname = \"web\"\nchurn = { from = \"1s\" }",
        "[[timeline]]\nat = \"1s\"",
        "[[timeline]]\nfault = \"kill\"\nhosts = \"n1\"",
        "[[timeline]]\nat = \"1s\"\nfault = \"pauze\"\nhosts = \"n1\"",
        "[[timeline]]\nat = \"1s\"\nfault = \"pause\"",
        "[[timeline]]\nat = \"1s\"\nfault = \"pause\"\nhosts = \"n1\"\nfrom = \"n2\"",
        "[[timeline]]\nat = 1\nfault = \"pause\"\nhosts = \"n1\"",
        "[[timeline]]\nat = \"1s\"\nfault = \"drop\"\nkinds = [\"chnage\"]",
        "[[timeline]]\nat = \"1s\"\nfault = \"loss\"\nrate = \"5\"",
        "[[timeline]]\nat = \"1s\"\ncall = \"query\"\nclient = \"web\"",
        "[[timeline]]\nat = \"1s\"\noperate = \"rebalance\"\nnode = \"n1\"",
        "[[expect]]\nat = \"5s\"\nservice = \"orders\"",
        "[expect-fails]\n\"nacos-2.3\" = \"L55\"",
    ] {
        let text = format!("{right}{wrong}\n");
        assert!(!validator.is_valid(&json_of_file(&text)), "{wrong}");
        assert!(scenario::parse("wrong", &text).is_err(), "{wrong}");
    }
}
