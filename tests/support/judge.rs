//! Judges what a session left behind: the log, and what the queue program was given.
#![allow(dead_code)]

use std::path::Path;

use regex_lite::Regex;

use crate::home::Delivery;
use crate::transcript::{Side, Step, Transcript};

/// What is there when the session is over.
pub struct Found<'a> {
    pub log: &'a str,
    pub pid: u32,
    pub deliveries: &'a [Delivery],
    pub home: &'a Path,
}

type Failure = (usize, String);

/// Compares every step that looks back; the error has its line number.
pub fn judge(transcript: &Transcript, side: Side, found: &Found<'_>) -> Result<(), Failure> {
    log(transcript, side, found)?;
    deliveries(transcript, side, found)
}

/// ` *` at the end stands for a time, a pid or both; the placeholders of [`pattern`] work too.
pub fn reply_matches(expected: &str, heard: &str, home: &Path) -> bool {
    let regex = match expected.strip_suffix(" *") {
        Some(start) => format!(r"^{} \d+( qp \d+)?$", pattern(start, home)),
        None => format!("^{}$", pattern(expected, home)),
    };
    Regex::new(&regex).unwrap().is_match(heard)
}

/// In the log each `*` stands for any text. The fields about the client (D50) count only where one of them is expected.
fn log_matches(expected: &str, line: &str, home: &Path) -> bool {
    let fields = Regex::new(r"( (name|helo|class)=\S+)+").unwrap();
    let line = if fields.is_match(expected) { line.into() } else { fields.replace(line, "") };
    let regex = format!("^{}$", pattern(expected, home).replace(r"\*", ".*"));
    Regex::new(&regex).unwrap().is_match(&line)
}

/// A regular expression for the text, with `<date>` in UTC, `<date +0545>`, `<pid>`, `<version>`, `<home>` and `<text>`.
fn pattern(text: &str, home: &Path) -> String {
    let date = Regex::new(r"<date( \\[+-]\d{4})>").unwrap();
    let text = regex_lite::escape(text).replace("<date>", r"<date \+0000>");
    date.replace_all(&text, r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d$1")
        .replace("<pid>", r"\d+")
        .replace("<version>", &regex_lite::escape(env!("CARGO_PKG_VERSION")))
        .replace("<text>", "[ -~]{0,1100}")
        .replace("<home>", &regex_lite::escape(&home.display().to_string()))
}

/// Places in an argument or the value of a variable.
pub fn fill(value: &str, home: &Path, queue: &Path) -> String {
    let checker = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/checker.sh");
    let places = [("<home>", home), ("<queue>", queue), ("<checker>", checker.as_path())];
    places.iter().fold(value.to_owned(), |value, (name, place)| value.replace(name, &place.display().to_string()))
}

fn log(transcript: &Transcript, side: Side, found: &Found<'_>) -> Result<(), Failure> {
    let prefix = Regex::new(&format!(r"^qmail-smtpd: pid {}( from \S+)? ", found.pid)).unwrap();
    // What the checker of passwords writes stands there as it is.
    let is_of_checker = |line: &str| line.starts_with("checker: ");
    let behind_prefix = |line: &str| prefix.find(line).map(|prefix| line[prefix.end()..].to_owned());
    let message = |line: &str| if is_of_checker(line) { Some(line.to_owned()) } else { behind_prefix(line) };
    let mut lines = found.log.lines();
    for (number, step) in &transcript.steps {
        match step {
            Step::Log(expected) => {
                let Some(expected) = for_side(expected, side) else { continue };
                let wanted = |line: &str| message(line).is_some_and(|m| log_matches(&expected, &m, found.home));
                if !lines.any(wanted) {
                    return Err((*number, format!("not in the log (or not in this order)\n  - {expected}")));
                }
            }
            Step::RawLog(expected) => {
                let line = lines.find(|line| log_matches(expected, line, found.home));
                line.ok_or_else(|| (*number, format!("not on descriptor 2\n  - {expected}")))?;
            }
            Step::NoLog(expected) => {
                let unwanted = |line: &&str| message(line).is_some_and(|m| log_matches(expected, &m, found.home));
                if let Some(line) = found.log.lines().find(unwanted) {
                    return Err((*number, format!("should not be in the log\n  + {line}")));
                }
            }
            Step::Send(_) | Step::EndInput | Step::Signal(_) | Step::Reply(_) | Step::Exit(_) => (),
            Step::Envelope(_) | Step::Discarded | Step::NothingQueued | Step::Content(_) | Step::Trace(_) => (),
            Step::QueueArgument(_) | Step::QueueVariable(_) | Step::QueueDirectory(_) | Step::Took(_) => (),
        }
    }
    // D25: every line has the prefix and nothing but printable text, whatever the client said.
    let only_raw = transcript.steps.iter().any(|(_, step)| matches!(step, Step::RawLog(_)));
    match found.log.lines().find(|line| message(line).is_none() || line.contains(|c: char| c.is_control())) {
        Some(line) if side == Side::Ours && !only_raw => Err((0, format!("a log line without prefix\n  + {line}"))),
        Some(_) | None => Ok(()),
    }
}

/// D25: the original gives no reason and does not log accepted recipients.
fn for_side(expected: &str, side: Side) -> Option<String> {
    match side {
        Side::Ours => Some(expected.to_owned()),
        Side::Original if expected.starts_with("Accepted RECIPIENT") => None,
        Side::Original => {
            let fields = Regex::new("( (name|helo|class)=.*)? reason=").unwrap();
            Some(fields.splitn(expected, 2).next().unwrap_or_default().to_owned())
        }
    }
}

fn deliveries(transcript: &Transcript, side: Side, found: &Found<'_>) -> Result<(), Failure> {
    let mut left = found.deliveries.iter();
    let mut current = Current::default();
    for (number, step) in transcript.steps.iter().filter(|(_, step)| step.is_afterwards()) {
        let begins = matches!(step, Step::Discarded) || matches!(step, Step::Envelope(item) if item.starts_with('F'));
        if begins {
            current.end()?;
            let delivery = left.next().ok_or_else(|| (*number, "the queue program was not started".to_owned()))?;
            if !delivery.finished {
                return Err((*number, "the queue program was not waited for".to_owned()));
            }
            current = Current::begin(*number, delivery, matches!(step, Step::Discarded), side);
        }
        current.compare(*number, step, found.home)?;
    }
    current.end()?;
    match left.next() {
        Some(more) => Err((0, format!("the queue program was given more\n  + {:?}", more.envelope_items()))),
        None => Ok(()),
    }
}

/// What a run of the queue program was given and no line has named yet.
#[derive(Default)]
struct Current<'a> {
    delivery: Option<&'a Delivery>,
    line: usize,
    envelope: Vec<String>,
    trace: Vec<String>,
    content: Vec<String>,
    content_named: bool,
    trace_named: bool,
    /// The original's trace header is another (D23).
    skips_trace: bool,
    arguments: Vec<String>,
}

impl<'a> Current<'a> {
    fn begin(line: usize, delivery: &'a Delivery, discarded: bool, side: Side) -> Current<'a> {
        let (trace, content) = delivery.trace_and_content();
        let mut envelope = delivery.envelope_items();
        envelope.reverse();
        if discarded && delivery.envelope.is_empty() {
            envelope.clear();
        } else if !delivery.envelope.ends_with(b"\0\0") {
            envelope.push(format!("an envelope that does not end in NUL NUL: {:?}", delivery.envelope));
        }
        let reversed = |bytes: &[u8]| -> Vec<String> { shown_lines(bytes).into_iter().rev().collect() };
        let arguments = delivery.arguments.iter().rev().cloned().collect();
        Current {
            delivery: Some(delivery),
            line,
            envelope,
            trace: reversed(&trace),
            content: reversed(&content),
            content_named: false,
            trace_named: false,
            skips_trace: side == Side::Original,
            arguments,
        }
    }

    fn compare(&mut self, number: usize, step: &Step, home: &Path) -> Result<(), Failure> {
        let (expected, got) = match step {
            Step::Envelope(item) => (item, self.envelope.pop()),
            Step::Content(line) => {
                self.content_named = true;
                (line, self.content.pop())
            }
            Step::Trace(_) if self.skips_trace => return Ok(()),
            Step::Trace(line) => {
                self.trace_named = true;
                (line, self.trace.pop())
            }
            Step::QueueArgument(argument) => (argument, self.arguments.pop()),
            Step::QueueVariable(setting) => {
                let environment = self.delivery.map(|delivery| delivery.environment.as_slice()).unwrap_or_default();
                let name = format!("{}=", setting.split('=').next().unwrap_or_default());
                let is_set = environment.iter().find(|line| line.starts_with(&name)).cloned();
                let unset = || (self.delivery.is_some() && !setting.contains('=')).then(|| setting.clone());
                (setting, is_set.or_else(unset))
            }
            Step::QueueDirectory(directory) => (directory, self.delivery.map(|delivery| delivery.directory.clone())),
            Step::NothingQueued | Step::Discarded | Step::Log(_) | Step::RawLog(_) | Step::NoLog(_) => return Ok(()),
            Step::Took(_) => return Ok(()),
            Step::Send(_) | Step::EndInput | Step::Signal(_) | Step::Reply(_) | Step::Exit(_) => return Ok(()),
        };
        match got {
            Some(got) if Regex::new(&format!("^{}$", pattern(expected, home))).unwrap().is_match(&got) => Ok(()),
            got => Err((number, format!("not what the queue program was given\n  - {expected}\n  + {got:?}"))),
        }
    }

    /// Nothing may be left unnamed, but for content and trace when no line of them was named.
    fn end(&self) -> Result<(), Failure> {
        let mut left = self.envelope.clone();
        if self.content_named {
            left.extend(self.content.clone());
        }
        if self.trace_named {
            left.extend(self.trace.clone());
        }
        match left.last() {
            Some(more) => Err((self.line, format!("the queue program was given more\n  + {more:?}"))),
            None => Ok(()),
        }
    }
}

/// Lines of a message; the bytes that a transcript cannot hold as they are look like escapes.
fn shown_lines(bytes: &[u8]) -> Vec<String> {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    text.split(|byte| *byte == b'\n').map(visible).collect()
}

fn visible(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&byte| match byte {
            b'\r' => "\\r".to_owned(),
            b'\\' => "\\\\".to_owned(),
            b'\t' => "\\t".to_owned(),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        })
        .collect()
}

/// What one side said, for the report of a failure.
pub fn shown(who: char, bytes: &[u8]) -> String {
    let text =
        if bytes.len() > 400 { format!("({} octets)", bytes.len()) } else { visible(bytes).replace("\\x0a", "\\n") };
    format!("  {who} {text}\n")
}

pub fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
