//! `Session`: the settings of one run of `hexflight sql` and the items it runs, whether they come from the command line, a file,
//! a pipe or the prompt.

use std::{
    io::{self, IsTerminal, Read},
    path::Path,
};

use super::{
    args::SqlArgs,
    command::{Command, HELP},
    complaint::{Origin, complaint, refusal},
    describe,
    format::{Layout, OutputFormat, Overflow},
    interrupt::Interrupt,
    script::{Item, items},
    sink::Sink,
    statement::{self, Summary},
    target::Target,
    watch::Show,
};
use crate::console::{self, CliError, grouped, millis};

/// Longest script; it is held in memory. **Units**: bytes.
const SCRIPT_BYTES_MAX: u64 = 64 << 20;

/// Files that run files that run files.
const INCLUDE_DEPTH_MAX: usize = 16;

/// Whether more is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is.
    Go,
    /// The user wants to leave.
    Quit,
}

/// See the module.
pub(super) struct Session {
    pub(super) target: Target,
    pub(super) interrupt: Interrupt,
    sink: Sink,
    format: OutputFormat,
    expanded: bool,
    timing: bool,
    show: Show,
    /// Whether somebody types: each result is kept when it is complete, not all of them at the end.
    interactive: bool,
    include_depth: usize,
}

impl Session {
    /// Opens the output and the target that the arguments name.
    ///
    /// # Errors
    /// `Argument` for what cannot work, `Io` for an output that cannot be written, as [`Target::of`].
    pub(super) async fn open(args: &SqlArgs, interactive: bool) -> Result<Self, CliError> {
        let interrupt = Interrupt::listen()?;
        let sink = args.output.as_deref().map_or_else(|| Ok(Sink::stdout()), Sink::create)?;
        let show = match (args.progress, io::stderr().is_terminal()) {
            (true, _) => Show::Always,
            (false, true) => Show::Line,
            (false, false) => Show::Nothing,
        };
        let mut session = Self {
            target: Target::of(args).await?,
            interrupt,
            sink,
            format: args.format,
            expanded: false,
            timing: args.timing,
            show,
            interactive,
            include_depth: 0,
        };
        if !interactive {
            session.check_format()?;
        }
        Ok(session)
    }

    /// Runs the items of a script in order, up to the first error.
    ///
    /// # Errors
    /// `Statement` with the place of the item that failed, `Cancelled` by a signal.
    pub(super) async fn run(&mut self, script: &str, origin: &Origin) -> Result<Next, CliError> {
        let items = items(script);
        if self.format == OutputFormat::Parquet
            && items.iter().filter(|item| item.command().is_none()).count() > 1
        {
            return Err(one_result_only());
        }
        for item in items {
            let next = match item.command() {
                Some(command) => self.command(command, &item, origin).await?,
                None => self.statement(&item, origin).await?,
            };
            if next == Next::Quit {
                return Ok(Next::Quit);
            }
        }
        Ok(Next::Go)
    }

    /// Runs the statements of a file; `-` is stdin.
    ///
    /// # Errors
    /// `Io` when the file cannot be read, as [`Self::run`].
    pub(super) async fn run_file(&mut self, path: &Path) -> Result<Next, CliError> {
        let (script, name) = if path.as_os_str() == "-" {
            (read_script(io::stdin().lock(), "stdin")?, "stdin".to_owned())
        } else {
            let name = path.display().to_string();
            let file = std::fs::File::open(path).map_err(|source| read_error(&name, source))?;
            (read_script(file, &name)?, name)
        };
        self.run(&script, &Origin::Named(name)).await
    }

    /// Keeps what was written and stops what was started.
    ///
    /// # Errors
    /// `Io` when the output cannot be written to its end, as [`Target::close`].
    pub(super) async fn close(mut self, outcome: Result<(), CliError>) -> Result<(), CliError> {
        let written = if outcome.is_ok() { self.sink.commit() } else { Ok(()) };
        let closed = self.target.close().await;
        outcome.and(written).and(closed)
    }

    async fn statement(&mut self, item: &Item<'_>, origin: &Origin) -> Result<Next, CliError> {
        match self.ask(item.text).await {
            Ok(Some(summary)) => {
                self.say(&summary);
                Ok(Next::Go)
            }
            // Nobody reads: there is nothing left to do.
            Ok(None) => Ok(Next::Quit),
            Err(CliError::Client(error)) => {
                if error.is_lost() {
                    self.target.disconnect();
                }
                Err(CliError::Statement(refusal(origin, item, &error)))
            }
            Err(CliError::Cancelled) => Err(CliError::Cancelled),
            Err(error) => Err(CliError::Statement(complaint(origin, item, &error.to_string()))),
        }
    }

    /// Runs a statement; `None` when the reader of the output has gone.
    async fn ask(&mut self, sql: &str) -> Result<Option<Summary>, CliError> {
        self.check_format()?;
        let client = tokio::select! {
            client = self.target.client() => client?,
            () = self.interrupt.received() => return Err(CliError::Cancelled),
        };
        let layout = self.layout();
        let asked =
            statement::run(&client, sql, layout, self.show, &mut self.sink, &mut self.interrupt).await;
        let closed = self.sink.closed().load(std::sync::atomic::Ordering::Relaxed);
        match asked {
            Ok(_) | Err(_) if closed => Ok(None),
            Ok(summary) => {
                if self.interactive {
                    self.sink.commit()?;
                }
                Ok(Some(summary))
            }
            Err(error) => {
                // The first error is the one to tell.
                let _also_failed = self.sink.roll_back();
                Err(error)
            }
        }
    }

    fn layout(&self) -> Layout {
        let shown = matches!(self.sink, Sink::Stdout(_)) && io::stdout().is_terminal();
        let overflow = if shown { Overflow::Stop } else { Overflow::Continue };
        Layout { format: self.format, expanded: self.expanded, overflow }
    }

    fn say(&self, summary: &Summary) {
        if !self.timing && self.format != OutputFormat::Table {
            return;
        }
        let mut text = if summary.cut {
            "stopped early".to_owned()
        } else {
            let rows = if summary.rows == 1 { "row" } else { "rows" };
            format!("{} {rows}", grouped(summary.rows as u64))
        };
        if self.timing || !self.interactive {
            text.push_str(&format!(" in {}", millis(summary.elapsed)));
        }
        console::note(&text);
    }

    /// Refuses Parquet where it would do harm or make no file.
    fn check_format(&mut self) -> Result<(), CliError> {
        if self.format != OutputFormat::Parquet {
            return Ok(());
        }
        let to_terminal = matches!(self.sink, Sink::Stdout(_)) && io::stdout().is_terminal();
        if to_terminal {
            let rule =
                if self.interactive { r"give a file with \o FILE" } else { "give a file with -o FILE" };
            return Err(CliError::Argument {
                field: "format",
                value: "parquet".to_owned(),
                rule: format!("is not for a terminal; {rule}"),
            });
        }
        if self.sink.holds_results() { Err(one_result_only()) } else { Ok(()) }
    }

    async fn command(&mut self, text: &str, item: &Item<'_>, origin: &Origin) -> Result<Next, CliError> {
        let fail = |message: String| CliError::Statement(complaint(origin, item, &message));
        let command = Command::parse(text).map_err(fail)?;
        match self.obey(command).await {
            Err(CliError::Client(error)) => {
                self.target.disconnect();
                Err(fail(error.to_string()))
            }
            // Already says where, in the file that was run.
            Err(error @ (CliError::Statement(_) | CliError::Cancelled)) => Err(error),
            Err(error) => Err(fail(error.to_string())),
            done => done,
        }
    }

    async fn obey(&mut self, command: Command) -> Result<Next, CliError> {
        match command {
            Command::Tables => {
                let tables = self.target.client().await?.tables().await?;
                console::say(&describe::tables_text(&tables)?)?;
            }
            Command::Describe(name) => {
                let tables = self.target.client().await?.tables().await?;
                console::say(&describe::columns_text(&tables, &name)?)?;
            }
            Command::Expanded(value) => {
                self.expanded = value.unwrap_or(!self.expanded);
                console::note(&format!("expanded display is {}", on_or_off(self.expanded)));
            }
            Command::Timing(value) => {
                self.timing = value.unwrap_or(!self.timing);
                console::note(&format!("timing is {}", on_or_off(self.timing)));
            }
            Command::Format(value) => {
                self.format = value.unwrap_or(self.format);
                console::note(&format!("format is {}", format!("{:?}", self.format).to_lowercase()));
            }
            Command::Output(path) => self.redirect(path.as_deref())?,
            Command::Include(path) => return Box::pin(self.include(&path)).await,
            Command::Kill(id) => {
                let ended = self.target.client().await?.cancel_query(id).await?;
                let text = if ended { "is ended" } else { "does not run, or is not yours" };
                console::note(&format!("query {id} {text}"));
            }
            Command::Help => console::say(HELP)?,
            Command::Quit => return Ok(Next::Quit),
        }
        Ok(Next::Go)
    }

    /// The file that was written to is complete already.
    fn redirect(&mut self, path: Option<&Path>) -> Result<(), CliError> {
        let next = path.map_or_else(|| Ok(Sink::stdout()), Sink::create)?;
        self.sink.commit()?;
        if let Some(path) = self.sink.path() {
            console::note(&format!("results are in {}", path.display()));
        }
        self.sink = next;
        Ok(())
    }

    async fn include(&mut self, path: &Path) -> Result<Next, CliError> {
        if self.include_depth >= INCLUDE_DEPTH_MAX {
            let text = format!(r"{}: \i within \i is limited to {INCLUDE_DEPTH_MAX}", path.display());
            return Err(CliError::Statement(text));
        }
        self.include_depth += 1;
        let outcome = self.run_file(path).await;
        self.include_depth -= 1;
        outcome
    }
}

fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn one_result_only() -> CliError {
    CliError::Argument {
        field: "format",
        value: "parquet".to_owned(),
        rule: "a file holds one result; run one statement per file".to_owned(),
    }
}

fn read_script(source: impl Read, name: &str) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    let mut bounded = source.take(SCRIPT_BYTES_MAX + 1);
    bounded.read_to_end(&mut bytes).map_err(|source| read_error(name, source))?;
    if bytes.len() as u64 > SCRIPT_BYTES_MAX {
        let text = format!("{name}: longer than {SCRIPT_BYTES_MAX} bytes; split it");
        return Err(CliError::Statement(text));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::Statement(format!("{name}: not UTF-8 text at byte {at}"))
    })
}

fn read_error(name: &str, source: io::Error) -> CliError {
    CliError::Io { action: format!("read {name}"), source }
}
