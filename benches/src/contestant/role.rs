//! The other end of `contestant`: this program as Glaux or as DataFusion, asked on standard input and answering on standard output.

use std::{
    io::{BufRead, Write},
    time::Instant,
};

use glaux_tests::runner::render;
use serde_json::{Value, json};

use super::{Reported, Who, datafusion::DataFusion, glaux::Glaux};
use crate::{Result, process::Process};

enum Engine {
    Glaux(Glaux),
    DataFusion(DataFusion),
}

/// Plays a role until standard input ends.
///
/// # Errors
/// If it cannot be asked or answer.
pub(crate) async fn play(arguments: &[String]) -> Result<()> {
    let who = arguments.first().and_then(|name| Who::by_name(name)).ok_or("there is no such contestant")?;
    let mut engine = None;
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        let answer = match answer(who, &mut engine, &message).await {
            Ok(answer) => answer,
            Err(error) => json!({ "error": error.to_string() }),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

async fn answer(who: Who, engine: &mut Option<Engine>, message: &Value) -> Result<Value> {
    let engine = match (message["op"].as_str(), engine) {
        (Some("start"), engine) => {
            let started = match who {
                Who::Glaux => Engine::Glaux(Glaux::start(message).await?),
                _ => Engine::DataFusion(DataFusion::start(who, message)?),
            };
            *engine = Some(started);
            return Ok(json!({ "version": version(who) }));
        }
        (_, Some(engine)) => engine,
        (_, None) => return Err("it was not started".into()),
    };
    let own = Process::own();
    own.reset_peak()?;
    let (cpu, started) = (own.fine_cpu()?, Instant::now());
    let (batches, reported) = match (engine, message["op"].as_str()) {
        (Engine::Glaux(glaux), Some("open")) => glaux.open(message).await?,
        (Engine::Glaux(glaux), _) => glaux.run(&sql(message)).await?,
        (Engine::DataFusion(datafusion), Some("open")) => datafusion.open(message).await?,
        (Engine::DataFusion(datafusion), _) => datafusion.run(sql(message)).await?,
    };
    let (wall, cpu) = (started.elapsed(), own.fine_cpu()?.saturating_sub(cpu));
    let mut rows = Vec::new();
    for batch in &batches {
        rows.extend(render::rows(batch)?);
    }
    let reported = reported.map(|Reported { requests, fetched_bytes, billed_bytes }| {
        json!({ "requests": requests, "fetched_bytes": fetched_bytes, "billed_bytes": billed_bytes })
    });
    Ok(json!({
        "wall": wall.as_secs_f64(),
        "cpu": cpu.as_secs_f64(),
        "peak": own.peak()?,
        "rows": rows,
        "reported": reported,
    }))
}

fn version(who: Who) -> String {
    match who {
        Who::Glaux => format!("Glaux {}", env!("CARGO_PKG_VERSION")),
        _ => format!("DataFusion {}", ::datafusion::DATAFUSION_VERSION),
    }
}

fn sql(message: &Value) -> String {
    message["sql"].as_str().unwrap_or_default().replace("{t}", message["table"].as_str().unwrap_or_default())
}
