//! The actions SetSessionOptions, GetSessionOptions and CloseSession: their messages, which `arrow-flight` does not have, and what each
//! option means here.
//!
//! `catalog` and `schema` are the current ones, `parallel_endpoints` is how many streams a result may be fetched in, the settings of
//! `SHOW SESSION` have their names, and `last_query.*`, which can only be read, are the figures of the session's last query.

use std::collections::HashMap;

use glaux_catalog::ident::{CATALOG_NAME, fold};
use glaux_engine::{Engine, ErrorKind, session::FORMER_NAMES};
use prost::{Enumeration, Message, Oneof};
use serde_json::Value as Json;

use super::stats;
use crate::statements::ClientSession;

/// A value of an option; none unsets it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OptionValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    pub(super) value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(sfixed64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Texts(Texts),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Texts {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SetSessionOptionsRequest {
    #[prost(map = "string, message", tag = "1")]
    pub(super) options: HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    pub(super) errors: HashMap<String, OptionError>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct OptionError {
    #[prost(enumeration = "ErrorValue", tag = "1")]
    pub(super) value: i32,
}

/// Why an option was not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(super) enum ErrorValue {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Error = 3,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    pub(super) options: HashMap<String, OptionValue>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct CloseSessionResult {
    #[prost(enumeration = "CloseStatus", tag = "1")]
    pub(super) status: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(super) enum CloseStatus {
    Unspecified = 0,
    Closed = 1,
    Closing = 2,
    NotCloseable = 3,
}

const LAST_QUERY: &str = "last_query.";

/// The value as the text that a setting is parsed from; `None` for a value of no type that an option has.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Double(value) => Some(value.to_string()),
        Value::Texts(_) => None,
    }
}

/// Sets the options that can be set; reports which cannot.
pub(super) async fn set(request: SetSessionOptionsRequest, client: &ClientSession, engine: &Engine) -> SetSessionOptionsResult {
    let mut errors = HashMap::new();
    for (name, value) in request.options {
        if let Err(error) = set_one(&name, value.value.as_ref(), client, engine).await {
            errors.insert(name, OptionError { value: error as i32 });
        }
    }
    SetSessionOptionsResult { errors }
}

async fn set_one(name: &str, value: Option<&Value>, client: &ClientSession, engine: &Engine) -> Result<(), ErrorValue> {
    let text = value.map(|value| text(value).ok_or(ErrorValue::InvalidValue)).transpose()?;
    match (name, text) {
        ("catalog", text) => match text.as_deref().map(fold).as_deref() {
            None | Some("" | CATALOG_NAME) => Ok(()),
            Some(_) => Err(ErrorValue::InvalidValue),
        },
        ("schema", text) => {
            let wanted = text.filter(|text| !text.is_empty());
            let database = fold(wanted.as_deref().unwrap_or(glaux_catalog::ident::DEFAULT_DATABASE));
            let known = engine.browse(&client.session).databases().await.map_err(|_| ErrorValue::Error)?;
            if !known.contains(&database) {
                return Err(ErrorValue::InvalidValue);
            }
            client.session.set_database(&database);
            Ok(())
        }
        ("parallel_endpoints", text) => {
            let wanted = text.map_or(Ok(1), |text| text.parse().map_err(|_| ErrorValue::InvalidValue))?;
            client.set_streams(wanted);
            Ok(())
        }
        (name, _) if name.starts_with(LAST_QUERY) => Err(ErrorValue::InvalidName),
        (name, text) => {
            let set = match text {
                Some(text) => client.session.set(name, &text),
                None => client.session.reset(name),
            };
            set.map_err(|error| match error.kind() {
                ErrorKind::NotFound => ErrorValue::InvalidName,
                ErrorKind::Denied => ErrorValue::Error,
                _ => ErrorValue::InvalidValue,
            })
        }
    }
}

/// All options with their values.
pub(super) fn get(client: &ClientSession) -> GetSessionOptionsResult {
    let of = |value| OptionValue { value: Some(value) };
    let mut options = HashMap::from([
        ("catalog".to_owned(), of(Value::Text(CATALOG_NAME.to_owned()))),
        ("schema".to_owned(), of(Value::Text(client.session.database()))),
        ("parallel_endpoints".to_owned(), of(Value::Int(client.streams().into()))),
    ]);
    for [name, value, ..] in client.session.settings() {
        // Clients that ask by a former name find the setting, too.
        for (former, _) in FORMER_NAMES.into_iter().filter(|(_, now)| *now == name) {
            options.insert(former.to_owned(), of(Value::Text(value.clone())));
        }
        options.insert(name, of(Value::Text(value)));
    }
    if let Some(report) = client.last_query() {
        flatten(LAST_QUERY.trim_end_matches('.'), &stats::json(&report), &mut options);
    }
    GetSessionOptionsResult { options }
}

/// An object's members as options whose names are its path.
fn flatten(path: &str, json: &Json, options: &mut HashMap<String, OptionValue>) {
    let value = match json {
        Json::Object(members) => {
            for (name, member) in members {
                // `last_query.query_id` reads twice the same.
                let name = if name == "query_id" { "id" } else { name };
                flatten(&format!("{path}.{name}"), member, options);
            }
            return;
        }
        Json::Null => return,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::Double(number),
            (None, None) => return,
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(_) => return,
    };
    options.insert(path.to_owned(), OptionValue { value: Some(value) });
}
