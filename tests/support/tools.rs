//! Runs the tools in private directories and reads the observed answers.
#![allow(dead_code)]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::program;

/// One part of an observation file in tests/data.
pub fn observed(file: &str, part: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    let whole: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    whole[part].as_array().unwrap().clone()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Undoes the observation files' `\xNN` and `\\`; the command lines also have `\n`.
pub fn unescaped(text: &str) -> Vec<u8> {
    let (mut octets, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let (octet, left) = match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                (u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap(), after)
            }
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (first, after) => (first, after),
        };
        octets.push(octet);
        rest = left;
    }
    octets
}

pub fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut octets, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        bits = bits << 6 | u32::try_from(DIGITS.iter().position(|digit| *digit == letter).unwrap()).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push((bits >> count & 255) as u8);
        }
    }
    octets
}

pub fn sha256(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Runs one of our programs in `directory` with exactly the environment given.
pub fn run(directory: &Path, argv: &[&str], env: &[(&str, &str)], stdin: impl Into<Stdio>) -> Output {
    run_program(&program(argv[0]), directory, &argv[1..], env, stdin)
}

/// Runs any program likewise.
pub fn run_program(
    path: &Path,
    directory: &Path,
    arguments: &[&str],
    env: &[(&str, &str)],
    stdin: impl Into<Stdio>,
) -> Output {
    let mut command = Command::new(path);
    command.args(arguments).current_dir(directory).env_clear().envs(env.iter().copied()).stdin(stdin);
    command.output().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Input for a program, on a file without a name.
pub fn input(octets: &[u8]) -> fs::File {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(octets).unwrap();
    file.rewind().unwrap();
    file
}

/// Compiles `rules` to `rules.cdb` in `directory` with our `tcprules`.
pub fn tcprules(directory: &Path, rules: &[u8]) -> Output {
    run(directory, &["tcprules", "rules.cdb", "rules.tmp"], &[], input(rules))
}

/// Names of the files in `directory`, in order.
pub fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// All records of a cdb file.
pub fn records(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let cdb = postern::cdb::read::Cdb::open(path).unwrap();
    cdb.iter(usize::MAX).map(|record| record.unwrap()).collect()
}
