//! As much of Protocol Buffers' self-description as it takes to describe a service: files, messages, enumerations and methods, with the
//! numbers of `google/protobuf/descriptor.proto`, and short ways to write them down. It describes nothing itself.

use prost::Message;

/// `google.protobuf.FileDescriptorSet`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FileSet {
    #[prost(message, repeated, tag = "1")]
    pub(super) file: Vec<File>,
}

/// `google.protobuf.FileDescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct File {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) package: Option<String>,
    #[prost(string, repeated, tag = "3")]
    pub(super) dependency: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    pub(super) message_type: Vec<MessageType>,
    #[prost(message, repeated, tag = "5")]
    pub(super) enum_type: Vec<EnumType>,
    #[prost(message, repeated, tag = "6")]
    pub(super) service: Vec<ServiceType>,
    #[prost(string, optional, tag = "12")]
    pub(super) syntax: Option<String>,
}

/// `google.protobuf.DescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MessageType {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) field: Vec<Field>,
    #[prost(message, repeated, tag = "4")]
    pub(super) enum_type: Vec<EnumType>,
    #[prost(message, repeated, tag = "8")]
    pub(super) oneof_decl: Vec<OneOf>,
}

/// `google.protobuf.FieldDescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Field {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(int32, optional, tag = "3")]
    pub(super) number: Option<i32>,
    /// 1 for at most one, 3 for many.
    #[prost(int32, optional, tag = "4")]
    pub(super) label: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    pub(super) r#type: Option<i32>,
    #[prost(string, optional, tag = "6")]
    pub(super) type_name: Option<String>,
    #[prost(int32, optional, tag = "9")]
    pub(super) oneof_index: Option<i32>,
    #[prost(string, optional, tag = "10")]
    pub(super) json_name: Option<String>,
    #[prost(bool, optional, tag = "17")]
    pub(super) proto3_optional: Option<bool>,
}

/// `google.protobuf.OneofDescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OneOf {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
}

/// `google.protobuf.EnumDescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct EnumType {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) value: Vec<EnumValue>,
}

/// `google.protobuf.EnumValueDescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct EnumValue {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(int32, optional, tag = "2")]
    pub(super) number: Option<i32>,
}

/// `google.protobuf.ServiceDescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ServiceType {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) method: Vec<Method>,
}

/// `google.protobuf.MethodDescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Method {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) input_type: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) output_type: Option<String>,
    #[prost(bool, optional, tag = "5")]
    pub(super) client_streaming: Option<bool>,
    #[prost(bool, optional, tag = "6")]
    pub(super) server_streaming: Option<bool>,
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Double,
    Int64,
    Uint64,
    Int32,
    Bool,
    String,
    Bytes,
    /// With its full name: `.package.Message`.
    Message(&'static str),
    Enum(&'static str),
}

impl Kind {
    fn number(self) -> i32 {
        match self {
            Self::Double => 1,
            Self::Int64 => 3,
            Self::Uint64 => 4,
            Self::Int32 => 5,
            Self::Bool => 8,
            Self::String => 9,
            Self::Message(_) => 11,
            Self::Bytes => 12,
            Self::Enum(_) => 14,
        }
    }

    fn name(self) -> Option<String> {
        match self {
            Self::Message(name) | Self::Enum(name) => Some(name.to_owned()),
            _ => None,
        }
    }
}

/// How often a field may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    One,
    /// One whose absence differs from its default.
    Maybe,
    Many,
}

/// A message by its fields: name, number, type, and how often.
pub(super) fn message(name: &str, fields: &[(&str, i32, Kind, Times)]) -> MessageType {
    let mut oneof_decl = Vec::new();
    let field = fields.iter().map(|(name, number, kind, times)| {
        // An optional field stands alone in a choice that nobody sees.
        let oneof_index = (*times == Times::Maybe).then(|| {
            oneof_decl.push(OneOf { name: Some(format!("_{name}")) });
            i32::try_from(oneof_decl.len()).unwrap_or(i32::MAX) - 1
        });
        Field {
            name: Some((*name).to_owned()),
            number: Some(*number),
            label: Some(if *times == Times::Many { 3 } else { 1 }),
            r#type: Some(kind.number()),
            type_name: kind.name(),
            oneof_index,
            json_name: Some(camel_case(name)),
            proto3_optional: (*times == Times::Maybe).then_some(true),
        }
    });
    let field = field.collect();
    MessageType { name: Some(name.to_owned()), field, enum_type: Vec::new(), oneof_decl }
}

pub(super) fn enumeration(name: &str, values: &[&str]) -> EnumType {
    let value = |(number, name): (i32, &&str)| EnumValue { name: Some((*name).to_owned()), number: Some(number) };
    EnumType { name: Some(name.to_owned()), value: (0..).zip(values).map(value).collect() }
}

/// `app_metadata` as JSON has it: `appMetadata`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut text, word| {
        let mut letters = word.chars();
        text.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        text.extend(letters);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_camel_case() {
        for (name, camel) in [("schema", "schema"), ("app_metadata", "appMetadata"), ("a_b_cd", "aBCd")] {
            assert_eq!(camel_case(name), camel);
        }
    }
}
