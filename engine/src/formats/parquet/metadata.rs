//! What is known of Parquet files: their footers, page indexes and bloom filters, read with one request where their length can be foreseen and
//! then not again, by any query of this process or of the next one over the same data directory.
//!
//! The first read takes as much as the table's other files suggest. A small file is read whole, once, and its data are served from that buffer.

mod chunks;
mod decode;
mod fault;
mod footers;
mod indexes;
mod inexact;
mod normalise;
mod pages;
mod reading;
mod reads;
mod schema;
mod thrift;

pub(crate) use self::footers::Footers;
pub(crate) use self::{
    fault::{check_codecs, not_text, unreadable},
    footers::{FIRST_READ, SMALL_FILE, TableFiles},
    indexes::Indexes,
    pages::with_values,
    reading::Reading,
    reads::{Buffer, MetadataReads, Noted},
    schema::{arrow_schema, decimal_of, decimals, meaning, unmarked},
};
