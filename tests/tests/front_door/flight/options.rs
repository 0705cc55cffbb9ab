//! The messages of session options, which `arrow-flight` does not have, as the protocol writes them down.

use std::collections::HashMap;

use prost::{Message, Oneof};
use serde_json::{Value as Json, json};

use super::client::Raw;

#[derive(Clone, PartialEq, Message)]
struct OptionValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Value {
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
struct Texts {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

/// A map of values: SetSessionOptionsRequest and GetSessionOptionsResult.
#[derive(Clone, PartialEq, Message)]
struct Options {
    #[prost(map = "string, message", tag = "1")]
    options: HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Errors {
    #[prost(map = "string, message", tag = "1")]
    errors: HashMap<String, OptionError>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct OptionError {
    #[prost(int32, tag = "1")]
    value: i32,
}

/// Sets one option; gives the protocol's number of the error, if there is one.
pub(super) async fn set(raw: &mut Raw, name: &str, value: Json) -> Option<i32> {
    let value = match value {
        Json::String(text) => Some(Value::Text(text)),
        Json::Bool(value) => Some(Value::Bool(value)),
        Json::Number(number) => {
            Some(number.as_i64().map_or_else(|| Value::Double(number.as_f64().unwrap_or_default()), Value::Int))
        }
        Json::Array(_) => Some(Value::Texts(Texts::default())),
        Json::Null | Json::Object(_) => None,
    };
    let request = Options { options: HashMap::from([(name.to_owned(), OptionValue { value })]) };
    let results = raw.action("SetSessionOptions", request.encode_to_vec()).await.expect("SetSessionOptions");
    let errors = Errors::decode(results[0].clone()).expect("its result").errors;
    errors.get(name).map(|error| error.value)
}

/// All options of the session.
pub(super) async fn get(raw: &mut Raw) -> HashMap<String, Json> {
    let results = raw.action("GetSessionOptions", Vec::new()).await.expect("GetSessionOptions");
    let options = Options::decode(results[0].clone()).expect("its result").options;
    let json = |value: OptionValue| match value.value {
        None => Json::Null,
        Some(Value::Text(text)) => json!(text),
        Some(Value::Bool(value)) => json!(value),
        Some(Value::Int(value)) => json!(value),
        Some(Value::Double(value)) => json!(value),
        Some(Value::Texts(texts)) => json!(texts.values),
    };
    options.into_iter().map(|(name, value)| (name, json(value))).collect()
}
