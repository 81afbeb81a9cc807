//! `postern explain`: one situation through the very code of smtpd, with every answer and its reason.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::control::Setup;
use crate::lookup::Lookups;
use crate::policy::verdict::{Answer, LookupFailed, Question, Reason};
use crate::session::{Session, Then, Turn};
use crate::smtp::printable::printable;

/// A client, what it says of itself, a sender and recipients.
#[derive(Debug, Clone)]
pub struct Situation {
    /// What EHLO says.
    pub helo: Vec<u8>,
    /// The reverse-path, without brackets.
    pub sender: Vec<u8>,
    /// The forward-paths, without brackets.
    pub recipients: Vec<Vec<u8>>,
}

/// One thing that was decided.
#[derive(Debug, Clone)]
pub struct Step {
    /// What the client did, as `RCPT TO:<user@domain>`.
    pub command: String,
    /// The code of the reply.
    pub code: u16,
    /// The lines of the reply.
    pub reply: String,
    /// Why, as the log says it.
    pub reason: Option<Reason>,
    /// Every source that was consulted, in order, with what it said.
    pub asked: Vec<(&'static str, String)>,
}

/// Plays a situation through a session and tells each step; it ends where the session ends.
#[must_use]
pub fn explain(setup: &Setup, situation: &Situation) -> Vec<Step> {
    let mut session = Session::new(setup);
    let mut lookups = Lookups::new(setup);
    let mut steps = vec![step("connect", session.greet(""), Vec::new()).0];
    let ehlo = [b"EHLO ", situation.helo.as_slice()].concat();
    let mail = [b"MAIL FROM:<", situation.sender.as_slice(), b">"].concat();
    let rcpt = situation.recipients.iter().map(|recipient| [b"RCPT TO:<", recipient.as_slice(), b">"].concat());
    for line in [ehlo, mail].into_iter().chain(rcpt) {
        let mut asked = Vec::new();
        let turn = session.hear(&line, &mut |question: Question<'_>| {
            let answer = lookups.answer(question);
            let told = (question.source_name(), in_words(&answer));
            if !asked.contains(&told) {
                asked.push(told);
            }
            answer
        });
        let (step, ended) = step(&String::from_utf8_lossy(&printable(&line)), turn, asked);
        steps.push(step);
        if ended {
            break;
        }
    }
    steps
}

fn step(command: &str, turn: Turn, asked: Vec<(&'static str, String)>) -> (Step, bool) {
    let lines: Vec<String> = turn.reply.lines().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let ended = matches!(turn.then, Then::Close { .. });
    let step = Step {
        command: command.to_string(),
        code: turn.reply.code(),
        reply: lines.join(" / ").trim_end().to_string(),
        reason: turn.reason,
        asked,
    };
    (step, ended)
}

fn in_words(answer: &Result<Answer, LookupFailed>) -> String {
    match answer {
        Ok(Answer::Absent) => "no such file".to_string(),
        Ok(Answer::No) => "no".to_string(),
        Ok(Answer::Excepted(evidence)) => format!("no, {evidence} is an exception"),
        Ok(Answer::NeedsDns) => "DNS must be asked".to_string(),
        Ok(Answer::Yes(evidence)) => format!("yes, {evidence}"),
        Err(failed) => format!("cannot tell: {failed}"),
    }
}

/// The exit code of an explanation: 0 all accepted, 1 something refused, 111 something refused only for now.
#[must_use]
pub fn exit_code(steps: &[Step]) -> u8 {
    if steps.iter().any(|step| step.code >= 500) {
        return 1;
    }
    if steps.iter().any(|step| step.code >= 400) { 111 } else { 0 }
}

/// The explanation for people; `directory` is where the lines that decided are quoted from.
#[must_use]
pub fn as_text(steps: &[Step], directory: &Path) -> String {
    let mut text = String::new();
    for step in steps {
        let verdict = match step.code {
            500.. => "refused",
            400..500 => "refused for now",
            _ => "accepted",
        };
        let _ = writeln!(text, "{}: {verdict}", step.command);
        let _ = writeln!(text, "    reply: {} {}", step.code, step.reply);
        for (source, answer) in &step.asked {
            let _ = writeln!(text, "    asked {source}: {answer}");
        }
        if let Some(reason) = &step.reason {
            let _ = writeln!(text, "    reason: {reason}{}", quoted(reason, directory));
        }
    }
    text
}

/// The explanation for programs.
#[must_use]
pub fn as_json(steps: &[Step], directory: &Path) -> Value {
    let rows: Vec<Value> = steps
        .iter()
        .map(|step| {
            let asked: Vec<Value> =
                step.asked.iter().map(|(source, answer)| json!({"source": source, "answer": answer})).collect();
            let evidence = step.reason.as_ref().and_then(evidence);
            json!({
                "command": step.command,
                "code": step.code,
                "reply": step.reply,
                "accepted": step.code < 400,
                "reason": step.reason.as_ref().map(ToString::to_string),
                "file": evidence.map(|(file, _)| directory.join(file).display().to_string()),
                "line": evidence.and_then(|(_, line)| line),
                "asked": asked,
            })
        })
        .collect();
    json!({"exit": exit_code(steps), "steps": rows})
}

/// The file that decided, and the line if it has lines.
fn evidence(reason: &Reason) -> Option<(&str, Option<u32>)> {
    match reason {
        Reason::OwnDomain(evidence) | Reason::Granted(evidence) => Some((&evidence.file, evidence.line)),
        Reason::LookupFailed(LookupFailed::Unreadable { file, .. } | LookupFailed::Compiled { file, .. }) => {
            Some((file, None))
        }
        Reason::LookupFailed(
            LookupFailed::BadEntry { file, line, .. } | LookupFailed::Exception { file, line, .. },
        ) => Some((file, Some(*line))),
        Reason::LookupFailed(LookupFailed::Dns { file, line, .. }) => Some((file, *line)),
        Reason::LookupFailed(LookupFailed::BadSetting { file, .. }) => Some((file, Some(1))),
        Reason::RelayLevel => Some(("relaylevel", Some(1))),
        Reason::LookupFailed(LookupFailed::NoRcptHosts | LookupFailed::OwnAddresses(_))
        | Reason::Fine
        | Reason::NoDomain
        | Reason::RelayClientVariable
        | Reason::Authenticated
        | Reason::Setting(_)
        | Reason::Probe
        | Reason::NoRelay => None,
    }
}

/// Path, line number and text of the line that decided.
fn quoted(reason: &Reason, directory: &Path) -> String {
    let Some((file, line)) = evidence(reason) else { return String::new() };
    let path = directory.join(file);
    let Some(line) = line else { return format!("  ({})", path.display()) };
    let text = std::fs::read(&path).unwrap_or_default();
    let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let entry = text.split(|&byte| byte == b'\n').nth(index).unwrap_or_default();
    format!("  ({}:{line}: {})", path.display(), String::from_utf8_lossy(&printable(entry)))
}
