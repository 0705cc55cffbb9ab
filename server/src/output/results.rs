//! Where the results of a command go, and how they look: standard output with its pager, or a file.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use glaux_engine::{Error, Result};

use super::{
    format::Format,
    forms::begin_on,
    pager::Pager,
    style::{Expanded, Style},
    whole_file::WholeFile,
    writer::{ResultWriter, is_broken_pipe, write_error},
};
use crate::{
    diagnostic,
    terminal::{Screen, stdout_is_colored},
};

/// To which width tables are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Width {
    /// To the terminal's; not at all where there is none.
    #[default]
    Auto,
    Off,
    Columns(usize),
}

/// The results of a command.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) format: Format,
    pub(crate) expanded: Expanded,
    pub(crate) width: Width,
    /// Whether a result that is longer than the screen goes to a pager.
    pub(crate) is_paged: bool,
    target: Target,
    /// Whether a result that only one file can hold has been written.
    is_full: bool,
}

#[derive(Debug)]
enum Target {
    Stdout,
    /// One that grows until results go elsewhere.
    File {
        path: PathBuf,
        file: File,
    },
    /// One that takes its place at the end.
    Whole {
        path: PathBuf,
        file: WholeFile,
    },
}

impl Results {
    pub(crate) fn new(format: Format) -> Self {
        let (expanded, width) = (Expanded::default(), Width::default());
        Self { format, expanded, width, is_paged: true, target: Target::Stdout, is_full: false }
    }

    /// Sends results to a file that takes its place with [`Results::commit`].
    ///
    /// # Errors
    /// Those of creating it.
    pub(crate) fn collect_in(&mut self, path: &Path) -> Result<()> {
        self.target = Target::Whole { path: path.to_owned(), file: WholeFile::create(path)? };
        Ok(())
    }

    /// Puts a file of results in its place: everything has succeeded.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn commit(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.target, Target::Stdout) {
            Target::Whole { file, .. } => file.commit(),
            Target::File { .. } | Target::Stdout => Ok(()),
        }
    }

    /// Sends results to a file, which is emptied, or to standard output again.
    ///
    /// # Errors
    /// Those of creating the file; `Invalid` if all results are collected in another.
    pub(crate) fn redirect(&mut self, path: Option<&Path>) -> Result<()> {
        if let Target::Whole { path, .. } = &self.target {
            return Err(Error::invalid(format!("the results are collected in \"{}\"", path.display()))
                .with_hint("Leave --output out to write to other files"));
        }
        self.target = match path {
            None => {
                // No terminal can show another.
                if self.format.is_binary() && io::stdout().is_terminal() {
                    self.format = Format::Table;
                }
                Target::Stdout
            }
            Some(path) => {
                let file = File::create(path).map_err(|error| diagnostic::io_error("write the results to", path, error))?;
                Target::File { path: path.to_owned(), file }
            }
        };
        self.is_full = false;
        Ok(())
    }

    /// Whether results are shown on a terminal.
    pub(crate) fn is_shown(&self) -> bool {
        matches!(self.target, Target::Stdout) && io::stdout().is_terminal()
    }

    /// To be asked before a statement runs.
    ///
    /// # Errors
    /// `Invalid` for a binary form on a terminal.
    pub(crate) fn check_format(&self) -> Result<()> {
        if self.format.is_binary() && self.is_shown() {
            let name = self.format.name();
            return Err(Error::invalid(format!("a terminal cannot show the binary format \"{name}\""))
                .with_hint(format!("Send it to a file: `> result.{name}`, or \\o result.{name} in the shell")));
        }
        Ok(())
    }

    /// Begins a result. One without columns writes nothing in any form.
    ///
    /// # Errors
    /// `Invalid` for what the target cannot hold; as [`ResultWriter::finish`].
    pub(crate) fn begin(&mut self, schema: &SchemaRef) -> Result<Writing> {
        if self.format.is_binary() && !schema.fields().is_empty() && std::mem::replace(&mut self.is_full, true) {
            return Err(Error::invalid(format!("the format \"{}\" can hold only one result", self.format.name()))
                .with_hint("Run the statements one by one, or use --format csv or json"));
        }
        let is_shown = self.is_shown();
        let (pager, file) = match &self.target {
            Target::Stdout => (if is_shown && self.is_paged { Pager::wanted() } else { None }, None),
            Target::File { path, .. } | Target::Whole { path, .. } => (None, Some(path.display().to_string())),
        };
        let out: Box<dyn Write + Send> = match (&self.target, &pager) {
            (Target::Stdout, Some(pager)) => Box::new(pager.clone()),
            (Target::Stdout, None) => Box::new(io::stdout()),
            (Target::File { file, .. }, _) => Box::new(file.try_clone().map_err(write_error)?),
            (Target::Whole { file, .. }, _) => Box::new(file.handle().map_err(write_error)?),
        };
        let style = Style {
            width: match self.width {
                Width::Auto if is_shown => Screen::of_stdout().map(|screen| screen.columns),
                Width::Auto | Width::Off => None,
                Width::Columns(columns) => Some(columns),
            },
            is_colored: file.is_none() && stdout_is_colored(),
            expanded: self.expanded,
        };
        let writer = begin_on(out, self.format, schema, style).map_err(|error| of_file(error, file.as_deref()))?;
        Ok(Writing { writer, pager, file, is_shown })
    }
}

/// An error of writing, with the file that it is about.
fn of_file(error: Error, file: Option<&str>) -> Error {
    match file {
        Some(file) => error.with_context("file", file),
        None => error,
    }
}

/// One result on its way.
pub(crate) struct Writing {
    writer: Box<dyn ResultWriter>,
    pager: Option<Pager>,
    file: Option<String>,
    is_shown: bool,
}

impl Writing {
    /// Whether the rows are shown on a terminal, from which other lines must have gone.
    pub(crate) fn is_shown(&self) -> bool {
        self.is_shown
    }

    /// Whether a pager may come to have the terminal.
    pub(crate) fn has_pager(&self) -> bool {
        self.pager.is_some()
    }

    /// Whether a pager has the terminal.
    pub(crate) fn is_paged(&self) -> bool {
        self.pager.as_ref().is_some_and(Pager::is_running)
    }

    /// Whether nobody wants more rows: the pager was left.
    pub(crate) fn was_left(&self) -> bool {
        self.pager.as_ref().is_some_and(Pager::was_left)
    }

    /// # Errors
    /// As [`ResultWriter::finish`].
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let written = self.writer.write(batch);
        self.outcome(written)
    }

    /// Ends the result, and waits for a pager until it is left.
    ///
    /// # Errors
    /// As [`ResultWriter::finish`].
    pub(crate) fn finish(mut self) -> Result<()> {
        let finished = self.writer.finish();
        self.outcome(finished)
    }

    /// A pager that was left is no failure.
    fn outcome(&self, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(error) if is_broken_pipe(&error) && self.pager.is_some() => Ok(()),
            Err(error) => Err(of_file(error, self.file.as_deref())),
            Ok(()) => Ok(()),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // What goes wrong with standard output now, its next use will tell.
        if let Some(pager) = &self.pager {
            let _ = pager.close();
        }
    }
}
