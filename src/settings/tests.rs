//! Settings from files, variables and flags.

use super::read::{Flag, Sources, load};
use super::*;

fn file(name: &str, text: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("distro-settings-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn flag(path: &str, value: &str) -> Flag {
    Flag {
        name: "--set".to_owned(),
        path: path.to_owned(),
        value: value.to_owned(),
    }
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let text = "port = 1\nsdk-port = 2\ncluster-port = 3\n[timing]\nverify-interval = \"4s\"\n";
    let sources = Sources {
        file: Some(file("order.toml", text)),
        environment: vec![
            ("DISTRO_SDK_PORT".to_owned(), "20".to_owned()),
            ("DISTRO_CLUSTER_PORT".to_owned(), "30".to_owned()),
            ("DISTRO_SERVICE_HOST".to_owned(), "10.0.0.1".to_owned()),
        ],
        flags: vec![flag("cluster-port", "300")],
    };
    let (settings, warnings) = load(&sources).unwrap();
    assert_eq!(settings.main_port(), 1);
    let ports = Ports {
        sdk: 20,
        cluster: 300,
    };
    assert_eq!(settings.ports(), ports);
    assert_eq!(warnings.len(), 1);
    let config = settings.config(NodeId::new("a:1"), Vec::new());
    assert_eq!(config.timing.verify_interval, Period::from_secs(4));
    assert_eq!(config.timing.keep_alive, Timing::default().keep_alive);
    let print = settings.print();
    for part in [
        "order.toml:1",
        "# environment DISTRO_SDK_PORT",
        "# flag --set",
        "order.toml:5",
        "# default",
    ] {
        assert!(print.contains(part), "{part} in {print}");
    }
}

#[test]
fn what_is_printed_reads_back_as_the_same() {
    let first = Sources {
        flags: vec![
            flag("members", "10.0.0.1,10.0.0.2:8848/1/2"),
            flag("limits.per-ip", "10.9.9.9=7"),
            flag("data-dir", "a \"b\\c"),
            flag("naming.protect-threshold", "0.25"),
            flag("naming.protect-thresholds", "orders=0.8,dev@@g@@pay=1"),
        ],
        ..Sources::default()
    };
    let (settings, _) = load(&first).unwrap();
    let again = Sources {
        file: Some(file("again.toml", &settings.print())),
        ..Sources::default()
    };
    let (again, _) = load(&again).unwrap();
    let values = |settings: &Settings| -> Vec<(String, String)> {
        let effective = settings.effective().into_iter();
        effective.map(|(path, value, _)| (path, value)).collect()
    };
    assert_eq!(values(&settings), values(&again));
    let paths = settings.effective();
    assert!(paths.iter().any(|(path, ..)| path == "limits.per-ip"));
}

#[test]
fn settings_that_do_not_fit_each_other_are_told_with_their_place() {
    let sources = Sources {
        flags: vec![
            flag("timing.verify-interval", "0s"),
            flag("members", "a:1"),
            flag("cluster-conf", "x"),
            flag("port", "65000"),
        ],
        ..Sources::default()
    };
    let problems = load(&sources).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].list().len(), 3);
    let text = problems[0].render(false);
    assert!(text.contains("--set timing.verify-interval=0s"), "{text}");
}

#[test]
fn every_key_has_a_variable_of_its_own() {
    let keys = Keys::default();
    let paths = show::leaves(&keys).into_iter().map(|leaf| leaf.path);
    let mut seen = std::collections::BTreeSet::new();
    for path in paths {
        assert!(seen.insert(show::variable(&path)), "{path}");
    }
    assert!(seen.len() > 80, "{}", seen.len());
}

#[test]
fn a_life_has_a_higher_number_than_the_one_before_even_when_the_clock_went_back() {
    use distro_core::time::Wall;
    let dir = std::env::temp_dir().join(format!("distro-boot-{}", std::process::id()));
    let life = |wall| boot::incarnation(Some(&dir), Wall(wall)).unwrap().0;
    assert_eq!(life(1_000), 1_000);
    assert_eq!(life(400), 1_001);
    assert_eq!(life(5_000), 5_000);
    // What no member would believe, and what is no file of ours.
    for text in ["18446744073709551615", "99999999999999"] {
        std::fs::write(dir.join("boot"), text).unwrap();
        let error = boot::incarnation(Some(&dir), Wall(1_800_000_000_000)).unwrap_err();
        assert!(error.to_string().contains("ten years"), "{error}");
    }
    std::fs::rename(dir.join("boot"), dir.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(dir.join("elsewhere"), dir.join("boot")).unwrap();
    assert!(boot::incarnation(Some(&dir), Wall(1)).is_err());
    std::fs::remove_file(dir.join("boot")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(dir.join("boot"))
        .status();
    assert!(made.unwrap().success());
    assert!(boot::incarnation(Some(&dir), Wall(1)).is_err());
    std::fs::remove_file(dir.join("boot")).unwrap();
    std::fs::write(dir.join("boot"), "soup").unwrap();
    assert!(boot::incarnation(Some(&dir), Wall(1)).is_err());
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn protect_thresholds_of_a_file_reach_the_machine_and_wrong_ones_are_told_with_their_place() {
    let text = "[naming]\nprotect-threshold = 0.8\n\n[naming.protect-thresholds]\norders = 1\n\
                \"dev@@g@@pay\" = 0.333\n";
    let of = |text: &str| Sources {
        file: Some(file("protect.toml", text)),
        ..Sources::default()
    };
    let (settings, _) = load(&of(text)).unwrap();
    let protect = settings.config(NodeId::new("a:1"), Vec::new()).protect;
    let share = |service: &str| {
        let mut key = distro_core::message::naming::ServiceKey::named(service);
        if service == "pay" {
            (key.namespace, key.group) = (Str::from("dev"), Str::from("g"));
        }
        protect.of(&key).map(|share| share.millionths())
    };
    assert_eq!(share("orders"), Some(1_000_000));
    assert_eq!(share("pay"), Some(333_000));
    assert_eq!(share("any"), Some(800_000));
    for (wrong, told, at) in [
        ("protect-threshold = 80", "`80` is no share", ":2:21"),
        ("protect-threshold = \"much\"", "cannot be this", ":2:21"),
        (
            "[naming.protect-thresholds]\n\"@@x\" = 0.5",
            "`@@x` names no service",
            ":3:1",
        ),
        (
            "[naming.protect-thresholds]\nx = \"y\"",
            "`x` is not a number",
            ":3:5",
        ),
    ] {
        let problems = load(&of(&format!("[naming]\n{wrong}\n"))).unwrap_err();
        let text = problems[0].render(false);
        for part in [told, at] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn an_address_with_a_port_is_refused_wherever_it_stands_and_the_right_one_is_told() {
    let sources = Sources {
        file: Some(file("address.toml", "address = \"127.0.46.1:8848\"\n")),
        environment: vec![("DISTRO_ADDRESS".to_owned(), "node-1:9000".to_owned())],
        flags: vec![flag("address", "127.0.46.1:8848"), flag("address", "::1")],
    };
    let problems = load(&sources).unwrap_err();
    let told: String = problems.iter().map(|p| p.render(false)).collect();
    for part in [
        "address.toml:1:11",
        "write \"127.0.46.1\" here",
        "--port 8848",
        "write \"node-1\" here",
        "write \"[::1]\"",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    for right in ["127.0.46.1", "node-1", "[::1]"] {
        let sources = Sources {
            flags: vec![flag("address", right)],
            ..Sources::default()
        };
        let (settings, _) = load(&sources).unwrap();
        assert_eq!(settings.address(), Some(right));
    }
}

#[test]
fn secrets_are_read_and_never_shown() {
    let (long, short) = ("correct horse battery staple, again", "hunter2");
    let hash = "$2b$04$horseXhorseXhorseXhorseXhorseXhorseXhorseXhorseXhorse";
    let text = format!(
        "[cluster]\nsecret = \"{long}\"\n[auth]\nsecret = \"{long}\"\nusers = {{ ann = \"{hash}\" }}\n"
    );
    let set = Sources {
        file: Some(file("secret.toml", &text)),
        ..Sources::default()
    };
    let (settings, _) = load(&set).unwrap();
    let print = settings.print();
    assert_eq!(print.matches("# secret = (set)").count(), 2, "{print}");
    assert!(print.contains("# users = (set for ann)"), "{print}");
    assert!(!format!("{print}{settings:?}").contains("horse"));
    assert!(
        settings
            .effective()
            .iter()
            .all(|(_, value, _)| !value.contains("horse"))
    );
    assert!(settings.cluster_secret().unwrap().is_some());
    // A problem shows the lines around it, and not what is secret there.
    let wrong = Sources {
        file: Some(file("wrong.toml", &format!("{text}enabled = 7\n"))),
        environment: vec![("DISTRO_CLUSTER_SECRET".to_owned(), short.to_owned())],
        flags: vec![flag("cluster.secret", short)],
    };
    let problems = load(&wrong).unwrap_err();
    let told: String = problems.iter().map(|p| p.render(false)).collect();
    assert_eq!(told.matches("at least 16 characters").count(), 2, "{told}");
    assert!(!told.contains("horse") && !told.contains(short), "{told}");
}

#[test]
fn a_file_holds_the_cluster_secret_and_must_hold_enough() {
    let from = |name: &str, text: &str| {
        let path = file(name, text).display().to_string();
        let flags = vec![flag("cluster.secret-file", &path)];
        let (settings, _) = load(&Sources {
            flags,
            ..Sources::default()
        })
        .unwrap();
        settings.cluster_secret()
    };
    assert!(
        from("good.secret", "correct horse battery\n")
            .unwrap()
            .is_some()
    );
    let why = from("bad.secret", "short\n").unwrap_err();
    assert!(why.to_string().contains("less than 16 characters"), "{why}");
}
