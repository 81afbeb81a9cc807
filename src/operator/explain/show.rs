//! An explanation for people and for programs.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::operator::explain::change::Turnaround;
use crate::operator::explain::steps::{Consulted, Explanation, Outcome, Step, Why};
use crate::operator::situation::Situation;
use crate::policy::verdict::{Answer, Evidence, LookupFailed, Reason};
use crate::relay_table;
use crate::smtp::printable::printable;

/// The exit code that an outcome stands for: 0 accepted, 1 refused, 111 refused only for now.
#[must_use]
pub fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Accept => 0,
        Outcome::Reject => 1,
        Outcome::Temp => 111,
    }
}

/// The explanation for people; `directory` is where the lines that decided are quoted from.
#[must_use]
pub fn as_text(explanation: &Explanation, directory: &Path) -> String {
    let mut text = String::new();
    let steps = explanation.steps.iter().map(|step| (step, false));
    for (step, is_of_data) in steps.chain(explanation.data.iter().map(|step| (step, true))) {
        let verdict = match step.outcome {
            Outcome::Reject => "refused",
            Outcome::Temp => "refused for now",
            Outcome::Accept => "accepted",
        };
        let _ = writeln!(text, "{}: {verdict}", step.command);
        let code = step.code.map(|code| format!("{code} ")).unwrap_or_default();
        let _ = writeln!(text, "    reply: {code}{}", step.reply);
        // What is in nobody's way is not worth so many lines: MAIL that passes.
        let decided = is_of_data || step.why.is_some() || step.outcome != Outcome::Accept;
        for Consulted { source, said, .. } in step.consulted.iter().filter(|_| decided) {
            let _ = writeln!(text, "    {source}: {said}");
        }
        for note in &step.notes {
            let _ = writeln!(text, "    noticed: {note}");
        }
        if let Some(why) = &step.why {
            let _ = writeln!(text, "    reason: {why}{}", quoted(why, directory));
        }
        if let Some(change) = &step.change {
            let _ = writeln!(text, "    {}", change.in_words());
        }
    }
    text
}

/// The explanation for programs.
#[must_use]
pub fn as_json(explanation: &Explanation, situation: &Situation, directory: &Path) -> Value {
    let place = |evidence: Option<(&str, Option<u32>)>| {
        (evidence.map(|(file, _)| directory.join(file).display().to_string()), evidence.and_then(|(_, line)| line))
    };
    let consulted = |consulted: &Consulted| {
        let (file, line) = place(consulted.answer.as_ref().and_then(evidence_of_answer));
        json!({"source": consulted.source, "said": consulted.said, "file": file, "line": line})
    };
    let row = |step: &Step| {
        let (file, line) = place(step.why.as_ref().and_then(evidence));
        json!({
            "command": step.command,
            "code": step.code,
            "reply": step.reply,
            "closes": step.closes,
            "verdict": step.outcome.to_string(),
            "accepted": step.outcome == Outcome::Accept,
            "reason": step.why.as_ref().map(ToString::to_string),
            "file": file,
            "line": line,
            "consulted": step.consulted.iter().map(consulted).collect::<Vec<_>>(),
            "noticed": step.notes,
            "change": step.change.as_ref().map(Turnaround::as_json),
        })
    };
    let decisions: Vec<Value> = situation
        .recipients
        .iter()
        .zip(explanation.decisions(situation.recipients.len()))
        .map(|(recipient, step)| {
            json!({
                "rcpt": String::from_utf8_lossy(recipient),
                "verdict": step.outcome.to_string(),
                "code": step.code,
                "reply": step.reply,
                "reason": step.why.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    let outcome = explanation.outcome(situation.recipients.len());
    json!({
        "exit": exit_code(outcome),
        "verdict": outcome.to_string(),
        "situation": situation.as_json(),
        "decisions": decisions,
        "steps": explanation.steps.iter().map(row).collect::<Vec<_>>(),
        "data": explanation.data.iter().map(row).collect::<Vec<_>>(),
    })
}

/// A line of a batch: `accept|reject|temp`, codes, reasons and the situation, separated by tabs; codes and reasons of several
/// recipients by commas.
#[must_use]
pub fn as_line(explanation: &Explanation, situation: &Situation) -> String {
    let recipients = situation.recipients.len();
    let each = |say: &dyn Fn(&Step) -> Option<String>| {
        let said = explanation.decisions(recipients).map(|step| say(step).unwrap_or_else(|| "-".to_string()));
        said.collect::<Vec<_>>().join(",")
    };
    let codes = each(&|step| step.code.map(|code| code.to_string()));
    let reasons = each(&|step| step.why.as_ref().map(ToString::to_string));
    format!("{}\t{codes}\t{reasons}\t{situation}\n", explanation.outcome(recipients))
}

/// The file that decided, and the line if it has lines.
pub(super) fn evidence(why: &Why) -> Option<(&str, Option<u32>)> {
    match why {
        Why::Denied { .. } => None,
        Why::Policy(reason) => match reason {
            Reason::OwnDomain(evidence)
            | Reason::Certified(evidence, _)
            | Reason::Granted(evidence)
            | Reason::Listed(evidence)
            | Reason::Blackholed(evidence, _) => Some(place(evidence)),
            Reason::LookupFailed(failed) => evidence_of_failure(failed),
            Reason::RelayLevel => Some(("relaylevel", Some(1))),
            Reason::Fine
            | Reason::NoDomain
            | Reason::RelayClientVariable
            | Reason::Authenticated
            | Reason::Setting(_)
            | Reason::Probe
            | Reason::Unfit(_, _)
            | Reason::NoRelay => None,
        },
    }
}

fn place(evidence: &Evidence) -> (&str, Option<u32>) {
    (&evidence.file, evidence.line)
}

fn evidence_of_answer(answer: &Result<Answer, LookupFailed>) -> Option<(&str, Option<u32>)> {
    match answer {
        Ok(Answer::Yes(evidence) | Answer::Excepted(evidence)) => Some(place(evidence)),
        Ok(Answer::Applied(applied)) => Some(place(&applied.evidence)),
        Ok(Answer::Absent | Answer::No | Answer::NeedsDns | Answer::Unfit(_)) => None,
        Err(failed) => evidence_of_failure(failed),
    }
}

fn evidence_of_failure(failed: &LookupFailed) -> Option<(&str, Option<u32>)> {
    match failed {
        LookupFailed::Unreadable { file, .. } | LookupFailed::Compiled { file, .. } => Some((file, None)),
        LookupFailed::BadEntry { file, line, .. } | LookupFailed::Exception { file, line, .. } => {
            Some((file, Some(*line)))
        }
        LookupFailed::Dns { file, line, .. } => Some((file, *line)),
        LookupFailed::BadSetting { file, .. } => Some((file, Some(1))),
        LookupFailed::RelayTable(_) => Some((relay_table::place::FILE, None)),
        LookupFailed::Recipients(_) => Some(("recipients", None)),
        LookupFailed::NoRcptHosts
        | LookupFailed::OwnAddresses(_)
        | LookupFailed::Accounts(_)
        | LookupFailed::Passwd(_) => None,
    }
}

/// Path, line number and text of the line that decided.
fn quoted(why: &Why, directory: &Path) -> String {
    if let Why::Denied { path, .. } = why {
        return format!("  ({})", path.display());
    }
    let Some((file, line)) = evidence(why) else { return String::new() };
    let path = directory.join(file);
    let Some(line) = line else { return format!("  ({})", path.display()) };
    let text = std::fs::read(&path).unwrap_or_default();
    let entry = line_of(&text, line).unwrap_or_default();
    format!("  ({}:{line}: {})", path.display(), String::from_utf8_lossy(&printable(entry)))
}

/// The line of that number, from 1.
pub(super) fn line_of(text: &[u8], line: u32) -> Option<&[u8]> {
    let index = usize::try_from(line.checked_sub(1)?).ok()?;
    text.split(|&byte| byte == b'\n').nth(index)
}
