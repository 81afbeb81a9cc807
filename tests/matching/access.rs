//! Replays what was observed of hostaccess and accesslist.

use std::fs;
use std::path::Path;

use serde_json::Value;

use postern::control::Setup;
use postern::lookup::Lookups;
use postern::policy::rules::RuleFile;
use postern::policy::verdict::{Answer, LookupFailed, Question};

use super::{Replay, plain};

/// A control directory with one list, and these variables.
fn setup(dir: &Path, list: &str, text: Option<&str>, variables: &[(&str, &str)]) -> Setup {
    fs::write(dir.join("me"), "mx.test\n").unwrap();
    if let Some(text) = text {
        fs::write(dir.join(list), text).unwrap();
    }
    let variables = variables.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    Setup::load(variables.collect(), dir, None).unwrap()
}

/// `refusal` if the list refuses.
fn verdict<'v>(answer: &Result<Answer, LookupFailed>, [pass, refusal]: [&'v str; 2]) -> &'v str {
    match answer {
        Ok(Answer::Yes(_)) => refusal,
        Ok(Answer::No | Answer::Absent) => pass,
        Ok(answer) => panic!("{answer:?}"),
        Err(_) => "undecided",
    }
}

pub(super) fn host_access(replay: &mut Replay, number: usize, entry: &Value) {
    let dir = tempfile::tempdir().unwrap();
    let variables = entry["env"].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), plain(value)));
    let variables: Vec<_> = variables.chain([("TCPREMOTEIP", plain(&entry["ip"]))]).collect();
    let setup = setup(dir.path(), "hostaccess", entry["file"].as_str(), &variables);
    let domain = plain(&entry["sender_from_last_at"]);
    let sender = if domain.is_empty() { String::new() } else { format!("joe{domain}") };
    let answer = Lookups::without_dns(&setup).answer(Question::HostAccess(sender.as_bytes()));
    let case = entry.get("case").map_or_else(|| format!("{number}"), |case| plain(case).to_owned());
    replay.compare(&case, plain(&entry["result"]), verdict(&answer, ["accept", "reject"]));
}

pub(super) fn access_list(replay: &mut Replay, number: usize, entry: &Value) {
    let dir = tempfile::tempdir().unwrap();
    let setup = setup(dir.path(), "accesslist", entry["file"].as_str(), &[]);
    let mut lookups = Lookups::without_dns(&setup);
    let pairs = entry["checks_in_one_process"].as_array().unwrap();
    for (at, (pair, result)) in pairs.iter().zip(entry["results"].as_array().unwrap()).enumerate() {
        let (sender, recipient) = (plain(&pair[0]).as_bytes(), plain(&pair[1]).as_bytes());
        let answer = lookups.answer(Question::AccessList { sender, recipient });
        replay.compare(&format!("{number}: {at}"), plain(result), verdict(&answer, ["allow", "deny"]));
    }
}

/// The environment that both kinds of rules were observed with.
const BEFORE: [(&str, &str); 3] = [("A", "orig"), ("B", "orig"), ("S4", "orig")];

/// The number of the rule and the environment behind it, as observed and as ours.
fn rules(replay: &mut Replay, entry: &Value, file: (&str, &Value), rules: RuleFile, subject: &str, number: usize) {
    let dir = tempfile::tempdir().unwrap();
    let qregex = entry.get("QREGEX").and_then(Value::as_str).map(|value| ("QREGEX", value));
    let variables: Vec<_> = BEFORE.into_iter().chain(qregex).collect();
    let setup = setup(dir.path(), file.0, file.1.as_str(), &variables);
    let answer = Lookups::without_dns(&setup).answer(Question::Rules(rules, subject.as_bytes()));
    let (rule, setup) = match answer {
        Ok(Answer::Applied(applied)) => (applied.number, applied.setup),
        Ok(Answer::No) => (0, setup),
        answer => {
            replay.compare(
                &format!("{number}: {subject}"),
                &observed(entry),
                &format!("{:?}", answer.map(drop).map_err(drop)),
            );
            return;
        }
    };
    let pairs = setup.environment.iter().filter(|(name, _)| *name != b"QREGEX");
    let mut pairs: Vec<String> =
        pairs.map(|(name, value)| String::from_utf8([name, b"=", value].concat()).unwrap()).collect();
    pairs.sort();
    replay.compare(&format!("{number}: {subject}"), &observed(entry), &format!("{rule} {}", pairs.join(" ")));
}

fn observed(entry: &Value) -> String {
    let after: Vec<_> = entry["environment_after"].as_array().unwrap().iter().map(plain).collect();
    format!("{} {}", entry["matched_rule"], after.join(" "))
}

pub(super) fn env_rules(replay: &mut Replay, number: usize, entry: &Value) {
    let file = ("from.envrules", &replay.observed["envrules_file"].clone());
    rules(replay, entry, file, RuleFile::BySender, plain(&entry["address"]), number);
}

pub(super) fn domain_queue(replay: &mut Replay, number: usize, entry: &Value) {
    let file = ("domainqueue", &replay.observed["domainqueue_file"].clone());
    // A session asks by the domain, and does not ask for what looks like a relay probe.
    let domain = plain(&entry["address"]).split_once('@').map_or("", |(_, domain)| domain);
    rules(replay, entry, file, RuleFile::ByRecipient, domain, number);
}
