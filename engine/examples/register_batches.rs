//! Record batches as a table, and a function of one's own: both belong to this engine, and neither is written to the catalog.
//!
//! `cargo run --release -p glaux-engine --example register_batches`

use std::{error::Error, sync::Arc};

use glaux_engine::{
    arrow::{
        array::{ArrayRef, Float64Array, StringArray},
        datatypes::DataType,
        util::pretty::print_batches,
    },
    datafusion::{
        common::cast::as_float64_array,
        logical_expr::{ColumnarValue, Volatility, create_udf},
    },
    prelude::*,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::in_memory().await?;

    let cities: ArrayRef = Arc::new(StringArray::from(vec!["Oslo", "Rome", "Cairo"]));
    let celsius: ArrayRef = Arc::new(Float64Array::from(vec![4.0, 17.5, 29.0]));
    let batch = RecordBatch::try_from_iter([("city", cities), ("celsius", celsius)])?;
    engine.register_batches("weather", vec![batch]).await?;

    let fahrenheit = Arc::new(|arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let celsius = as_float64_array(&columns[0])?;
        let fahrenheit: Float64Array = celsius.iter().map(|degrees| degrees.map(|degrees| degrees * 1.8 + 32.0)).collect();
        Ok(ColumnarValue::Array(Arc::new(fahrenheit)))
    });
    let (takes, returns) = (vec![DataType::Float64], DataType::Float64);
    engine.register_udf(create_udf("fahrenheit", takes, returns, Volatility::Immutable, fahrenheit))?;

    let query =
        engine.query("SELECT city, fahrenheit(celsius) AS fahrenheit FROM weather WHERE celsius > ? ORDER BY city").bind(10.0);
    let (batches, report) = query.await?.collect_with_report().await?;
    print_batches(&batches)?;
    println!("scanned {} bytes", report.usage.data_scanned_bytes);
    Ok(())
}
