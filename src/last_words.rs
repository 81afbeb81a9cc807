//! What a tool says on stderr before it ends, and how it ends.

use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Trying again changes nothing: wrong usage or wrong input.
pub const PERMANENT: u8 = 100;
/// The machine failed; later it may work.
pub const TEMPORARY: u8 = 111;

/// Says `parts` as one line, in one write.
pub fn say(parts: &[&[u8]]) {
    let mut line = parts.concat();
    line.push(b'\n');
    // Where stderr is closed there is nobody to tell.
    let _ = io::stderr().write_all(&line);
}

/// Says `parts` and ends with [`PERMANENT`].
pub fn permanent(parts: &[&[u8]]) -> ExitCode {
    say(parts);
    ExitCode::from(PERMANENT)
}

/// Says `parts` and ends with [`TEMPORARY`].
pub fn temporary(parts: &[&[u8]]) -> ExitCode {
    say(parts);
    ExitCode::from(TEMPORARY)
}
