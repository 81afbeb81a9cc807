//! Answers policy's questions: lists and compiled lists of the control directory.
