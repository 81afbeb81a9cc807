//! `postern shadow`: the same situations in two control directories, and where the verdicts differ.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::line::Line;
use crate::operator::command::Shadow;
use crate::operator::ended::{Ended, PERMANENT};
use crate::operator::explain::{Outcome, Until, demanded, explain};
use crate::operator::input::Input;
use crate::operator::log_line::Logged;
use crate::operator::situation::Situation;
use crate::operator::surroundings::{Surroundings, control_directory};
use crate::policy::Certificate;

type Pair = (Vec<u8>, Vec<u8>);

/// What is judged: a situation, and variables that it supposes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Replayed {
    situation: Situation,
    supposed: Vec<Pair>,
}

/// What became of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    outcome: Outcome,
    code: Option<u16>,
    reason: Option<String>,
}

/// Both sides.
struct Sides {
    live: Surroundings,
    other: Surroundings,
    /// The situation that was judged last: a client often sends many like it.
    last: Option<(Replayed, Vec<(Verdict, Verdict)>)>,
}

/// How many there were.
#[derive(Debug, Default)]
struct Tally {
    situations: u64,
    differ: u64,
    skipped: u64,
    malformed: u64,
}

/// Judges every line of the input on both sides, tells where the verdicts differ, and returns the exit code: 0 none, 1 some,
/// 100 a line is malformed.
///
/// # Errors
///
/// What keeps us from knowing, or from telling.
pub fn run(options: &Shadow, output: &mut dyn Write) -> Result<u8, Ended> {
    let unwritten = |error| Ended::unwritten(&error);
    let mut sides = Sides::new(options)?;
    let mut input = Input::open(options.file.as_deref())?;
    let mut tally = Tally::default();
    while let Some(line) = input.next_line()? {
        let replayed = match sides.replayed(line) {
            Ok(Some(replayed)) => replayed,
            Ok(None) => {
                tally.skipped += u64::from(!says_nothing(line));
                continue;
            }
            Err(Fault::Malformed(fault)) => {
                tally.malformed += 1;
                input.complain(&fault);
                continue;
            }
            Err(Fault::Ended(ended)) => return Err(ended),
        };
        tally.situations += 1;
        let verdicts = sides.judge(&replayed)?;
        let differ = |(live, other): &&(Verdict, Verdict)| live.outcome != other.outcome;
        tally.differ += u64::from(verdicts.iter().any(|pair| differ(&pair)));
        for (recipient, (live, other)) in
            replayed.situation.recipients.iter().zip(verdicts).filter(|(_, pair)| differ(pair))
        {
            let situation = replayed.situation.with_recipient(recipient);
            let number = input.number();
            let text = match options.json {
                true => {
                    let (live, other) = (live.as_json(), other.as_json());
                    format!(
                        "{}\n",
                        json!({"line": number, "situation": situation.as_json(), "live": live, "with": other})
                    )
                }
                false => format!("line {number}: {situation}: {live} -> {other}\n"),
            };
            input.stand_aside();
            output.write_all(text.as_bytes()).map_err(unwritten)?;
        }
        if input.is_interactive() {
            output.flush().map_err(unwritten)?;
        }
    }
    let summary = if options.json { format!("{}\n", tally.as_json()) } else { format!("{tally}\n") };
    output.write_all(summary.as_bytes()).and_then(|()| output.flush()).map_err(unwritten)?;
    Ok(if tally.malformed > 0 { PERMANENT } else { u8::from(tally.differ > 0) })
}

/// Why a line cannot be judged.
enum Fault {
    Malformed(String),
    Ended(Ended),
}

impl Sides {
    fn new(options: &Shadow) -> Result<Self, Ended> {
        let side =
            |directory, rules: Option<&Path>| Surroundings::new(directory, &options.variables, rules, options.dns);
        let other = &options.with;
        if !other.is_dir() {
            return Err(Ended(PERMANENT, format!("{} is no directory", other.display())));
        }
        let rules = options.rules.as_deref();
        Ok(Self {
            live: side(control_directory(&options.place)?, rules)?,
            other: side(other.clone(), options.with_rules.as_deref().or(rules))?,
            last: None,
        })
    }

    /// What a line is about; none if it is about no recipient.
    fn replayed(&mut self, line: &[u8]) -> Result<Option<Replayed>, Fault> {
        if let Some(logged) = Logged::parse(line) {
            return self.again(logged).map(Some).map_err(Fault::Ended);
        }
        if !Situation::is_begun_by(line) {
            return Ok(None);
        }
        let situation = Situation::parse(line).map_err(Fault::Malformed)?;
        Ok(situation.map(|situation| Replayed { situation, supposed: Vec::new() }))
    }

    /// The situation of a log line, with what it tells of its time.
    fn again(&mut self, logged: Logged) -> Result<Replayed, Ended> {
        let Logged { mut situation, is_accepted, .. } = logged.clone();
        let set = logged.reason.as_deref() == Some("RELAYCLIENT");
        let supposed = if set { vec![(b"RELAYCLIENT".to_vec(), Vec::new())] } else { Vec::new() };
        let connection = self.live.connection(&situation, &supposed)?;
        let variable = connection.environment.get(b"RELAYCLIENT").unwrap_or_default().to_vec();
        if let Ok(setup) = self.live.setup(connection.environment) {
            let demanded = demanded(&setup);
            situation.credentials.tls = demanded.tls;
            // Who had AUTH would not have been refused.
            situation.credentials.user = demanded.user.filter(|_| is_accepted);
        }
        if logged.reason.as_deref() == Some("auth") {
            situation.credentials.user = Some(b"somebody".to_vec());
        }
        if logged.evidence().is_some_and(|(file, _)| file == "tlsclients") {
            let address = Some(entry_of_line(&self.live.directory, &logged)).filter(|address| !address.is_empty());
            situation.credentials.tls = true;
            situation.credentials.certificate = address.map(|address| Certificate::Of(vec![address]));
        }
        if is_accepted {
            let suffix = suffix_of_line(&self.live.directory, &logged);
            situation.recipients.iter_mut().for_each(|recipient| strip(recipient, &suffix, &variable));
        }
        Ok(Replayed { situation, supposed })
    }

    fn judge(&mut self, replayed: &Replayed) -> Result<&[(Verdict, Verdict)], Ended> {
        if self.last.as_ref().is_none_or(|(last, _)| last != replayed) {
            let live = judge(&mut self.live, replayed)?;
            let other = judge(&mut self.other, replayed)?;
            self.last = Some((replayed.clone(), live.into_iter().zip(other).collect()));
        }
        Ok(self.last.as_ref().map(|(_, verdicts)| verdicts.as_slice()).unwrap_or_default())
    }
}

fn judge(surroundings: &mut Surroundings, replayed: &Replayed) -> Result<Vec<Verdict>, Ended> {
    // Rules that are given say what they set, and what not.
    let supposed = if surroundings.rules_path().is_some() { &[] } else { replayed.supposed.as_slice() };
    let explanation = explain(surroundings, &replayed.situation, supposed, Until::Rcpt)?;
    let decisions = explanation.decisions(replayed.situation.recipients.len());
    let verdict = decisions.map(|step| Verdict {
        outcome: step.outcome,
        code: step.code,
        reason: step.why.as_ref().map(ToString::to_string),
    });
    Ok(verdict.collect())
}

/// The line that granted, if it is still there.
fn entry_of_line(directory: &Path, logged: &Logged) -> Vec<u8> {
    let Some((file, line)) = logged.evidence().filter(|(file, _)| !file.contains('/')) else { return Vec::new() };
    let path = directory.join(file);
    if !path.is_file() {
        return Vec::new();
    }
    let text = std::fs::read(path).unwrap_or_default();
    let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    text.split(|byte| *byte == b'\n').nth(index).unwrap_or_default().trim_ascii_end().to_vec()
}

/// What that line puts behind a recipient.
fn suffix_of_line(directory: &Path, logged: &Logged) -> Vec<u8> {
    let entry = entry_of_line(directory, logged);
    match logged.evidence().map(|(file, _)| file) {
        None | Some("rcpthosts" | "relaymailfrom" | "tlsclients") => Vec::new(),
        Some("relaydomains") => {
            memchr::memchr(b':', &entry).and_then(|colon| entry.get(colon + 1..)).unwrap_or_default().to_vec()
        }
        Some(_) => Line::parse(&entry).suffix.to_vec(),
    }
}

/// Takes away what a grant and RELAYCLIENT have put behind a recipient. One with two `@` is never accepted as it stands, so the
/// second one begins a suffix.
fn strip(recipient: &mut Vec<u8>, suffix: &[u8], variable: &[u8]) {
    for behind in [suffix, variable] {
        if !behind.is_empty() && recipient.len() > behind.len() && recipient.ends_with(behind) {
            recipient.truncate(recipient.len() - behind.len());
        }
    }
    if let Some(second) = memchr::memchr_iter(b'@', recipient).nth(1) {
        recipient.truncate(second);
    }
}

fn says_nothing(line: &[u8]) -> bool {
    matches!(line.trim_ascii(), [] | [b'#', ..])
}

impl Verdict {
    fn as_json(&self) -> Value {
        json!({"verdict": self.outcome.to_string(), "code": self.code, "reason": self.reason})
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code.map(|code| code.to_string());
        let why = self.reason.as_ref().or(code.as_ref());
        write!(f, "{} ({})", self.outcome, why.map_or("", String::as_str))
    }
}

impl Tally {
    fn as_json(&self) -> Value {
        let Self { situations, differ, skipped, malformed } = self;
        json!({"situations": situations, "differ": differ, "skipped": skipped, "malformed": malformed})
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} situations, {} differ, {} lines skipped", self.situations, self.differ, self.skipped)?;
        if self.malformed > 0 { write!(f, ", {} malformed", self.malformed) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_taken_away_if_it_can_be_told() {
        let table = [
            ("a@b.ex@gw.ex", "@gw.ex", "", "a@b.ex"),
            ("a@b.ex@gw.ex", "", "", "a@b.ex"),
            ("a@b.ex.via@gw.ex", "", ".via@gw.ex", "a@b.ex"),
            ("a@b.ex.var.line", ".line", ".var", "a@b.ex"),
            ("a@b.ex", ".other", "", "a@b.ex"),
            ("a", "a", "", "a"),
        ];
        for (stored, suffix, variable, expected) in table {
            let mut recipient = stored.as_bytes().to_vec();
            strip(&mut recipient, suffix.as_bytes(), variable.as_bytes());
            assert_eq!(recipient, expected.as_bytes(), "{stored}");
        }
    }
}
