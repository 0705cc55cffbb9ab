//! What an embedding program uses beyond [`Engine`](crate::Engine)'s own methods: queries with parameters (`request`, `value`), and tables, functions
//! and stores of its own (`register`).

mod register;
mod request;
mod value;

pub use request::QueryRequest;
pub use value::Value;
