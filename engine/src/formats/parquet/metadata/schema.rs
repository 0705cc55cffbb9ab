//! A file's schema as the scan uses it: with the names that the table uses, with lists and maps in the forms that the decoder knows, with all text
//! annotated as the text that it checks, and with decimals that are too long for it as the bytes that they are. What is rewritten keeps its columns and their levels, so that the data stay what they are.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use parquet::{
    arrow::parquet_to_arrow_schema,
    basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType},
    errors::ParquetError,
    file::metadata::{ColumnChunkMetaData, KeyValue, ParquetMetaData, RowGroupMetaData},
    schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr},
};

use super::reading::Reading;

/// The bytes of the longest decimal that the decoder reads as a number where all have one length.
const LONGEST_DECIMAL: i32 = 32;

/// What a property of a footer begins with that says which decimal a column of bytes is.
const DECIMAL: &str = "glaux.decimal:";

/// The same as a field's metadata.
const DECIMAL_FIELD: &str = "glaux.decimal";

/// The digits and scale of a decimal.
pub(crate) type Decimal = (u8, i8);

/// A schema, and what it does not say itself.
#[derive(Debug)]
pub(super) struct Adapted {
    /// `None` if it is the file's.
    pub schema: Option<SchemaDescPtr>,
    /// The columns of bytes that hold decimals, as properties.
    pub decimals: Vec<KeyValue>,
}

impl Adapted {
    /// A row group without what is known of decimals that are read as bytes: bytes are in another order.
    pub(super) fn without_bounds(&self, group: &RowGroupMetaData) -> Result<RowGroupMetaData, ParquetError> {
        if self.decimals.is_empty() {
            return Ok(group.clone());
        }
        let is_decimal = |chunk: &ColumnChunkMetaData| {
            let column = chunk.column_path().parts().first();
            self.decimals.iter().any(|decimal| decimal.key.strip_prefix(DECIMAL) == column.map(String::as_str))
        };
        let columns = group.columns().iter().map(|chunk| {
            if is_decimal(chunk) { chunk.clone().into_builder().clear_statistics().build() } else { Ok(chunk.clone()) }
        });
        group.clone().into_builder().set_column_metadata(columns.collect::<Result<_, _>>()?).build()
    }
}

/// The schema as the scan uses it.
pub(super) fn adapted(schema: &SchemaDescriptor, reading: &Reading) -> Result<Adapted, ParquetError> {
    let root = schema.root_schema();
    let mut fields = Vec::with_capacity(root.get_fields().len());
    let mut decimals = Vec::new();
    // Of two columns that differ only in case, the first counts.
    let mut seen = HashSet::new();
    for (position, field) in root.get_fields().iter().enumerate() {
        let name = match &reading.positions {
            None => Some(field.name().to_lowercase()),
            Some(names) => names.get(position).cloned(),
        };
        // Columns beyond the table's keep a name that no table can have.
        let name = name.filter(|name| seen.insert(name.clone())).unwrap_or_else(|| format!("/{position}"));
        if is_empty(field) {
            continue;
        }
        fields.push(match long_decimal(field) {
            Some((precision, scale)) => {
                decimals.push(KeyValue::new(format!("{DECIMAL}{name}"), format!("{precision},{scale}")));
                rebuilt(field, &name, field.get_basic_info().repetition(), Annotation::NONE, None)?
            }
            None if reading.texts.contains(&name) && is_bytes(field) => {
                rebuilt(field, &name, field.get_basic_info().repetition(), Annotation::text(), None)?
            }
            None => of_field(field, &name, Parent::Struct)?,
        });
    }
    if fields.len() == root.get_fields().len() && fields.iter().zip(root.get_fields()).all(|(new, old)| new == old) {
        return Ok(Adapted { schema: None, decimals });
    }
    let root = Type::group_type_builder(root.name()).with_fields(fields).build()?;
    Ok(Adapted { schema: Some(Arc::new(SchemaDescriptor::new(Arc::new(root)))), decimals })
}

/// The properties that say which columns of bytes hold decimals.
pub(crate) fn decimals(metadata: &ParquetMetaData) -> impl Iterator<Item = &KeyValue> {
    let properties = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    properties.filter(|property| property.key.starts_with(DECIMAL))
}

/// The Arrow schema of a file's own types. What is bytes only because the decoder cannot read it as a decimal says so: [`decimal_of`].
pub(crate) fn arrow_schema(metadata: &ParquetMetaData) -> Result<Schema, ParquetError> {
    let file = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), None)?;
    let decimals: HashMap<&str, &str> = decimals(metadata)
        .filter_map(|property| Some((property.key.strip_prefix(DECIMAL)?, property.value.as_deref()?)))
        .collect();
    if decimals.is_empty() {
        return Ok(schema);
    }
    let mark = |field: &FieldRef| match decimals.get(field.name().as_str()) {
        Some(decimal) => {
            let mut metadata = field.metadata().clone();
            metadata.insert(DECIMAL_FIELD.to_owned(), (*decimal).to_owned());
            Arc::new(field.as_ref().clone().with_metadata(metadata))
        }
        None => Arc::clone(field),
    };
    Ok(Schema::new_with_metadata(schema.fields().iter().map(mark).collect::<Vec<_>>(), schema.metadata().clone()))
}

/// The decimal that a field's bytes are.
pub(crate) fn decimal_of(field: &Field) -> Option<Decimal> {
    let (precision, scale) = field.metadata().get(DECIMAL_FIELD)?.split_once(',')?;
    Some((precision.parse().ok()?, scale.parse().ok()?))
}

/// The type that a field's values mean.
pub(crate) fn meaning(field: &Field) -> DataType {
    match decimal_of(field) {
        Some((precision, scale)) if precision <= 38 => DataType::Decimal128(precision, scale),
        Some((precision, scale)) => DataType::Decimal256(precision, scale),
        None => field.data_type().clone(),
    }
}

/// The schema without what [`arrow_schema`] adds: the decoder compares fields with its own.
pub(crate) fn unmarked(schema: &Arc<Schema>) -> Arc<Schema> {
    if schema.fields().iter().all(|field| !field.metadata().contains_key(DECIMAL_FIELD)) {
        return Arc::clone(schema);
    }
    let unmark = |field: &FieldRef| {
        let mut metadata = field.metadata().clone();
        metadata.remove(DECIMAL_FIELD);
        Arc::new(field.as_ref().clone().with_metadata(metadata))
    };
    Arc::new(Schema::new_with_metadata(schema.fields().iter().map(unmark).collect::<Vec<_>>(), schema.metadata().clone()))
}

/// The decimal of a column whose bytes may be too many for the decoder: those of any length, and those of a great one.
fn long_decimal(field: &Type) -> Option<Decimal> {
    let Type::PrimitiveType { physical_type, type_length, scale, precision, basic_info } = field else { return None };
    let is_long = match physical_type {
        PhysicalType::BYTE_ARRAY => *precision <= 38,
        PhysicalType::FIXED_LEN_BYTE_ARRAY => *type_length > LONGEST_DECIMAL,
        _ => false,
    };
    let is_one = basic_info.converted_type() == ConvertedType::DECIMAL && basic_info.repetition() != Repetition::REPEATED;
    if !is_long || !is_one {
        return None;
    }
    Some((u8::try_from(*precision).ok()?, i8::try_from(*scale).ok()?))
}

/// Whether a column is read as bytes, or as text that the decoder does not check: it goes by the older annotation.
fn is_bytes(field: &Type) -> bool {
    let Type::PrimitiveType { physical_type: PhysicalType::BYTE_ARRAY, basic_info, .. } = field else { return false };
    let converted = basic_info.converted_type();
    matches!(converted, ConvertedType::NONE | ConvertedType::JSON | ConvertedType::BSON | ConvertedType::ENUM)
        && !matches!(basic_info.logical_type_ref(), Some(LogicalType::Unknown))
        && basic_info.repetition() != Repetition::REPEATED
}

/// What a field lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parent {
    Struct,
    /// A list: the field is what is repeated.
    List,
    /// A map: the field is its entries.
    Map,
    /// A map's entries: the field is their value.
    Entries,
}

/// What makes a group a list or a map, and bytes text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Annotation {
    converted: ConvertedType,
    logical: Option<LogicalType>,
}

impl Annotation {
    const NONE: Self = Self { converted: ConvertedType::NONE, logical: None };

    fn of(field: &Type) -> Self {
        let info = field.get_basic_info();
        Self { converted: info.converted_type(), logical: info.logical_type_ref().cloned() }
    }

    const fn list() -> Self {
        Self { converted: ConvertedType::LIST, logical: Some(LogicalType::List) }
    }

    const fn text() -> Self {
        Self { converted: ConvertedType::UTF8, logical: Some(LogicalType::String) }
    }

    const fn is_map(&self) -> bool {
        matches!(self.converted, ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE)
    }

    fn is_list(&self) -> bool {
        self.converted == ConvertedType::LIST
    }
}

/// A field with that name, and the fields within it in lower case.
fn of_field(field: &TypePtr, name: &str, parent: Parent) -> Result<TypePtr, ParquetError> {
    let repetition = field.get_basic_info().repetition();
    let is_repeated = repetition == Repetition::REPEATED;
    if field.is_primitive() {
        let mut annotation = Annotation::of(field);
        // A logical type that is newer than the decoder: the column is then what its physical type is.
        if matches!(annotation.logical, Some(LogicalType::_Unknown { .. })) {
            annotation.logical = None;
        }
        // Text to Arrow, but the decoder checks only what is annotated as text.
        if annotation.converted == ConvertedType::JSON {
            annotation = Annotation::text();
        }
        if is_repeated && parent == Parent::Entries {
            return list_of(rebuilt(field, "array", Repetition::REPEATED, annotation, None)?, name);
        }
        let is_same = field.name() == name && annotation == Annotation::of(field);
        return if is_same { Ok(Arc::clone(field)) } else { rebuilt(field, name, repetition, annotation, None) };
    }
    let mut annotation = Annotation::of(field);
    if (annotation.is_map() && !has_entries(field)) || (annotation.is_list() && !has_elements(field)) {
        annotation = Annotation::NONE;
    }
    let inner = match parent {
        // What is repeated in a map are its entries, whatever they are called.
        Parent::Map => Parent::Entries,
        _ if annotation.is_map() => Parent::Map,
        _ if annotation.is_list() => Parent::List,
        _ => Parent::Struct,
    };
    let own = field.get_fields().iter().enumerate().filter(|(_, field)| !is_empty(field));
    let fields = own.map(|(at, field)| {
        let parent = if inner == Parent::Entries && at == 0 { Parent::Struct } else { inner };
        of_field(field, &field.name().to_lowercase(), parent)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    let is_collection = annotation.is_map() || annotation.is_list();
    if is_repeated && parent != Parent::Map && (is_collection || parent == Parent::Entries) {
        // A list of lists or maps, written without the list between. Its elements are as many and as deep with it.
        let element = if is_collection {
            let element = rebuilt(field, "element", Repetition::REQUIRED, annotation, Some(fields))?;
            let list = Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![element]);
            Arc::new(list.build()?)
        } else {
            rebuilt(field, "array", Repetition::REPEATED, annotation, Some(fields))?
        };
        return if parent == Parent::List { Ok(element) } else { list_of(element, name) };
    }
    let is_same = field.name() == name
        && annotation == Annotation::of(field)
        && fields.len() == field.get_fields().len()
        && fields.iter().zip(field.get_fields()).all(|(new, old)| Arc::ptr_eq(new, old));
    if is_same { Ok(Arc::clone(field)) } else { rebuilt(field, name, repetition, annotation, Some(fields)) }
}

/// Whether it has no columns, so that nothing is known of it.
fn is_empty(field: &Type) -> bool {
    field.is_group() && field.get_fields().iter().all(|field| is_empty(field))
}

/// A list of what is repeated.
fn list_of(repeated: TypePtr, name: &str) -> Result<TypePtr, ParquetError> {
    let Annotation { converted, logical } = Annotation::list();
    let list = Type::group_type_builder(name)
        .with_repetition(Repetition::REQUIRED)
        .with_converted_type(converted)
        .with_logical_type(logical)
        .with_fields(vec![repeated]);
    Ok(Arc::new(list.build()?))
}

/// Whether what is annotated as a map has repeated entries, of a key and perhaps a value.
fn has_entries(map: &Type) -> bool {
    let [entries] = map.get_fields() else { return false };
    let is_repeated = |field: &Type| field.get_basic_info().repetition() == Repetition::REPEATED;
    entries.is_group() && is_repeated(entries) && matches!(entries.get_fields(), [key] | [key, _] if !is_repeated(key))
}

/// Whether what is annotated as a list has something repeated.
fn has_elements(list: &Type) -> bool {
    matches!(list.get_fields(), [element] if element.get_basic_info().repetition() == Repetition::REPEATED)
}

/// The field with these properties; with other fields in it, if it is a group.
fn rebuilt(
    field: &Type,
    name: &str,
    repetition: Repetition,
    annotation: Annotation,
    fields: Option<Vec<TypePtr>>,
) -> Result<TypePtr, ParquetError> {
    let info = field.get_basic_info();
    let id = info.has_id().then(|| info.id());
    let Annotation { converted, logical } = annotation;
    let built = match field {
        Type::PrimitiveType { physical_type, type_length, scale, precision, .. } => {
            Type::primitive_type_builder(name, *physical_type)
                .with_repetition(repetition)
                .with_converted_type(converted)
                .with_logical_type(logical)
                .with_length(*type_length)
                .with_precision(*precision)
                .with_scale(*scale)
                .with_id(id)
                .build()?
        }
        Type::GroupType { fields: own, .. } => Type::group_type_builder(name)
            .with_repetition(repetition)
            .with_converted_type(converted)
            .with_logical_type(logical)
            .with_fields(fields.unwrap_or_else(|| own.clone()))
            .with_id(id)
            .build()?,
    };
    Ok(Arc::new(built))
}
