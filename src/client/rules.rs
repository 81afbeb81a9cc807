//! Rules as a whole: a file of them compiled into a cdb, and the one rule that is for a client.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    io::{self, BufRead, Seek, Write},
    net::Ipv6Addr,
};

use crate::cdb::{
    make::{MakeError, Maker},
    read::{Cdb, CdbError, Record},
};
use crate::client::{
    cause::{Cause, Doubt},
    rule::{self, Line},
};
use crate::lines;

/// Longest value of a rule that a reader takes, in octets: what the longest line can make.
pub const VALUE_OCTETS_MAX: usize = lines::LINE_OCTETS_MAX;

/// What to do with lines that the classic tool takes without a word, though they cannot do what they seem to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Take them too, and warn.
    Classic,
    /// Refuse them.
    Strict,
}

/// Why a file of rules could not be compiled.
#[derive(Debug)]
pub enum CompileError {
    /// The rules could not be read.
    Read(io::Error),
    /// The cdb could not be written.
    Make(MakeError),
    /// A line is no rule.
    Line {
        /// Its number, from 1.
        number: u64,
        /// Its text, without trailing blanks.
        line: Vec<u8>,
        /// What is wrong with it.
        cause: Cause,
    },
}

/// Adds the records of all rules in `input`, in order. The first line that is no rule ends it. `warn` is told the
/// number and text of each line that is taken with a doubt.
///
/// D41: where networks become the same key, that of the longest prefix goes first, because readers use the first record. So
/// keys that are longer than their network are held back until all others are written.
pub fn compile<W: Write + Seek>(
    mut input: impl BufRead,
    manner: Manner,
    maker: &mut Maker<W>,
    mut warn: impl FnMut(u64, &[u8], &Doubt),
) -> Result<(), CompileError> {
    let (mut line, mut key, mut value) = (Vec::new(), Vec::new(), Vec::new());
    let (mut number, mut held) = (0, Vec::new());
    while lines::next(&mut input, &mut line).map_err(CompileError::Read)? {
        number += 1;
        let wrong = |cause| CompileError::Line { number, line: line.clone(), cause };
        let (rule, doubt) = match rule::parse(&line).map_err(wrong)? {
            Line::Blank => continue,
            Line::NoColon => (None, Some(Doubt::NoColon)),
            Line::Rule(rule) => {
                let doubt = rule.doubt();
                (Some(rule), doubt)
            }
        };
        match (doubt, manner) {
            (None, Manner::Classic | Manner::Strict) => {}
            (Some(doubt), Manner::Classic) => warn(number, &line, &doubt),
            (Some(doubt), Manner::Strict) => return Err(wrong(Cause::Doubt(doubt))),
        }
        if let Some(rule) = rule {
            rule.write_value(&mut value);
            let mut slacks = BTreeSet::new();
            let each = |key: &[u8], slack| match slack {
                0 => maker.add(key, &value),
                1.. => {
                    slacks.insert(slack);
                    Ok(())
                }
            };
            rule.address.keys(&mut key, each).map_err(CompileError::Make)?;
            held.extend(slacks.into_iter().map(|slack| (slack, line.clone())));
        }
    }
    held.sort_by_key(|(slack, _)| *slack);
    held.iter().try_for_each(|(slack, line)| add_held(*slack, line, maker)).map_err(CompileError::Make)
}

/// Adds those records of a line whose keys are so many bits longer than their network. Only lines are held, because their
/// keys may be thousands of times as big.
fn add_held<W: Write + Seek>(slack: u8, line: &[u8], maker: &mut Maker<W>) -> Result<(), MakeError> {
    let Ok(Line::Rule(rule)) = rule::parse(line) else {
        return Ok(());
    };
    let mut value = Vec::new();
    rule.write_value(&mut value);
    rule.address.keys(&mut Vec::new(), |key, bits| if bits == slack { maker.add(key, &value) } else { Ok(()) })
}

/// A client as tcpserver describes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client<'a> {
    /// `TCPREMOTEIP`, taken as text.
    pub ip: &'a [u8],
    /// `TCPREMOTEHOST`, if set.
    pub host: Option<&'a [u8]>,
    /// `TCPREMOTEINFO`, if set.
    pub info: Option<&'a [u8]>,
}

impl Client<'_> {
    /// The keys that tcpserver asks for, in its order; the first that there is a rule for is used alone.
    ///
    /// An IPv6 address is also asked for in the other forms that a builder of rules may have written, and cut back at
    /// colons as well as at dots, more groups first.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        let forms = self.ip_forms();
        let name = self.host.map(|host| [b"=", host].concat());
        let mut keys = Vec::new();
        if let Some(info) = self.info {
            let known_as = forms.iter().chain(&name);
            keys.extend(known_as.map(|known_as| [info, b"@", known_as].concat()));
        }
        // What ends in `::` is what remains of many addresses: it waits for its turn among those.
        keys.extend(forms.iter().filter(|form| forms.len() == 1 || !form.ends_with(b"::")).cloned());
        keys.extend(name);
        let cuts = |form: &Vec<u8>| {
            let at = (0..form.len()).rev().filter(|at| matches!(form.get(*at), Some(b'.' | b':')));
            at.filter_map(|at| form.get(..=at)).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        let mut prefixes: Vec<Vec<u8>> = forms.iter().flat_map(cuts).collect();
        if forms.len() > 1 {
            prefixes.sort_by_key(|prefix| Reverse(groups(prefix)));
        }
        keys.extend(prefixes);
        if let Some(host) = self.host {
            let dots = memchr::memchr_iter(b'.', host);
            keys.extend(dots.filter_map(|at| host.get(at..)).map(|suffix| [b"=", suffix].concat()));
            keys.push(b"=".to_vec());
        }
        keys.push(Vec::new());
        keys
    }

    fn ip_forms(&self) -> Vec<Vec<u8>> {
        let mut forms = vec![self.ip.to_vec()];
        if let Some(ip) = std::str::from_utf8(self.ip).ok().and_then(|ip| ip.parse::<Ipv6Addr>().ok()) {
            let expanded = ip.segments().map(|group| format!("{group:04x}")).join(":");
            for form in [ip.to_string(), expanded.clone(), expanded.to_ascii_uppercase()] {
                if !forms.contains(&form.clone().into_bytes()) {
                    forms.push(form.into_bytes());
                }
            }
        }
        forms
    }

    /// The rule for this client: its key and value.
    pub fn rule(&self, cdb: &Cdb) -> Result<Option<Record>, CdbError> {
        cdb.first(self.keys(), VALUE_OCTETS_MAX)
    }
}

/// How many groups of an IPv6 address its beginning tells. `::` is two groups or more; a key that ends in it was written for
/// no more than two zeros.
fn groups(prefix: &[u8]) -> usize {
    let compressed = prefix.windows(2).any(|pair| pair == b"::");
    prefix.split(|byte| *byte == b':').filter(|group| !group.is_empty()).count() + if compressed { 2 } else { 0 }
}

/// One item of a rule's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// The connection is closed.
    Deny,
    /// `NAME=value`.
    Set(&'a [u8]),
    /// A variable is removed.
    Unset(&'a [u8]),
}

/// The items of a rule's value. Items that begin otherwise, and what follows the last NUL, mean nothing.
pub fn items(value: &[u8]) -> impl Iterator<Item = Item<'_>> {
    value.split_inclusive(|byte| *byte == 0).filter_map(|item| match item.strip_suffix(b"\0")? {
        [b'D', ..] => Some(Item::Deny),
        [b'+', text @ ..] => Some(Item::Set(text)),
        [b'-', name @ ..] => Some(Item::Unset(name)),
        _ => None,
    })
}

/// What `tcprulescheck` says about a client, given the rule that was found for it.
pub fn describe(rule: Option<&Record>) -> Vec<u8> {
    let mut text = Vec::new();
    let mut say = |before: &str, part: &[u8], after: &str| {
        text.extend_from_slice(before.as_bytes());
        text.extend_from_slice(part);
        text.extend_from_slice(after.as_bytes());
    };
    match rule {
        Some((key, _)) => say("rule ", key, ":\n"),
        None => say("default:\n", b"", ""),
    }
    for item in rule.into_iter().flat_map(|(_, value)| items(value)) {
        match item {
            Item::Set(pair) => say("set environment variable ", pair, "\n"),
            Item::Unset(name) => say("unset environment variable ", name, "\n"),
            Item::Deny => {
                say("deny connection\n", b"", "");
                return text;
            }
        }
    }
    say("allow connection\n", b"", "");
    text
}
