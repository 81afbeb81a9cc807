//! The order of checks that smtpd(8) tells, and what transcripts show of it.

use regex_lite::Regex;

use crate::transcript::{Step, Transcript};

/// A numbered step of the page.
#[derive(Debug)]
pub struct Check {
    /// The command and the step, as in `MAIL hostaccess`.
    pub name: String,
    /// The codes of its replies.
    codes: Vec<String>,
    /// What its log lines give as reason, without the number of a line.
    reasons: Vec<String>,
}

/// The steps under ORDER OF CHECKS; what is misnumbered panics.
pub fn told(page: &str) -> Vec<Check> {
    let (_, section) = page.split_once("\n.SH ORDER OF CHECKS\n").expect("no ORDER OF CHECKS");
    let (section, _) = section.split_once("\n.SH ").expect("a section behind it");
    let mut checks = Vec::new();
    for part in section.split("\n.SS ").skip(1) {
        let mut steps = part.split("\n.IP ");
        let command = steps.next().unwrap().lines().next().unwrap();
        for (number, step) in (1..).zip(steps) {
            let mut lines = step.lines();
            assert_eq!(lines.next(), Some(format!("{number}. 4").as_str()), "the numbers of {command}");
            let name = format!("{command} {}", plain(lines.next().unwrap()));
            let text: Vec<String> = lines.map(plain).collect();
            checks.push(Check::of(name, &text.join(" ")));
        }
    }
    checks
}

/// The items of the list under WHO MAY RELAY.
pub fn grants(page: &str) -> Vec<String> {
    let (_, section) = page.split_once("\n.SH WHO MAY RELAY\n").expect("no WHO MAY RELAY");
    let (section, _) = section.split_once("\n.SH ").expect("a section behind it");
    let items = section.split("\n.T").skip(1);
    items.filter(|item| item.starts_with(['P', 'Q'])).map(|item| plain(item.lines().nth(1).unwrap())).collect()
}

/// A line of the page without its macro and fonts.
fn plain(line: &str) -> String {
    let line = line.replace("\\fR", "").replace("\\-", "-");
    match line.strip_prefix('.').and_then(|line| line.split_once(' ')) {
        Some(("B" | "I", text)) => text.to_owned(),
        Some((_, words)) => words.replace(' ', ""),
        None => line,
    }
}

impl Check {
    fn of(name: String, text: &str) -> Self {
        let found = |pattern: &str| -> Vec<String> {
            Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
        };
        let reasons = found(r"\(([^)]+)\)").iter().flat_map(|all| all.split(", ")).map(without_line).collect();
        Self { name, codes: found(r"\b([2-5]\d\d)\b"), reasons }
    }

    /// What the page tells of this step and none of these transcripts, which show it, has in it.
    pub fn unshown(&self, shown: &[&Transcript]) -> Vec<String> {
        let steps = || shown.iter().flat_map(|transcript| &transcript.steps).map(|(_, step)| step);
        let is_said =
            |code: &String| steps().any(|s| matches!(s, Step::Reply(text) if text.starts_with(code.as_str())));
        let is_logged = |reason: &String| {
            let given = |line: &str| line.split_once("reason=").map(|(_, given)| without_line(given));
            steps().any(|step| matches!(step, Step::Log(line) if given(line).as_ref() == Some(reason)))
        };
        let codes = self.codes.iter().filter(|code| !is_said(code));
        let reasons = self.reasons.iter().filter(|reason| !is_logged(reason));
        let is_shown = (!shown.is_empty()).then_some(()).ok_or_else(|| "at all".to_owned());
        let unshown = codes.chain(reasons).cloned().chain(is_shown.err());
        unshown.map(|what| format!("{}: not shown: {what}", self.name)).collect()
    }
}

/// `badmailfrom` for `badmailfrom:1`.
fn without_line(reason: &str) -> String {
    let (name, line) = reason.rsplit_once(':').unwrap_or((reason, ""));
    if line.starts_with(|c: char| c.is_ascii_digit()) { name.to_owned() } else { reason.to_owned() }
}
