//! The libFuzzer program: feeds the target that `FUZZ_TARGET` names.
#![no_main]

mod targets;

use std::sync::OnceLock;

static RUN: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|input: &[u8]| (RUN.get_or_init(chosen))(input));

fn chosen() -> fn(&[u8]) {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let names: Vec<&str> = targets::TARGETS.iter().map(|target| target.name).collect();
    let chosen = targets::TARGETS.iter().find(|target| target.name == name);
    chosen.unwrap_or_else(|| panic!("FUZZ_TARGET must be one of {}", names.join(" "))).run
}
