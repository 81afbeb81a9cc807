//! Answers policy's questions: lists and compiled lists of the control directory.

pub mod address;
mod compiled;
pub mod ere;
mod ere_set;
pub mod hosts;
pub mod keyed;
pub mod list;
mod pieces;
pub mod undecided;
pub mod wildmat;
