//! Feeds every fuzz target its seeds and some thousands of their children: what `scripts/fuzz` does for hours, in seconds.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "fuzz/targets/mod.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use targets::{TARGETS, Target};

/// Children of the seeds that each target is fed, but for [`SLOW`].
const CHILDREN: usize = 40_000;
/// Targets that write files or compile expressions, and how many children they get.
const SLOW: [(&str, usize); 5] =
    [("client", 20_000), ("clients", 800), ("cdb", 10_000), ("rule", 10_000), ("ere", 10_000)];
/// Longer children are cut.
const CHILD_OCTETS_MAX: usize = 3_000;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

#[test]
fn no_target_breaks_a_promise() {
    let words = words(&fs::read_to_string(directory().join("words.dict")).unwrap());
    let fed: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = TARGETS.iter().map(|target| scope.spawn(|| feed(target, &words))).collect();
        threads
            .into_iter()
            .zip(TARGETS)
            .map(|(thread, target)| match thread.join() {
                Ok(inputs) => format!("{} {inputs}", target.name),
                Err(_) => panic!("{} broke a promise: the input is above", target.name),
            })
            .collect()
    });
    println!("inputs fed: {}", fed.join(", "));
}

#[test]
fn every_target_has_seeds_and_every_seed_a_target() {
    let mut named: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    named.sort_unstable();
    let mut seeded: Vec<String> = fs::read_dir(directory().join("seeds"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    seeded.sort_unstable();
    assert_eq!(named, seeded, "a directory in tests/fuzz/seeds for each row of TARGETS");
    for target in TARGETS {
        assert!(seeds(target).len() >= 3, "{} has hardly any seeds", target.name);
    }
}

/// Feeds the seeds and their children; the number of inputs.
fn feed(target: &Target, words: &[Vec<u8>]) -> usize {
    let seeds = seeds(target);
    let children = SLOW.iter().find(|(name, _)| *name == target.name).map_or(CHILDREN, |(_, children)| *children);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for seed in &seeds {
        feed_one(target, seed);
    }
    for _ in 0..children {
        feed_one(target, &child(&seeds, words, &mut dice));
    }
    seeds.len() + children
}

fn feed_one(target: &Target, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        panic!("{} broke a promise with b\"{}\"", target.name, input.escape_ascii());
    }
}

fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory().join("seeds").join(target.name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// The words of a libFuzzer dictionary: a quoted word a line, `\xNN` for an octet.
fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let lines = dictionary.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| unescaped(line.strip_prefix('"').unwrap().strip_suffix('"').unwrap())).collect()
}

fn unescaped(word: &str) -> Vec<u8> {
    let mut parts = word.split("\\x");
    let mut octets = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        octets.push(u8::from_str_radix(&part[..2], 16).unwrap());
        octets.extend_from_slice(&part.as_bytes()[2..]);
    }
    octets
}

/// A seed after one to eight accidents.
fn child(seeds: &[Vec<u8>], words: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut child = dice.one_of(seeds).clone();
    for _ in 0..=dice.below(8) {
        let at = dice.below(child.len() + 1);
        let end = at + dice.below((child.len() - at).min(40) + 1);
        match dice.below(8) {
            0 => drop(child.splice(at..at, dice.one_of(words).iter().copied())),
            1 => drop(child.splice(at..end, dice.one_of(words).iter().copied())),
            2 => drop(child.drain(at..end)),
            3 => {
                let again = child[at..end].to_vec();
                drop(child.splice(at..at, again));
            }
            4 => {
                let other = dice.one_of(seeds);
                let from = dice.below(other.len() + 1);
                drop(child.splice(at.., other[from..].iter().copied()));
            }
            5 => child.insert(at, dice.below(256) as u8),
            6 => child.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= 1 << dice.below(8)),
            _ => child.iter_mut().skip(at).take(1).for_each(|octet| *octet = dice.below(256) as u8),
        }
    }
    child.truncate(CHILD_OCTETS_MAX);
    child
}

/// Numbers that look random and are the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    fn one_of<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }
}
