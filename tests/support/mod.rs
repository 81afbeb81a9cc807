//! What every test that starts a program needs.
#![allow(clippy::disallowed_methods, dead_code, missing_docs)]

use std::path::PathBuf;

/// Where a program of this package lies: in `$POSTERN_BIN_DIR`, else where Cargo built it.
pub fn program(name: &str) -> PathBuf {
    if let Some(directory) = std::env::var_os("POSTERN_BIN_DIR") {
        return PathBuf::from(directory).join(name);
    }
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|deps| deps.parent()).unwrap().join(name)
}
