//! The shell's own commands: what can be typed after a `\`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::format::OutputFormat;

/// What `\?` prints.
pub(super) const HELP: &str = r"Statements end with ; and may span lines. Tab completes, the up arrow recalls, Ctrl-C stops a query.
  \d               list tables
  \d TABLE         show the columns of a table
  \x [on|off]      one line per value, for wide rows
  \format [FORMAT] table, csv, json, jsonl or parquet
  \timing [on|off] say how long each statement took
  \o [FILE]        write results to a file; alone: back to the terminal
  \i FILE          run the statements of a file
  \kill ID         end a query; SELECT query_id, state, sql FROM system.queries lists them
  \? or \h         this help
  \q               quit, as Ctrl-D does";

/// A command with its argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// List tables.
    Tables,
    /// Show the columns of one.
    Describe(String),
    /// Switch, or with a value set, the expanded display.
    Expanded(Option<bool>),
    /// Say or set the format.
    Format(Option<OutputFormat>),
    /// Switch or set the timing.
    Timing(Option<bool>),
    /// Write to a file, or to the terminal again.
    Output(Option<PathBuf>),
    /// Run a file.
    Include(PathBuf),
    /// End a query by its id.
    Kill(u64),
    /// Explain.
    Help,
    /// Leave.
    Quit,
}

impl Command {
    /// Reads what follows the `\`.
    ///
    /// # Errors
    /// What is wrong with it and what would be right, as one line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // A habit from SQL; no argument ends with it.
        let text = text.trim_end().trim_end_matches(';').trim_end();
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let argument = Some(rest.trim()).filter(|rest| !rest.is_empty());
        match (name, argument) {
            ("d" | "dt", None) => Ok(Self::Tables),
            ("d", Some(table)) => Ok(Self::Describe(table_name(table))),
            ("x", value) => Ok(Self::Expanded(value.map(switch).transpose()?)),
            ("timing", value) => Ok(Self::Timing(value.map(switch).transpose()?)),
            ("format", value) => Ok(Self::Format(value.map(format).transpose()?)),
            ("o", file) => Ok(Self::Output(file.map(PathBuf::from))),
            ("i", Some(file)) => Ok(Self::Include(PathBuf::from(file))),
            ("i", None) => Err(r"\i needs the name of a file".to_owned()),
            ("kill", Some(id)) => {
                let id = id.parse().map_err(|_| format!("{id}: must be a query_id of system.queries"))?;
                Ok(Self::Kill(id))
            }
            ("kill", None) => Err(r"\kill needs a query_id of system.queries".to_owned()),
            ("?" | "h" | "help", None) => Ok(Self::Help),
            ("q" | "quit", None) => Ok(Self::Quit),
            ("?" | "h" | "help" | "q" | "quit" | "dt", Some(extra)) => {
                Err(format!(r"\{name} {extra}: \{name} takes no argument"))
            }
            _ => Err(format!(r"unknown command \{name}; \? lists the commands")),
        }
    }
}

/// As SQL reads it: folded to lower case unless quoted, without the schema.
fn table_name(text: &str) -> String {
    let bare = text.strip_prefix("public.").unwrap_or(text);
    match bare.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => bare.to_lowercase(),
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("{other}: must be on or off")),
    }
}

fn format(text: &str) -> Result<OutputFormat, String> {
    OutputFormat::from_str(text, true).map_err(|_| {
        let values = OutputFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<_> = values.map(|value| value.get_name().to_owned()).collect();
        format!("{text}: must be one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_with_their_arguments() {
        for (text, command) in [
            ("d", Command::Tables),
            ("d Events;", Command::Describe("events".to_owned())),
            ("d public.\"Odd \"\"one\"", Command::Describe("Odd \"one".to_owned())),
            ("x", Command::Expanded(None)),
            ("timing off", Command::Timing(Some(false))),
            ("format  JSONL ", Command::Format(Some(OutputFormat::Jsonl))),
            ("o a file.csv", Command::Output(Some(PathBuf::from("a file.csv")))),
            ("o", Command::Output(None)),
            ("i x.sql", Command::Include(PathBuf::from("x.sql"))),
            ("kill 42;", Command::Kill(42)),
            ("?", Command::Help),
            ("q;", Command::Quit),
        ] {
            assert_eq!(Command::parse(text), Ok(command), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, named) in [
            ("dance", r"unknown command \dance"),
            ("", r"unknown command \"),
            ("timing maybe", "maybe: must be on or off"),
            ("format xml", "table, csv, json, jsonl, parquet"),
            ("i", "name of a file"),
            ("kill", "needs a query_id"),
            ("kill -1", "-1: must be a query_id"),
            ("q now", "takes no argument"),
        ] {
            let error = Command::parse(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
