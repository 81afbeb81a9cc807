//! Answers policy's questions: lists and compiled lists of the control directory.

pub mod ere;
mod ere_set;
pub mod keyed;
mod lines;
pub mod list;
pub mod wildmat;
