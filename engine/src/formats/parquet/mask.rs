//! Which columns of a file an expression needs, down to the fields of structs.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arrow::datatypes::{DataType, Schema};
use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    functions::core::getfield::GetFieldFunc,
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        expressions::{Column, Literal},
    },
};
use parquet::{arrow::ProjectionMask, schema::types::SchemaDescriptor};

/// What is needed of one column.
#[derive(Debug)]
enum Need {
    Whole,
    /// Fields below it, each by its path.
    Fields(HashSet<Vec<String>>),
}

/// The columns that these expressions over the file's schema need.
pub(super) fn needed<'a>(
    exprs: impl IntoIterator<Item = &'a Arc<dyn PhysicalExpr>>,
    file: &Schema,
    parquet: &SchemaDescriptor,
) -> ProjectionMask {
    let mut needs: HashMap<String, Need> = HashMap::new();
    for expr in exprs {
        // The closure never fails.
        let _ = expr.apply(|expr| {
            if let Some((column, path)) = field_path(expr, file) {
                if let Need::Fields(paths) = needs.entry(column).or_insert_with(|| Need::Fields(HashSet::new())) {
                    paths.insert(path);
                }
                return Ok(TreeNodeRecursion::Jump);
            }
            if let Some(column) = expr.downcast_ref::<Column>() {
                needs.insert(column.name().to_owned(), Need::Whole);
            }
            Ok(TreeNodeRecursion::Continue)
        });
    }
    let is_needed = |leaf: usize| {
        let path = parquet.column(leaf).path().parts().to_vec();
        let Some((root, below)) = path.split_first() else { return false };
        match needs.get(root) {
            None => false,
            Some(Need::Whole) => true,
            Some(Need::Fields(paths)) => paths.iter().any(|path| below.starts_with(path)),
        }
    };
    ProjectionMask::leaves(parquet, (0..parquet.num_columns()).filter(|leaf| is_needed(*leaf)))
}

/// `column.field...` of structs all the way: the column's name and the fields' path.
fn field_path(expr: &Arc<dyn PhysicalExpr>, file: &Schema) -> Option<(String, Vec<String>)> {
    let access = ScalarFunctionExpr::try_downcast_func::<GetFieldFunc>(expr.as_ref())?;
    let (source, keys) = access.args().split_first()?;
    let (column, mut path, mut found) = match source.downcast_ref::<Column>() {
        Some(column) => (column.name().to_owned(), Vec::new(), file.field_with_name(column.name()).ok()?.data_type()),
        None => {
            let (column, path) = field_path(source, file)?;
            let mut found = file.field_with_name(&column).ok()?.data_type();
            for name in &path {
                let DataType::Struct(fields) = found else { return None };
                found = fields.find(name)?.1.data_type();
            }
            (column, path, found)
        }
    };
    for key in keys {
        let name = key.downcast_ref::<Literal>()?.value().try_as_str()??;
        let DataType::Struct(fields) = found else { return None };
        found = fields.find(name)?.1.data_type();
        path.push(name.to_owned());
    }
    Some((column, path))
}
