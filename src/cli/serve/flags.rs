//! The flags that set a key, made from the table of keys.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::settings::flagged;
use crate::settings::read::Flag;

/// Those that were given.
#[derive(Debug, Default)]
pub(super) struct NamedFlags(pub(super) Vec<Flag>);

impl Args for NamedFlags {
    fn augment_args(command: Command) -> Command {
        flagged()
            .into_iter()
            .fold(command, |command, (_, key)| match key.flag {
                Some((flag, value)) => {
                    let about = key.about.trim_end_matches('.');
                    command.arg(Arg::new(flag).long(flag).value_name(value).help(about))
                }
                None => command,
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        NamedFlags::augment_args(command)
    }
}

impl FromArgMatches for NamedFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<NamedFlags, clap::Error> {
        let given = flagged().into_iter().filter_map(|(path, key)| {
            let (flag, _) = key.flag?;
            let value = matches.get_one::<String>(flag)?.clone();
            let name = format!("--{flag}");
            Some(Flag { name, path, value })
        });
        Ok(NamedFlags(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = NamedFlags::from_arg_matches(matches)?;
        Ok(())
    }
}
