//! `glaux catalog export` and `glaux catalog import`.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use glaux_catalog::glue::Documents;
use glaux_engine::{
    CATALOG_FILE, Error, ErrorKind, Result,
    exchange::{self, Imported, Outcome, Selection},
};

use super::{catalog_file, options::CommonOptions, runtime::runtime, say::say, stop::Stop};
use crate::{
    diagnostic, figures, output,
    setting::{self, Door},
};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Databases (`sales`) and tables (`sales.orders`) to export; everything if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// What to write
    #[arg(long, value_enum, default_value = "glue", value_name = "FORMAT")]
    format: ExportFormat,

    /// File to write instead of standard output; it must not exist yet
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExportFormat {
    /// AWS Glue's JSON, one document a line: everything in the catalog
    Glue,
    /// A script of CREATE and ALTER statements for `glaux sql`
    Ddl,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Files with the output of `aws glue get-databases`, `get-tables` and `get-partitions`; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// What to do if a table exists: skip it, replace it, or import nothing
    #[arg(long, value_enum, default_value = "fail", value_name = "WHAT")]
    if_exists: IfExists,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum IfExists {
    Skip,
    Replace,
    Fail,
}

pub(super) fn export(options: &CommonOptions, args: &ExportArgs) -> Result<(), Stop> {
    let selection = Selection::parse(&args.names)?;
    let loaded = options.load()?;
    if loaded.catalog.url.as_ref().is_none_or(String::is_empty) {
        catalog_file::require(&loaded.engine.data_dir.join(CATALOG_FILE))?;
    }
    let runtime = runtime()?;
    runtime.block_on(async {
        let (engine, _) = options.open().await?;
        let mut out: Box<dyn Write + Send> = match &args.output {
            Some(file) => Box::new(BufWriter::new(create(file)?)),
            None => Box::new(io::stdout()),
        };
        let metastore = engine.metastore().as_ref();
        let written = match args.format {
            ExportFormat::Glue => exchange::export_glue(metastore, &selection, out.as_mut()).await,
            ExportFormat::Ddl => exchange::export_ddl(metastore, &selection, out.as_mut()).await,
        };
        if let (Err(error), Some(file)) = (&written, &args.output)
            && !output::is_broken_pipe(error)
        {
            // Half an export is none.
            drop(out);
            let _ = std::fs::remove_file(file);
        }
        Ok(written?)
    })
}

fn create(file: &Path) -> Result<File> {
    match File::create_new(file) {
        Ok(created) => Ok(created),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::already_exists(format!("the file \"{}\" already exists", file.display())).with_hint("Choose another name"))
        }
        Err(error) => Err(diagnostic::io_error("write the export", file, error)),
    }
}

pub(super) fn import(options: &CommonOptions, args: &ImportArgs) -> Result<(), Stop> {
    let mut documents = Documents::default();
    for file in &args.files {
        let read = if file.as_os_str() == "-" {
            documents.read(io::stdin().lock())
        } else {
            let opened = File::open(file).map_err(|error| diagnostic::io_error("read the documents", file, error))?;
            documents.read(BufReader::new(opened))
        };
        read.map_err(|error| error.with_context("file", file.display().to_string()))?;
    }
    if documents.cut_off > 0 {
        let what = figures::count(documents.cut_off as u64, "document");
        diagnostic::warn(&format!("{what} end with a NextToken: the output of Glue is incomplete"));
    }
    let if_exists = match args.if_exists {
        IfExists::Skip => exchange::IfExists::Skip,
        IfExists::Replace => exchange::IfExists::Replace,
        IfExists::Fail => exchange::IfExists::Fail,
    };
    let runtime = runtime()?;
    let imported = runtime.block_on(async {
        let (engine, _) = options.open().await?;
        let now = engine.clock().now();
        exchange::import_glue(engine.metastore().as_ref(), documents, if_exists, now).await
    })?;
    let mut refused = 0_u64;
    for one in &imported {
        tell(one)?;
        refused += u64::from(matches!(&one.outcome, Outcome::LeftOut(_)) && !one.is_view);
    }
    if refused == 0 {
        return Ok(());
    }
    let message = format!("{} could not be imported", figures::count(refused, "object"));
    Err(Error::new(ErrorKind::Unsupported, message)
        .with_hint("They are listed above with the reason; everything else was imported")
        .into())
}

fn tell(imported: &Imported) -> Result<()> {
    let Imported { object, outcome, partitions, .. } = imported;
    let with = match partitions {
        0 => String::new(),
        count => format!(" ({})", figures::count(*count as u64, "partition")),
    };
    match outcome {
        Outcome::Created => say(&format!("imported {object}{with}")),
        Outcome::Replaced => say(&format!("replaced {object}{with}")),
        Outcome::Skipped => say(&format!("skipped {object}: it already exists")),
        Outcome::LeftOut(reason) => {
            say(&format!("left out {object}: {reason}"))?;
            setting::hint(reason, Door::CommandLine).map_or(Ok(()), |hint| say(&format!("  hint: {hint}")))
        }
    }
}
