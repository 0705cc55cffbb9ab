//! What the benches share. The figures themselves are in `benches/`.
