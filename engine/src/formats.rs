//! The formats of data files.

pub(crate) mod text;
