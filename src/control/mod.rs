//! What the operator asked for.

pub mod text;
