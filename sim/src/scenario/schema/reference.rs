//! The printed reference.

use distro_core::config::{Timing, TimingKey};
use distro_core::message::MessageKind;
use distro_core::profile::{QUIRKS, RELEASES};

use super::super::value::period_text;
use super::{CALLS, CHECKS, FAULTS, OPERATIONS, Section, TABLES, VALUES};

fn put(out: &mut String, section: &Section) {
    out.push_str(&format!("\n{}\n  {}\n", section.name, section.about));
    for key in section.keys {
        out.push_str(&format!(
            "  {:<18} {:<34} {:<20} {}\n",
            key.name, key.takes, key.default, key.about
        ));
    }
}

/// The whole reference, as `distro-sim schema` prints it.
pub fn reference() -> String {
    let mut out = String::from("SCENARIO FILES: key, what it takes, what it is when left out\n");
    for section in TABLES {
        put(&mut out, section);
    }
    out.push_str("\n[timing]\n  Protocol constants, with the defaults of the distro profile.\n");
    for key in TimingKey::ALL {
        let default = period_text(Timing::default()[*key]);
        let (name, about) = (key.name(), key.about());
        out.push_str(&format!("  {name:<30} {default:<8} {about}\n"));
    }
    out.push_str("\nVALUES\n");
    for (name, about) in VALUES {
        out.push_str(&format!("  {name:<18} {about}\n"));
    }
    for (title, sections) in [
        ("FAULTS", FAULTS),
        ("CALLS", CALLS),
        ("OPERATIONS", OPERATIONS),
    ] {
        out.push_str(&format!("\n{title}\n"));
        for section in sections {
            put(&mut out, section);
        }
    }
    out.push_str("\nMESSAGE KINDS\n");
    for (_, name) in MessageKind::ALL {
        out.push_str(&format!("  {name}\n"));
    }
    out.push_str("\nPROFILES\n");
    for (_, name) in RELEASES {
        out.push_str(&format!("  {name}\n"));
    }
    out.push_str("\nQUIRKS\n");
    for (_, name) in QUIRKS {
        out.push_str(&format!("  {name}\n"));
    }
    out.push_str("\nCHECKS\n");
    for (name, about) in CHECKS {
        out.push_str(&format!("  {name:<5} {about}\n"));
    }
    out
}
