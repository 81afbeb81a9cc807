//! Replays what was observed of hostaccess and accesslist.

use std::fs;
use std::path::Path;

use serde_json::Value;

use postern::control::Setup;
use postern::lookup::Lookups;
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
