//! Choosing services by metadata (Nacos's label selector, part 9: `service/list`).

use alloc::vec::Vec;
use core::fmt;

use super::naming::Instance;
use crate::ids::Str;

/// Longest expression, in bytes. Why: a list looks at every service with every term.
const EXPRESSION_BYTES_MAX: usize = 2048;

/// Which services a list is to have: those for which every term holds.
///
/// As text: `INSTANCE.metadata.zone = 'a'` is true of a service with an instance that carries it,
/// `SERVICE.metadata.owner = 'x'` of one that carries it itself. Several are joined by `&`, each
/// may hold for another instance. Nacos 1.x has one term, and of a key with dots takes the last
/// part; here it is the whole key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selector(Vec<Term>);

/// Who has to carry what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Term {
    of: Carrier,
    key: Str,
    value: Str,
}

/// Whose metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Carrier {
    Instance,
    Service,
}

/// An expression that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSelector;

impl fmt::Display for BadSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it should be terms like INSTANCE.metadata.zone = 'a' \
             or SERVICE.metadata.owner = 'b', joined by &, at most {EXPRESSION_BYTES_MAX} bytes"
        )
    }
}

impl Carrier {
    const ALL: [Carrier; 2] = [Carrier::Instance, Carrier::Service];

    const fn prefix(self) -> &'static str {
        match self {
            Carrier::Instance => "INSTANCE.metadata.",
            Carrier::Service => "SERVICE.metadata.",
        }
    }
}

impl Selector {
    /// Reads an expression.
    ///
    /// # Errors
    /// It is none, or longer than 2,048 bytes.
    pub fn parse(expression: &str) -> Result<Selector, BadSelector> {
        if expression.len() > EXPRESSION_BYTES_MAX {
            return Err(BadSelector);
        }
        let mut terms = Vec::new();
        let mut rest = expression;
        loop {
            let (term, after) = Term::parse(rest).ok_or(BadSelector)?;
            terms.push(term);
            rest = after.trim();
            if rest.is_empty() {
                return Ok(Selector(terms));
            }
            rest = rest.strip_prefix('&').ok_or(BadSelector)?;
        }
    }

    /// True when every term holds for a service with these instances. A service itself carries
    /// nothing here: its metadata is what Nacos stores by Raft.
    pub fn holds<'a>(&self, instances: impl Iterator<Item = &'a Instance> + Clone) -> bool {
        self.0.iter().all(|term| match term.of {
            Carrier::Service => false,
            Carrier::Instance => instances
                .clone()
                .any(|instance| instance.metadata.get(&term.key) == Some(&term.value)),
        })
    }
}

impl Term {
    /// Reads one term, and gives what comes after it. What is in quotes is taken as it is.
    fn parse(text: &str) -> Option<(Term, &str)> {
        let text = text.trim_start();
        let of = { Carrier::ALL.into_iter() }.find(|of| text.starts_with(of.prefix()))?;
        let (key, value) = text[of.prefix().len()..].split_once('=')?;
        let (value, rest) = value.trim_start().strip_prefix('\'')?.split_once('\'')?;
        let key = key.trim();
        let term = Term {
            of,
            key: Str::from(key),
            value: Str::from(value),
        };
        (!key.is_empty()).then_some((term, rest))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Term { of, key, value }) in self.0.iter().enumerate() {
            let and = if at > 0 { " & " } else { "" };
            write!(f, "{and}{}{key} = '{value}'", of.prefix())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn instance(pairs: &[(&str, &str)]) -> Instance {
        let mut instance = Instance::new("10.1.0.1", 1);
        for (key, value) in pairs {
            instance.metadata.insert(Str::from(*key), Str::from(*value));
        }
        instance
    }

    #[test]
    fn every_term_must_hold_for_some_instance() {
        let of = [
            instance(&[("zone", "a"), ("app.version", "1")]),
            instance(&[("zone", "b")]),
        ];
        for (expression, holds) in [
            ("INSTANCE.metadata.zone = 'a'", true),
            ("INSTANCE.metadata.zone='b'", true),
            ("INSTANCE.metadata.zone='c'", false),
            ("INSTANCE.metadata.app.version = '1'", true),
            ("INSTANCE.metadata.version = '1'", false),
            (
                "INSTANCE.metadata.zone = 'a' & INSTANCE.metadata.zone = 'b'",
                true,
            ),
            (
                "INSTANCE.metadata.zone = 'a' & INSTANCE.metadata.zone = 'c'",
                false,
            ),
            ("SERVICE.metadata.zone = 'a'", false),
        ] {
            let selector = Selector::parse(expression).unwrap();
            assert_eq!(selector.holds(of.iter()), holds, "{expression}");
            assert!(!selector.holds([].iter()), "{expression}");
        }
    }

    #[test]
    fn a_selector_is_written_as_it_is_read() {
        let text = "INSTANCE.metadata.a b = 'x & y = z' & SERVICE.metadata.k = ''";
        let selector = Selector::parse(text).unwrap();
        assert_eq!(selector.to_string(), text);
        assert_eq!(Selector::parse(&selector.to_string()).unwrap(), selector);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        let long = "INSTANCE.metadata.zone = 'a' &".repeat(100) + "INSTANCE.metadata.zone = 'a'";
        for bad in [
            "",
            "zone = 'a'",
            "INSTANCE.metadata. = 'a'",
            "INSTANCE.metadata.zone",
            "INSTANCE.metadata.zone = a",
            "INSTANCE.metadata.zone = 'a",
            "INSTANCE.metadata.zone = 'a' & ",
            "INSTANCE.metadata.zone = 'a' INSTANCE.metadata.zone = 'b'",
            "instance.metadata.zone = 'a'",
            &long,
        ] {
            assert_eq!(Selector::parse(bad), Err(BadSelector), "{bad}");
        }
    }
}
