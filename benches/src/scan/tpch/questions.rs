//! TPC-H's queries with their parameters for validation.

use tpchgen::q_and_a::queries;

use crate::Result;

#[derive(Debug)]
pub(super) struct Question {
    pub(super) name: String,
    pub(super) sql: String,
}

/// What takes the places of `:1`, `:2` and so on in each query.
const PARAMETERS: [&[&str]; 22] = [
    &["90"],
    &["15", "BRASS", "EUROPE"],
    &["BUILDING", "1995-03-15"],
    &["1993-07-01"],
    &["ASIA", "1994-01-01"],
    &["1994-01-01", "0.06", "24"],
    &["FRANCE", "GERMANY"],
    &["BRAZIL", "AMERICA", "ECONOMY ANODIZED STEEL"],
    &["green"],
    &["1993-10-01"],
    // The second is divided by the scale.
    &["GERMANY", "0.0001"],
    &["MAIL", "SHIP", "1994-01-01"],
    &["special", "requests"],
    &["1995-09-01"],
    &["1996-01-01"],
    &["Brand#45", "MEDIUM POLISHED", "49", "14", "23", "45", "19", "3", "36", "9"],
    &["Brand#23", "MED BOX"],
    &["300"],
    &["Brand#12", "Brand#23", "Brand#34", "1", "10", "20"],
    &["forest", "1994-01-01", "CANADA"],
    &["SAUDI ARABIA"],
    &["13", "31", "23", "29", "30", "18", "17"],
];

/// The 15th defines a view; as a query it is this.
const TOP_SUPPLIER: &str = "
with revenue (supplier_no, total_revenue) as (
    select l_suppkey, sum(l_extendedprice * (1 - l_discount)) from lineitem
    where l_shipdate >= date ':1' and l_shipdate < date ':1' + interval '3' month
    group by l_suppkey)
select s_suppkey, s_name, s_address, s_phone, total_revenue from supplier, revenue
where s_suppkey = supplier_no and total_revenue = (select max(total_revenue) from revenue)
order by s_suppkey";

pub(super) fn all(scale: f64) -> Result<Vec<Question>> {
    let questions = (1..).zip(PARAMETERS).map(|(number, parameters)| {
        let template = if number == 15 { TOP_SUPPLIER } else { queries::query(number).ok_or("there are 22 queries")? };
        // Precisions of intervals are not part of what either contestant speaks.
        let mut sql = template.trim().trim_end_matches(';').replace(" day (3)", " day");
        // From the last, since ":1" begins ":10" as well.
        for (at, parameter) in parameters.iter().enumerate().rev() {
            let value = match (number, at) {
                (11, 1) => format!("{:.10}", parameter.parse::<f64>()? / scale),
                _ => (*parameter).to_owned(),
            };
            sql = sql.replace(&format!(":{}", at + 1), &value);
        }
        Ok(Question { name: format!("Q{number}"), sql })
    });
    questions.collect()
}
