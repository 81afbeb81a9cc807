//! Who is calling.

pub mod address;
pub mod cause;
pub mod rule;
pub mod rules;
