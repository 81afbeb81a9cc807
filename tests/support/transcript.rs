//! Reads a transcript: what to prepare, and the steps of the conversation.
#![allow(dead_code)]

use std::collections::BTreeSet;

use crate::home::{QueueEnd, QueueProgram};

/// Whom a line with `[original D07]` or `[ours D07]` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Original,
    Ours,
}

/// What stands before the conversation.
#[derive(Debug, Default)]
pub struct Setup {
    /// `None` takes a variable out of the environment.
    pub env: Vec<(String, Option<String>)>,
    /// Control files by name; `None` removes one of the baseline.
    pub control: Vec<(String, Option<Vec<u8>>)>,
    pub directories: Vec<String>,
    pub cdb: Vec<(String, Vec<String>)>,
    /// So many seconds ago this user of this address has read mail.
    pub logins: Vec<(i64, String, String)>,
    pub arguments: Vec<String>,
    pub queue: QueueProgram,
}

/// One line of the conversation.
#[derive(Debug)]
pub enum Step {
    /// Goes out in one write.
    Send(Vec<u8>),
    EndInput,
    Signal(String),
    Reply(String),
    /// A line of the log behind its prefix, in this order, others may stand between.
    Log(String),
    /// A whole line of descriptor 2.
    RawLog(String),
    /// No line of the log matches.
    NoLog(String),
    /// `Fsender` begins what the next run of the queue program was given, `Trecipient` goes on.
    Envelope(String),
    /// The next run of the queue program was told to discard.
    Discarded,
    NothingQueued,
    Content(String),
    Trace(String),
    QueueArgument(String),
    QueueVariable(String),
    QueueDirectory(String),
    Exit(i32),
    /// The whole session has taken at least so many seconds.
    Took(u64),
}

/// A file of tests/transcripts.
#[derive(Debug, Default)]
pub struct Transcript {
    pub setup: Setup,
    /// With their line numbers.
    pub steps: Vec<(usize, Step)>,
    /// The numbers of the differences it shows.
    pub differences: BTreeSet<String>,
    /// What it shows of the order of checks in smtpd(8): `MAIL hostaccess`, or `MAIL hostaccess, then REQUIREAUTH`.
    pub shows: Vec<String>,
    /// Not for the original: nothing comparable happens there.
    pub ours_alone: bool,
    /// The issue that will make it pass.
    pub todo: Option<String>,
}

impl Transcript {
    /// Reads `text` for one side, over a baseline that was read before.
    pub fn parse(baseline: &str, text: &str, side: Side) -> Result<Transcript, String> {
        let mut transcript = Transcript::default();
        // Lines of the client that touch are one write.
        let mut touches = false;
        for (number, line) in (1..).zip(text.lines()) {
            transcript.line(number, line, side, &mut touches).map_err(|error| format!("{number}: {error}: {line}"))?;
        }
        if !text.lines().any(|line| line == "no baseline") {
            let mut below = Transcript::default();
            for line in baseline.lines() {
                below.line(0, line, side, &mut false).map_err(|error| format!("0: baseline: {error}: {line}"))?;
            }
            transcript.setup.put_over(below.setup);
        }
        if transcript.ours_alone && side == Side::Original {
            return Ok(transcript);
        }
        if !matches!(transcript.steps.iter().rev().find(|(_, s)| !s.is_afterwards()), Some((_, Step::Exit(_)))) {
            return Err("0: the conversation does not end in `exit N`".to_owned());
        }
        Ok(transcript)
    }

    fn line(&mut self, number: usize, line: &str, side: Side, touches: &mut bool) -> Result<(), String> {
        let touched = std::mem::take(touches);
        if line.is_empty() || line.starts_with('#') || line == "no baseline" {
            return Ok(());
        }
        let (keyword, rest, only) = split(line)?;
        if let Some((whose, difference)) = only {
            if difference.starts_with('D') {
                self.differences.insert(difference);
            }
            if whose != side {
                *touches = touched;
                return Ok(());
            }
        }
        if self.prepare(&keyword, rest)? {
            return if self.steps.is_empty() { Ok(()) } else { Err("stands after the beginning".to_owned()) };
        }
        let step = step(&keyword, rest)?;
        *touches = matches!(step, Step::Send(_));
        if let (true, Step::Send(more), Some((_, Step::Send(bytes)))) = (touched, &step, self.steps.last_mut()) {
            bytes.extend_from_slice(more);
            return Ok(());
        }
        self.steps.push((number, step));
        Ok(())
    }

    /// Takes a line that prepares something; `false` when it is none.
    fn prepare(&mut self, keyword: &str, rest: &str) -> Result<bool, String> {
        let setup = &mut self.setup;
        match keyword {
            "env" => {
                let (name, value) = rest.split_once('=').ok_or("no `=`")?;
                setup.env.push((name.to_owned(), Some(String::from_utf8(unescape(value)?).map_err(|_| "not UTF-8")?)));
            }
            "unset" => setup.env.push((rest.to_owned(), None)),
            "control" => {
                let (name, line) = rest.split_once(" =").ok_or("no ` =`")?;
                add_line(setup, name, line.strip_prefix(' ').unwrap_or(line));
            }
            "control=" => {
                let (name, bytes) = rest.split_once(' ').unwrap_or((rest, ""));
                setup.control.push((name.to_owned(), Some(unescape(bytes)?)));
            }
            "remove" => setup.control.push((rest.to_owned(), None)),
            "mkdir" => setup.directories.push(rest.to_owned()),
            "cdb" => {
                let (name, key) = rest.split_once(" = ").ok_or("no ` = `")?;
                match setup.cdb.iter_mut().find(|(known, _)| known == name) {
                    Some((_, keys)) => keys.push(key.to_owned()),
                    None => setup.cdb.push((name.to_owned(), vec![key.to_owned()])),
                }
            }
            "login" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let [age, user, address] = words[..] else { return Err("not `login SECONDS USER ADDRESS`".to_owned()) };
                let age = age.parse().map_err(|_| "no number of seconds")?;
                setup.logins.push((age, user.to_owned(), address.to_owned()));
            }
            "argument" => setup.arguments.push(rest.to_owned()),
            "queue" => queue(&mut setup.queue, rest)?,
            "only" => {
                let number = rest.strip_prefix("ours ").ok_or("not `only ours Dnn`")?;
                self.differences.insert(number.to_owned());
                self.ours_alone = true;
            }
            "shows" => self.shows.push(rest.to_owned()),
            "todo" => self.todo = Some(rest.to_owned()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Setup {
    /// A control file that this names is not the baseline's; a variable is set after the baseline's.
    fn put_over(&mut self, baseline: Setup) {
        let named = |name: &String| self.control.iter().any(|(own, _)| own == name) || self.directories.contains(name);
        let control: Vec<_> = baseline.control.into_iter().filter(|(name, _)| !named(name)).collect();
        self.control.splice(0..0, control);
        self.env.splice(0..0, baseline.env);
    }
}

impl Step {
    /// It looks at what is left when everything is over.
    pub fn is_afterwards(&self) -> bool {
        !matches!(self, Step::Send(_) | Step::EndInput | Step::Signal(_) | Step::Reply(_) | Step::Exit(_))
    }
}

fn add_line(setup: &mut Setup, name: &str, line: &str) {
    let line = format!("{line}\n").into_bytes();
    match setup.control.iter_mut().find(|(known, _)| known == name) {
        Some((_, Some(content))) => content.extend_from_slice(&line),
        Some((_, content)) => *content = Some(line),
        None => setup.control.push((name.to_owned(), Some(line))),
    }
}

type Only = Option<(Side, String)>;

/// Keyword, rest and whom the line is for.
fn split(line: &str) -> Result<(String, &str, Only), String> {
    let end = line.find([' ', '[', ':', '=', '|']).unwrap_or(line.len());
    let (mut keyword, mut rest) = (line[..end].to_owned(), &line[end..]);
    let mut only = None;
    if let Some(inside) = rest.strip_prefix('[') {
        let (label, after) = inside.split_once(']').ok_or("no `]`")?;
        let (whose, number) = label.split_once(' ').ok_or("no number")?;
        let whose = match whose {
            "original" => Side::Original,
            "ours" => Side::Ours,
            _ => return Err(format!("neither original nor ours: {label}")),
        };
        only = Some((whose, number.to_owned()));
        rest = after;
    }
    if let Some(sign @ (':' | '=' | '|')) = rest.chars().next() {
        keyword.push(sign);
        rest = &rest[1..];
    }
    Ok((keyword, rest.strip_prefix(' ').unwrap_or(rest), only))
}

fn step(keyword: &str, rest: &str) -> Result<Step, String> {
    let text = rest.to_owned();
    Ok(match keyword {
        "C:" => Step::Send(format!("{rest}\r\n").into_bytes()),
        "C=" => Step::Send(unescape(rest)?),
        "S:" => Step::Reply(text),
        "eof" => Step::EndInput,
        "signal" => Step::Signal(text),
        "log:" => Step::Log(text),
        "log=" => Step::RawLog(text),
        "nolog:" => Step::NoLog(text),
        "queued" if rest == "nothing" => Step::NothingQueued,
        "queued" if rest == "discarded" => Step::Discarded,
        "queued" if rest.starts_with(['F', 'T']) => Step::Envelope(text),
        "queued|" => Step::Content(text),
        "trace|" => Step::Trace(text),
        "argument|" => Step::QueueArgument(text),
        "variable|" => Step::QueueVariable(text),
        "directory|" => Step::QueueDirectory(text),
        "took" => Step::Took(rest.parse().map_err(|_| "no number of seconds")?),
        "exit" => Step::Exit(rest.parse().map_err(|_| "no number")?),
        _ => return Err(format!("unknown directive `{keyword}`")),
    })
}

/// `exit N`, `signal N`, `unread N`, `text FD = bytes`.
fn queue(program: &mut QueueProgram, rest: &str) -> Result<(), String> {
    let (word, value) = rest.split_once(' ').ok_or("no value")?;
    let number = || value.parse::<u8>().map_err(|error| error.to_string());
    match word {
        "exit" => program.end = QueueEnd::Exit(number()?),
        "signal" => program.end = QueueEnd::Signal(number()?),
        "unread" => program.end = QueueEnd::Unread(number()?),
        "text" => {
            let (descriptor, text) = value.split_once(" = ").ok_or("no ` = `")?;
            let descriptor = descriptor.parse().map_err(|_| "no descriptor")?;
            program.text = Some((descriptor, unescape(text)?));
        }
        _ => return Err(format!("unknown: queue {word}")),
    }
    Ok(())
}

/// `\r \n \t \0 \\ \xFF`, and `\{text*900}` for a text many times over.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let kind = rest.chars().next().ok_or("a backslash at the end")?;
        rest = &rest[kind.len_utf8()..];
        match kind {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            '\\' => bytes.push(b'\\'),
            'x' => {
                let digits = rest.get(..2).ok_or("two digits after \\x")?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?);
                rest = &rest[2..];
            }
            '{' => {
                let (inside, after) = rest.split_once('}').ok_or("no `}`")?;
                let (what, count) = inside.rsplit_once('*').ok_or("no `*`")?;
                let count: usize = count.parse().map_err(|_| "no count")?;
                bytes.extend(unescape(what)?.repeat(count));
                rest = after;
            }
            other => return Err(format!("unknown escape \\{other}")),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}
