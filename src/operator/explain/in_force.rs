//! The settings that count for a message: what they say, and which rule, variable or file has given each.

use std::ffi::CString;

use crate::control::Setup;
use crate::operator::explain::steps::{Consulted, Outcome, Step};
use crate::policy::listing::{Listing, Names};
use crate::policy::rules::{Applied, RuleFile};
use crate::policy::verdict::{Answer, Evidence};
use crate::queue::program::StartError;
use crate::screen::rules::List;
use crate::session::Delivery;
use crate::smtp::printable::printable;

/// The settings of a transaction from DATA on.
pub(super) struct InForce<'a> {
    /// The settings.
    pub setup: &'a Setup,
    /// The rules that have made them, in the order in which they were applied.
    rules: Vec<Applied>,
    /// The line of spamignore that is about the sender.
    spam_ignored: Option<Evidence>,
    /// auth.envrules has rules, but not for who may not relay.
    has_rules_of_others: bool,
}

impl<'a> InForce<'a> {
    /// What the steps so far, and then DATA, have made of the settings of the connection.
    pub fn new(delivery: &'a Delivery, base: &'a Setup, steps: &[Step], data: &Step) -> Self {
        let accepted = steps.iter().filter(|step| step.outcome == Outcome::Accept);
        let mut rules: Vec<Applied> = Vec::new();
        let (mut spam_ignored, mut has_rules_of_others) = (None, false);
        for consulted in accepted.chain([data]).flat_map(|step| &step.consulted) {
            match &consulted.answer {
                Some(Ok(Answer::Applied(applied))) if consulted.source == RuleFile::OfClients.names().file => {
                    match delivery.setup() == Some(&applied.setup) {
                        true => rules.push(applied.as_ref().clone()),
                        false => has_rules_of_others = true,
                    }
                }
                Some(Err(_)) if consulted.source == RuleFile::OfClients.names().file => has_rules_of_others = true,
                // All recipients of a message have the same settings (D74).
                Some(Ok(Answer::Applied(applied))) if !rules.contains(applied) => rules.push(applied.as_ref().clone()),
                Some(Ok(Answer::Yes(evidence))) if consulted.source == Listing::SpamIgnore.names().file => {
                    spam_ignored = Some(evidence.clone());
                }
                Some(_) | None => {}
            }
        }
        Self { setup: delivery.setup().unwrap_or(base), rules, spam_ignored, has_rules_of_others }
    }

    /// Why rules do not count that are there, if so.
    pub fn rules_of_others(&self) -> Option<Consulted> {
        let said = "the client may not relay, so this file does not count".to_string();
        self.has_rules_of_others.then_some(Consulted { source: "auth.envrules", said, answer: None })
    }

    /// A list of content.
    pub fn list(&self, source: &'static str, variable: &'static str, list: Option<&List>) -> Consulted {
        let said = match list {
            None => format!("{variable} does not ask for it"),
            Some(List { file, text: None }) => format!("{variable} asks for it: there is no file {file}"),
            Some(list) => {
                format!("{variable} asks for it: {} in {}", counted(list.entries().count(), "line"), list.file)
            }
        };
        // The variable of its own name may give it another one.
        self.say(source, said, &[variable, &source.to_ascii_uppercase()])
    }

    /// The queue program.
    pub fn queue(&self, startable: &Result<Option<Vec<CString>>, StartError>) -> Consulted {
        let variable = if self.setup.control.null_queue { "NULLQUEUE" } else { "QMAILQUEUE" };
        let said = match startable {
            Ok(Some(words)) => format!("{} can be started", command(words)),
            Ok(None) => "set, and there is no program for it: the message is thrown away".to_string(),
            Err(error) => error.to_string(),
        };
        self.say(variable, said, &[variable])
    }

    /// What the queue program may tell the log.
    pub fn log_filter(&self, is_used: bool) -> Consulted {
        let said = match self.setup.environment.get(b"LOGFILTER") {
            None => "not set".to_string(),
            Some(_) if !is_used => "without effect: it is no absolute path, or SPAMFILTER is not set".to_string(),
            Some(fifo) => format!("{} is told of each recipient", shown(fifo)),
        };
        self.say("LOGFILTER", said, &["LOGFILTER"])
    }

    /// Whether the queue program shall start the spam filter.
    pub fn spam_filter(&self) -> Consulted {
        let names = &["SPAMFILTER"];
        match (self.setup.environment.get(b"SPAMFILTER"), &self.spam_ignored) {
            (Some(_), _) => self.say("SPAMFILTER", "set: the queue program sees it".to_string(), names),
            (None, Some(evidence)) => {
                let said = format!("{evidence} has the sender: the queue program does not see it");
                Consulted { source: "SPAMFILTER", said, answer: Some(Ok(Answer::Yes(evidence.clone()))) }
            }
            (None, None) => self.say("SPAMFILTER", "not set".to_string(), names),
        }
    }

    /// A line feed alone, with what is said of it if a message has been looked at.
    pub fn bare_line_feed(&self, found: Option<String>) -> Consulted {
        let said = found.unwrap_or_else(|| {
            match self.setup.control.allow_bare_lf {
                true => "set: a line feed alone is taken",
                false => "not set: a line feed alone ends the session",
            }
            .to_string()
        });
        self.say("ALLOW_BARELF", said, &["ALLOW_BARELF"])
    }

    /// The same of a carriage return.
    pub fn bare_carriage_return(&self, found: Option<String>) -> Consulted {
        let said = found.unwrap_or_else(|| {
            match self.setup.control.forbid_bare_cr {
                true => "set: a carriage return alone ends the session",
                false => "not set: a carriage return alone is taken",
            }
            .to_string()
        });
        self.say("FORBID_BARE_CR", said, &["FORBID_BARE_CR"])
    }

    /// The limit of trace lines; of a message their number, and the line of content with the last of them.
    pub fn hops(&self, found: Option<(u32, usize)>) -> Consulted {
        let limit = self.setup.control.hops_max;
        let said = match found {
            None => format!("fewer than {limit} trace lines"),
            Some((0, _)) => format!("no trace lines; fewer than {limit} are taken"),
            Some((count, line)) => {
                let count = counted(count as usize, "trace line");
                format!("{count}, the last in line {line}; fewer than {limit} are taken")
            }
        };
        self.say_value(said, Names { file: "maxhops", variable: "" })
    }

    /// The limit of size, and the size of a message.
    pub fn databytes(&self, octets: Option<u64>) -> Consulted {
        let limit = match self.setup.control.databytes {
            0 => "no limit".to_string(),
            limit => format!("at most {limit} octets"),
        };
        let said = match octets {
            None => limit,
            Some(octets) => format!("{octets} octets; {limit}"),
        };
        self.say_value(said, Names { file: "databytes", variable: "DATABYTES" })
    }

    /// Who is told of a message that is too big; of such a message those who are.
    pub fn notice(&self, told: Option<&[Vec<u8>]>) -> Consulted {
        let is_set = self.setup.environment.get(b"DATABYTES_NOTIFY").is_some();
        let said = match told {
            _ if !is_set => "not set".to_string(),
            None => "set: our own recipients are told of a message that is over databytes".to_string(),
            Some([]) => "set, but there is nobody to tell".to_string(),
            Some(told) => {
                let told: Vec<String> = told.iter().map(|address| shown(address)).collect();
                format!("tells {}", told.join(", "))
            }
        };
        self.say("DATABYTES_NOTIFY", said, &["DATABYTES_NOTIFY"])
    }

    /// What a setting says, with the last rule that has changed one of these variables, if one has.
    fn say(&self, source: &'static str, said: String, variables: &[&str]) -> Consulted {
        let is_one = |name: &Vec<u8>| variables.iter().any(|variable| variable.as_bytes() == name);
        match self.rules.iter().rfind(|rule| rule.names.iter().any(is_one)) {
            Some(rule) => by(source, &said, &rule.evidence, Answer::Applied(Box::new(rule.clone()))),
            None => Consulted { source, said, answer: None },
        }
    }

    /// The same of a control file: what no rule has changed its variable says, else the file.
    fn say_value(&self, said: String, names: Names) -> Consulted {
        let Names { file, variable } = names;
        let consulted = self.say(file, said, &[variable]);
        if consulted.answer.is_some() {
            return consulted;
        }
        let said = consulted.said;
        if self.setup.environment.get(variable.as_bytes()).is_some() {
            return Consulted { source: file, said: format!("{said}, by the variable {variable}"), answer: None };
        }
        if !self.setup.control.directory.join(file).exists() {
            return Consulted { source: file, said, answer: None };
        }
        let evidence = Evidence { file: file.into(), line: Some(1), suffix: Vec::new() };
        by(file, &said, &evidence, Answer::Yes(evidence.clone()))
    }
}

/// What a setting says, and where that comes from.
fn by(source: &'static str, said: &str, evidence: &Evidence, answer: Answer) -> Consulted {
    Consulted { source, said: format!("{said}, by {evidence}"), answer: Some(Ok(answer)) }
}

/// A program with its arguments.
pub(super) fn command(words: &[CString]) -> String {
    words.iter().map(|word| shown(word.to_bytes())).collect::<Vec<_>>().join(" ")
}

/// So many of something.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn shown(octets: &[u8]) -> String {
    String::from_utf8_lossy(&printable(octets)).into_owned()
}
