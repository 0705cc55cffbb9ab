//! Thrift's compact protocol, as far as footers and page indexes use it: values that can be changed whatever they mean.

use std::collections::BTreeMap;

/// The types that fields have on the wire.
pub(super) const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
pub(super) const I32: u8 = 5;
pub(super) const I64: u8 = 6;
const DOUBLE: u8 = 7;
pub(super) const BINARY: u8 = 8;
const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// The fields of a struct by their numbers.
pub(super) type Fields = BTreeMap<i64, Value>;

/// A value, with the type that it has on the wire.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Byte(u8),
    Number(u8, i64),
    Double([u8; 8]),
    Binary(Vec<u8>),
    List(u8, Vec<Self>),
    Struct(Fields),
}

impl Value {
    pub(super) fn fields(&mut self) -> Option<&mut Fields> {
        if let Self::Struct(fields) = self { Some(fields) } else { None }
    }

    pub(super) fn list(&mut self) -> Option<&mut Vec<Self>> {
        if let Self::List(_, values) = self { Some(values) } else { None }
    }

    pub(super) fn number(&self) -> Option<i64> {
        if let Self::Number(_, number) = self { Some(*number) } else { None }
    }

    pub(super) fn binary(&self) -> Option<&[u8]> {
        if let Self::Binary(bytes) = self { Some(bytes) } else { None }
    }

    fn wire_type(&self) -> u8 {
        match self {
            Self::Bool(value) => {
                if *value {
                    TRUE
                } else {
                    FALSE
                }
            }
            Self::Byte(_) => BYTE,
            Self::Number(wire, _) => *wire,
            Self::Double(_) => DOUBLE,
            Self::Binary(_) => BINARY,
            Self::List(..) => LIST,
            Self::Struct(_) => STRUCT,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bool(value) => out.push(if *value { TRUE } else { FALSE }),
            Self::Byte(byte) => out.push(*byte),
            Self::Number(_, number) => varint(((number << 1) ^ (number >> 63)) as u64, out),
            Self::Double(bytes) => out.extend(bytes),
            Self::Binary(bytes) => {
                varint(bytes.len() as u64, out);
                out.extend(bytes);
            }
            Self::List(element, values) => {
                let length = values.len();
                if length < 15 {
                    out.push((length as u8) << 4 | element);
                } else {
                    out.push(0xF0 | element);
                    varint(length as u64, out);
                }
                values.iter().for_each(|value| value.write(out));
            }
            Self::Struct(fields) => out.extend(encode(fields)),
        }
    }
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number > 127 {
        out.push((number & 127) as u8 | 128);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A struct as bytes.
pub(super) fn encode(fields: &Fields) -> Vec<u8> {
    let mut out = Vec::new();
    let mut last = 0;
    for (id, value) in fields {
        let step = id - last;
        if (1..16).contains(&step) {
            out.push((step as u8) << 4 | value.wire_type());
        } else {
            out.push(value.wire_type());
            Value::Number(I16, *id).write(&mut out);
        }
        if !matches!(value, Value::Bool(_)) {
            value.write(&mut out);
        }
        last = *id;
    }
    out.push(0);
    out
}

/// A struct out of bytes.
///
/// # Errors
/// If they end early, or hold what is no value.
pub(super) fn decode(bytes: &[u8]) -> Result<Fields, String> {
    Reader { bytes }.fields()
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Result<&[u8], String> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or("Thrift ends early")?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn varint(&mut self) -> Result<u64, String> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    fn number(&mut self) -> Result<i64, String> {
        let number = self.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn fields(&mut self) -> Result<Fields, String> {
        let mut fields = Fields::new();
        let mut last = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(fields);
            }
            last = if head >> 4 > 0 { last + i64::from(head >> 4) } else { self.number()? };
            let wire = head & 15;
            let value = if wire == TRUE || wire == FALSE { Value::Bool(wire == TRUE) } else { self.value(wire)? };
            fields.insert(last, value);
        }
    }

    fn value(&mut self, wire: u8) -> Result<Value, String> {
        Ok(match wire {
            TRUE | FALSE => Value::Bool(self.byte()? == TRUE),
            BYTE => Value::Byte(self.byte()?),
            I16 | I32 | I64 => Value::Number(wire, self.number()?),
            DOUBLE => Value::Double(self.take(8)?.try_into().map_err(|_| "Thrift ends early")?),
            BINARY => {
                let length = self.varint()? as usize;
                Value::Binary(self.take(length)?.to_vec())
            }
            LIST => {
                let head = self.byte()?;
                let length = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                Value::List(head & 15, (0..length).map(|_| self.value(head & 15)).collect::<Result<_, _>>()?)
            }
            STRUCT => Value::Struct(self.fields()?),
            other => return Err(format!("{other} is no type of Thrift's")),
        })
    }
}
