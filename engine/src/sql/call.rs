//! `CALL`, Trino's syntax for procedures. The only procedure is `system.crawl`.

use sqlparser::tokenizer::Token;

use super::{
    cursor::{Cursor, check_catalog},
    statement::{Crawl, CrawlDeletions, CrawlPolicy, Statement},
};
use crate::error::{Error, Result, nearest};

const NAMES: [&str; 8] = ["url", "database", "policy", "deletions", "dry_run", "table_level", "sample", "table_prefix"];

/// An argument's value.
enum Value {
    Text(String),
    Number(u32),
    Boolean(bool),
}

/// A procedure's call, from its name.
pub(super) fn call(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let mut parts = vec![cursor.name()?];
    while cursor.eat(&Token::Period) {
        parts.push(cursor.name()?);
    }
    if parts.len() == 3 {
        check_catalog(&parts.remove(0))?;
    }
    if parts != ["system", "crawl"] {
        return Err(Error::not_found(format!("procedure \"{}\" does not exist", parts.join(".")))
            .with_hint("The only procedure is system.crawl(url). To find the partitions of a table, use MSCK REPAIR TABLE"));
    }
    let mut given: Vec<(&'static str, Value)> = Vec::new();
    let mut is_named = false;
    cursor.parenthesised(|cursor| {
        let mark = cursor.mark();
        let name = match cursor.name_as_written().map(|name| (name, cursor.eat(&Token::RArrow))) {
            Ok((name, true)) => {
                is_named = true;
                named(&name)?
            }
            _ => {
                cursor.rewind(mark);
                match NAMES.get(given.len()).filter(|_| !is_named) {
                    Some(name) => name,
                    None => {
                        return Err(cursor.fault("arguments without names come before named ones, and there are at most eight"));
                    }
                }
            }
        };
        if given.iter().any(|(other, _)| *other == name) {
            return Err(cursor.fault(&format!("the argument {name} is given twice")));
        }
        let value = value(cursor)?;
        given.push((name, value));
        Ok(())
    })?;
    let mut crawl = Crawl::new("");
    for (name, value) in given {
        put(&mut crawl, name, value)?;
    }
    if crawl.url.is_empty() {
        return Err(
            Error::invalid("system.crawl is called without a url").with_hint("Write CALL system.crawl('s3://bucket/prefix/')")
        );
    }
    Ok(Statement::Crawl(Box::new(crawl)))
}

fn named(name: &str) -> Result<&'static str> {
    NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let error = Error::invalid(format!("system.crawl has no argument \"{name}\""));
        error.with_hint(match nearest(name, NAMES.into_iter()) {
            Some(near) => format!("Did you mean \"{near}\"?"),
            None => format!("Its arguments are {}", NAMES.join(", ")),
        })
    })
}

fn value(cursor: &mut Cursor<'_>) -> Result<Value> {
    if cursor.at_string() {
        return cursor.string().map(Value::Text);
    }
    match cursor.eat_any(&["TRUE", "FALSE"]) {
        Some(word) => Ok(Value::Boolean(word == "TRUE")),
        None => cursor.number().map(Value::Number).map_err(|_| cursor.unexpected(&["<string>", "<integer>", "TRUE", "FALSE"])),
    }
}

fn put(crawl: &mut Crawl, name: &'static str, value: Value) -> Result<()> {
    match (name, value) {
        ("url", Value::Text(url)) => crawl.url = url,
        ("database", Value::Text(database)) => crawl.database = Some(database.to_lowercase()),
        ("policy", Value::Text(policy)) => {
            crawl.policy = CrawlPolicy::parse(&policy).ok_or_else(|| {
                Error::invalid(format!("unknown crawl policy \"{policy}\""))
                    .with_hint("The policies are update (Glue's UPDATE_IN_DATABASE), add-columns and log (LOG)")
            })?;
        }
        ("deletions", Value::Text(deletions)) => {
            crawl.deletions = CrawlDeletions::parse(&deletions).ok_or_else(|| {
                Error::invalid(format!("unknown deletion policy \"{deletions}\""))
                    .with_hint("The policies are log (LOG) and delete (Glue's DELETE_FROM_DATABASE)")
            })?;
        }
        ("dry_run", Value::Boolean(dry_run)) => crawl.dry_run = dry_run,
        ("table_level", Value::Number(level)) => crawl.table_level = Some(level),
        ("sample", Value::Number(sample @ 1..)) => crawl.sample = sample,
        ("table_prefix", Value::Text(prefix)) => crawl.table_prefix = prefix.to_lowercase(),
        (name, _) => {
            let wanted = match name {
                "dry_run" => "TRUE or FALSE",
                "table_level" => "a number",
                "sample" => "a number, at least 1",
                _ => "a string",
            };
            return Err(Error::invalid(format!("the argument {name} of system.crawl must be {wanted}")));
        }
    }
    Ok(())
}
