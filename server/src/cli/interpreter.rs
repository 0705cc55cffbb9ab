//! Runs text: statements, and the commands that begin with a backslash. Scripts and the shell have it in common.

mod command;
mod edit;
mod pieces;
mod script;

use std::{
    mem,
    path::Path,
    time::{Duration, Instant},
};

use glaux_engine::{
    Error, Result,
    sql::{self, Changes, split},
};
use tokio::runtime::Runtime;

pub(crate) use self::{
    command::{Argument, COMMANDS, Command, in_home},
    pieces::pieces,
    script::{read_file, read_stdin},
};
use self::{pieces::script_pieces, script::Place};
use super::{
    execute::Executor,
    say::{say_raw, tell},
};
use crate::{
    figures,
    output::{Expanded, Width},
    stats::StatsFormat,
};

/// Files that may run one another.
const MAX_DEPTH: usize = 16;

/// What follows from a text that was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Nothing,
    /// There may be other names to complete.
    Names,
    Leave,
}

/// Runs statements and commands, one after the other.
#[derive(Debug)]
pub(crate) struct Interpreter<'a> {
    runtime: &'a Runtime,
    executor: &'a mut Executor,
    is_timed: bool,
    /// The last statement that was entered.
    last: Option<String>,
    /// How many files run each other.
    depth: usize,
    /// What was entered in an editor, and has not been asked for yet.
    edited: Vec<String>,
}

/// Whether a statement may change what there is to complete.
fn changes_names(statement: &str) -> bool {
    sql::parse(statement).is_ok_and(|statement| match statement.nature().changes {
        Changes::Catalog | Changes::Session => true,
        Changes::Queries | Changes::Nothing => false,
    })
}

impl<'a> Interpreter<'a> {
    pub(crate) fn new(runtime: &'a Runtime, executor: &'a mut Executor) -> Self {
        Self { runtime, executor, is_timed: false, last: None, depth: 0, edited: Vec::new() }
    }

    pub(crate) fn executor(&self) -> &Executor {
        self.executor
    }

    /// Whether what ran last was stopped by Ctrl-C.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.executor.interrupt.was_pressed()
    }

    /// What was entered in an editor since the last call.
    pub(crate) fn take_edited(&mut self) -> Vec<String> {
        mem::take(&mut self.edited)
    }

    /// Runs a script to its end, its first failure, or Ctrl-C. Errors have their place in it.
    ///
    /// # Errors
    /// The first one of its statements and commands.
    pub(crate) fn script(&mut self, script: &str) -> Result<After> {
        let pieces = script_pieces(script);
        let has_pieces = pieces.len() > 1;
        for piece in pieces {
            let statements = split(piece.text);
            let is_one_of_many = has_pieces || statements.len() > 1;
            for statement in statements {
                let (offset, line) = (piece.offset + statement.offset, piece.line + statement.line - 1);
                let place = Place { offset, line, is_one_of_many };
                match Command::parse(statement.text) {
                    Some(command) => {
                        let done = command.and_then(|command| self.obey(command));
                        if done.map_err(|error| place.of_command(error))? == After::Leave {
                            return Ok(After::Leave);
                        }
                    }
                    None => self.enter(statement.text).map_err(|error| place.of_statement(error, script))?,
                }
                if self.was_interrupted() {
                    return Ok(After::Names);
                }
            }
        }
        Ok(After::Names)
    }

    /// Runs one statement or command.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn take(&mut self, text: &str) -> Result<After> {
        // A key that stopped an earlier one says nothing about this one.
        self.executor.interrupt.reset();
        match Command::parse(text) {
            Some(command) => self.obey(command?),
            None => {
                self.enter(text)?;
                Ok(if changes_names(text) { After::Names } else { After::Nothing })
            }
        }
    }

    fn enter(&mut self, statement: &str) -> Result<()> {
        self.last = Some(statement.to_owned());
        self.run(statement)
    }

    fn run(&mut self, statement: &str) -> Result<()> {
        let begun = Instant::now();
        let result = self.runtime.block_on(self.executor.run(statement));
        if self.is_timed {
            tell(&format!("time: {}", figures::duration(begun.elapsed())));
        }
        result
    }

    fn obey(&mut self, command: Command) -> Result<After> {
        match command {
            Command::Leave => return Ok(After::Leave),
            Command::Help => say_raw(&command::help())?,
            Command::Databases => self.run("SHOW DATABASES")?,
            Command::Tables => self.run("SHOW TABLES")?,
            Command::Describe(table) => self.run(&format!("DESCRIBE {table}"))?,
            Command::Include(file) => return self.include(&file),
            Command::Edit => return self.edit(),
            Command::Watch(interval) => return self.watch(interval),
            Command::Output(file) => self.redirect(file.as_deref())?,
            Command::Format(format) => {
                let results = &mut self.executor.results;
                let wanted = format.unwrap_or(results.format);
                let before = mem::replace(&mut results.format, wanted);
                if let Err(error) = results.check_format() {
                    results.format = before;
                    return Err(error);
                }
                tell(&format!("format is {}", results.format.name()));
            }
            Command::Expanded(expanded) => {
                let results = &mut self.executor.results;
                results.expanded = expanded.unwrap_or(match results.expanded {
                    Expanded::Off => Expanded::On,
                    Expanded::On | Expanded::Auto => Expanded::Off,
                });
                tell(&format!("expanded display is {}", named(&results.expanded)));
            }
            Command::Width(width) => {
                let results = &mut self.executor.results;
                results.width = width.unwrap_or(results.width);
                tell(&match results.width {
                    Width::Auto => "width is auto: the terminal's".to_owned(),
                    Width::Off => "width is off: nothing is cut".to_owned(),
                    Width::Columns(columns) => format!("width is {columns}"),
                });
            }
            Command::Pager(is_paged) => {
                let results = &mut self.executor.results;
                results.is_paged = is_paged.unwrap_or(!results.is_paged);
                tell(&format!("pager is {}", on_or_off(results.is_paged)));
            }
            Command::Stats(stats) => {
                let shown = &mut self.executor.stats.format;
                *shown = stats.unwrap_or(match *shown {
                    StatsFormat::None => StatsFormat::Text,
                    StatsFormat::Text | StatsFormat::Json => StatsFormat::None,
                });
                tell(&format!("stats is {}", named(shown)));
            }
            Command::Timing(is_timed) => {
                self.is_timed = is_timed.unwrap_or(!self.is_timed);
                tell(&format!("timing is {}", on_or_off(self.is_timed)));
            }
        }
        Ok(After::Nothing)
    }

    fn include(&mut self, file: &Path) -> Result<After> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::invalid(format!("more than {MAX_DEPTH} files run one another, down to \"{}\"", file.display()))
                .with_hint("A file may not run itself"));
        }
        let script = read_file(file)?;
        self.depth += 1;
        let done = self.script(&script);
        self.depth -= 1;
        match done {
            // It leaves the file.
            Ok(After::Leave) => Ok(After::Names),
            Ok(after) => Ok(after),
            Err(error) => Err(error.with_context("file", file.display().to_string())),
        }
    }

    fn edit(&mut self) -> Result<After> {
        let statement = self.last.clone().unwrap_or_default();
        // An editor may leave Ctrl-C to the terminal.
        self.executor.interrupt.set_patient(true);
        let edited = edit::edited(&statement);
        self.executor.interrupt.set_patient(false);
        self.executor.interrupt.reset();
        let Some(text) = edited? else {
            tell("nothing was changed, and nothing is run");
            return Ok(After::Nothing);
        };
        tell(text.trim_end());
        self.edited.push(text.trim_end().to_owned());
        self.script(&text)
    }

    /// Runs the last statement until Ctrl-C, which is no failure.
    fn watch(&mut self, interval: Duration) -> Result<After> {
        let Some(statement) = self.last.clone() else {
            return Err(Error::invalid("there is no statement to run again").with_hint("Run one first"));
        };
        let is_paged = mem::replace(&mut self.executor.results.is_paged, false);
        // A press between two runs counts as well.
        self.executor.interrupt.reset();
        self.executor.keeps_presses = true;
        let watched = self.repeat(&statement, interval);
        self.executor.keeps_presses = false;
        self.executor.results.is_paged = is_paged;
        watched
    }

    fn repeat(&mut self, statement: &str, interval: Duration) -> Result<After> {
        loop {
            let now = self.executor.engine.clock().now().format("%Y-%m-%d %H:%M:%S UTC");
            tell(&format!("-- {now}, every {} s until Ctrl-C", interval.as_secs_f64()));
            let done = self.run(statement);
            if self.was_interrupted() {
                return Ok(After::Nothing);
            }
            done?;
            let interrupt = &self.executor.interrupt;
            let was_pressed = self.runtime.block_on(async {
                tokio::select! {
                    () = interrupt.pressed() => true,
                    () = tokio::time::sleep(interval) => false,
                }
            });
            if was_pressed {
                return Ok(After::Nothing);
            }
        }
    }

    fn redirect(&mut self, file: Option<&Path>) -> Result<()> {
        let results = &mut self.executor.results;
        results.redirect(file)?;
        match file {
            Some(file) => tell(&format!("results go to {} as {}", file.display(), results.format.name())),
            None => tell(&format!("results go to standard output as {}", results.format.name())),
        }
        Ok(())
    }
}

fn on_or_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// A choice by the name that its user writes.
fn named(choice: &impl clap::ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
