//! Connection limits in Nacos's JSON form (`ConnectionLimitRule` of 2.0, of which the rule of
//! 2.2 is a part), and the file that holds them, followed while the node runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use distro_core::config::ConnectionLimits;
use distro_core::ids::Str;
use distro_core::io::Command;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use crate::settings::Settings;
use crate::text::problem::{Problem, Problems};

/// How often the file is read again.
const READ_AGAIN: Duration = Duration::from_secs(2);
/// No sensible rule is larger.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Nacos's rule. A negative number means no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rule {
    /// Addresses whose messages Nacos logs; kept for compatibility, without effect.
    pub monitor_ip_list: Vec<String>,
    /// All client connections.
    pub count_limit: i64,
    /// Per address without a rule of its own; 0 is no limit too, as in Nacos.
    pub count_limit_per_client_ip_default: i64,
    /// Per address.
    pub count_limit_per_client_ip: BTreeMap<Str, i64>,
    /// Per application.
    pub count_limit_per_client_app: BTreeMap<Str, i64>,
}

impl Default for Rule {
    fn default() -> Rule {
        Rule {
            monitor_ip_list: Vec::new(),
            count_limit: -1,
            count_limit_per_client_ip_default: -1,
            count_limit_per_client_ip: BTreeMap::new(),
            count_limit_per_client_app: BTreeMap::new(),
        }
    }
}

/// A limit; negative is none.
fn limit(name: &str, count: i64) -> Result<Option<u32>, String> {
    if count < 0 {
        return Ok(None);
    }
    let limit = u32::try_from(count);
    limit.map(Some).map_err(|_| {
        format!("{name} {count} is too large: write up to 4294967295, or -1 for no limit")
    })
}

impl Rule {
    /// As the core has it.
    ///
    /// # Errors
    /// A number is too large.
    pub fn limits(&self) -> Result<ConnectionLimits, String> {
        let counts = |what: &str, counts: &BTreeMap<Str, i64>| {
            let mut limits = BTreeMap::new();
            for (name, count) in counts {
                if let Some(limit) = limit(&format!("{what}.{name}"), *count)? {
                    limits.insert(name.clone(), limit);
                }
            }
            Ok::<_, String>(limits)
        };
        let default = self.count_limit_per_client_ip_default;
        Ok(ConnectionLimits {
            total: limit("countLimit", self.count_limit)?,
            per_ip_default: limit("countLimitPerClientIpDefault", default)?
                .filter(|limit| *limit > 0),
            per_ip: counts("countLimitPerClientIp", &self.count_limit_per_client_ip)?,
            per_app: counts("countLimitPerClientApp", &self.count_limit_per_client_app)?,
        })
    }
}

/// The limits as Nacos writes them.
pub fn rule_of(limits: &ConnectionLimits) -> Rule {
    let count = |limit: Option<u32>| limit.map_or(-1, i64::from);
    let counts = |limits: &BTreeMap<Str, u32>| {
        let pairs = limits.iter();
        pairs
            .map(|(name, limit)| (name.clone(), i64::from(*limit)))
            .collect()
    };
    Rule {
        monitor_ip_list: Vec::new(),
        count_limit: count(limits.total),
        count_limit_per_client_ip_default: count(limits.per_ip_default),
        count_limit_per_client_ip: counts(&limits.per_ip),
        count_limit_per_client_app: counts(&limits.per_app),
    }
}

/// Reads a rule.
///
/// # Errors
/// What is wrong, with line and caret.
pub fn parse(name: &str, text: &str) -> Result<ConnectionLimits, String> {
    let problem = |span, message| {
        let help = "the form is {\"countLimit\": -1, \"countLimitPerClientIpDefault\": -1, \
                    \"countLimitPerClientIp\": {\"10.0.0.5\": 3}, \"countLimitPerClientApp\": \
                    {\"app-a\": 10}, \"monitorIpList\": []}";
        let help = help.to_owned();
        let problem = Problem {
            span,
            message,
            help,
        };
        Problems::new(name, text, vec![problem]).to_string()
    };
    let rule: Rule = serde_json::from_str(text).map_err(|error| {
        let lines = text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1));
        let start: usize = lines.map(str::len).sum();
        let mut at = (start + error.column().saturating_sub(1)).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        problem(at..at, error.to_string())
    })?;
    rule.limits().map_err(|message| problem(0..0, message))
}

/// A limit-rule file and what it said when it was last right.
#[derive(Debug)]
pub struct RuleFile {
    path: PathBuf,
    text: Result<String, String>,
    limits: ConnectionLimits,
}

impl RuleFile {
    /// The file that the settings name, if they do.
    ///
    /// # Errors
    /// It cannot be read, or not understood.
    pub fn open(settings: &Settings) -> Result<Option<RuleFile>, String> {
        let Some(path) = settings.limit_rule_file() else {
            return Ok(None);
        };
        let text = read(&path)?;
        let limits = parse(&path.display().to_string(), &text)?;
        Ok(Some(RuleFile {
            path,
            text: Ok(text),
            limits,
        }))
    }

    /// What it said when it was last right.
    pub fn limits(&self) -> &ConnectionLimits {
        &self.limits
    }

    /// Looks once. New limits if the file says something new and right; one that is wrong is told
    /// once and changes nothing.
    fn look(&mut self) -> Option<ConnectionLimits> {
        let text = read(&self.path);
        if text == self.text {
            return None;
        }
        self.text = text;
        let read = self.text.clone();
        match read.and_then(|text| parse(&self.path.display().to_string(), &text)) {
            Ok(limits) => {
                self.limits = limits.clone();
                Some(limits)
            }
            Err(why) => {
                warn!("the limits stay as they are: {}", why.trim_end());
                None
            }
        }
    }

    /// Follows the file until the node has stopped.
    pub async fn watch(mut self, commands: &mpsc::Sender<Command>) {
        let mut again = tokio::time::interval(READ_AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            if let Some(limits) = self.look() {
                info!(?limits, "limits read from {}", self.path.display());
                if commands.send(Command::SetLimits(limits)).await.is_err() {
                    return std::future::pending().await;
                }
            }
        }
    }
}

fn read(path: &PathBuf) -> Result<String, String> {
    let name = path.display();
    let bytes = std::fs::metadata(path).map(|about| about.len());
    if bytes.is_ok_and(|bytes| bytes > FILE_BYTES_MAX) {
        return Err(format!("{name} is over {FILE_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(path).map_err(|error| format!("{name} cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_nacos_are_read_and_written_back() {
        let short = parse("rule", r#"{"monitorIpList":[],"countLimit":7}"#).unwrap();
        assert_eq!(short.total, Some(7));
        let text = r#"{"monitorIpList":[],"countLimit":-1,"countLimitPerClientIpDefault":2,
            "countLimitPerClientIp":{"10.0.0.5":3,"10.0.0.6":-1},
            "countLimitPerClientApp":{"app-a":10}}"#;
        let limits = parse("rule", text).unwrap();
        assert_eq!((limits.total, limits.per_ip_default), (None, Some(2)));
        assert_eq!(limits.per_ip.get("10.0.0.5"), Some(&3));
        assert_eq!(limits.per_ip.len(), 1, "a negative rule is none");
        assert_eq!(rule_of(&limits).limits().unwrap(), limits);
    }

    #[test]
    fn a_wrong_rule_is_told_with_its_place() {
        let told = parse("rule", "{\n \"countLimits\": 7\n}").unwrap_err();
        assert!(
            told.contains("rule:2:") && told.contains("countLimits"),
            "{told}"
        );
        let told = parse("rule", r#"{"countLimit": 5000000000}"#).unwrap_err();
        assert!(told.contains("too large"), "{told}");
    }

    #[test]
    fn a_file_that_goes_wrong_keeps_the_old_limits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("limitRule");
        std::fs::write(&path, r#"{"countLimit": 1}"#).unwrap();
        let mut file = RuleFile {
            path: path.clone(),
            text: Err(String::new()),
            limits: ConnectionLimits::default(),
        };
        assert_eq!(file.look().unwrap().total, Some(1));
        assert_eq!(file.look(), None, "nothing new");
        std::fs::write(&path, "{").unwrap();
        assert_eq!(file.look(), None);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.look(), None);
        assert_eq!(file.limits().total, Some(1));
        std::fs::write(&path, r#"{"countLimit": 2}"#).unwrap();
        assert_eq!(file.look().unwrap().total, Some(2));
    }
}
