//! What `postern explain` says is what smtpd does: random situations in random control directories through both.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "support/dns.rs"]
mod dns;
#[path = "agreement/messages.rs"]
mod messages;
mod support;
#[path = "agreement/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dns::DnsServer;
use serde_json::{Value, json};
use support::program;
use world::{CHECKS, Client, LISTS, Random, VARIABLES, client, rules, write_control};

/// Control directories, and clients in each.
const DIRECTORIES: usize = 120;
const CLIENTS: usize = 8;
/// Situations of which the proposed change is made.
const SITUATIONS_CHANGED: usize = 450;

const ZONE: &str = "gw.ex. A 192.0.2.9\nmail.partner.ex. A 198.51.100.7\nmail.partner.ex. AAAA 2001:db8::5\n\
    mxdom.ex. MX 10 mx.mxdom.ex.\nmx.mxdom.ex. A 203.0.113.5\nnull.ex. MX 0 .\n";

/// What was heard for a command: the last line of the reply.
type Replies = Vec<String>;

/// Lets smtpd serve the client; gives the replies to EHLO and what follows, and the reasons in the log.
fn served(directory: &Path, client: &Client, variables: &[(String, String)]) -> (Replies, Vec<String>) {
    let mut smtpd = Command::new(program("smtpd"));
    smtpd.env_clear().env("CONTROLDIR", directory).env("TCPREMOTEIP", client.ip).env("PENALTY", "0");
    if !client.name.is_empty() {
        smtpd.env("TCPREMOTEHOST", client.name);
    }
    smtpd.envs(variables.iter().map(|(name, value)| (name, value)));
    let mut commands = "EHLO h.ex\r\n".to_string();
    for (sender, recipients) in &client.transactions {
        commands += &format!("MAIL FROM:<{sender}>\r\n");
        commands.extend(recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>\r\n")));
    }
    let output = run(&mut smtpd, &commands);
    let text = String::from_utf8(output.stdout).unwrap();
    let replies = text.lines().filter(|line| line.as_bytes()[3] == b' ').skip(1).map(str::to_owned).collect();
    let log = String::from_utf8(output.stderr).unwrap();
    // A rule that applies has a line of its own before the decision.
    let reason = |line: &str| line.rsplit_once(" reason=").map(|(_, reason)| reason.to_string());
    (replies, log.lines().filter(|line| !line.contains(" Setting ")).filter_map(reason).collect())
}

fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_string();
    // The answers may fill their pipe before the questions are all written; a program may close early.
    let writer = std::thread::spawn(move || drop(pipe.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// The variables that smtpd gets when these rules are asked for the client; none where they deny.
fn by_rules(rules: Option<&Path>, client: &Client, more: &[(&str, String)]) -> Option<Vec<(String, String)>> {
    let mut variables = Vec::new();
    if let Some(rules) = rules {
        let mut check = Command::new(program("tcprulescheck"));
        check.env_clear().arg(rules).env("TCPREMOTEIP", client.ip);
        if !client.name.is_empty() {
            check.env("TCPREMOTEHOST", client.name);
        }
        let said = String::from_utf8(check.output().unwrap().stdout).unwrap();
        if said.contains("deny connection") {
            return None;
        }
        let set = said.lines().filter_map(|line| line.strip_prefix("set environment variable ")?.split_once('='));
        variables.extend(set.map(|(name, value)| (name.to_string(), value.to_string())));
    }
    variables.extend(more.iter().map(|(name, value)| (name.to_string(), value.clone())));
    Some(variables)
}

/// The same by `postern explain --batch`: the steps of each transaction of each client.
fn explained(
    directory: &Path,
    clients: &[Client],
    variables: &[(&str, String)],
    rules: Option<&Path>,
    json: bool,
) -> Vec<Value> {
    let mut lines = String::new();
    for client in clients {
        for (sender, recipients) in &client.transactions {
            let (ip, name) = (client.ip, client.name);
            let mut situation = json!({"ip": ip, "helo": "h.ex", "from": sender, "rcpt": recipients});
            if !name.is_empty() {
                situation["name"] = json!(name);
            }
            if json {
                lines += &format!("{situation}\n");
            } else {
                let recipients: String =
                    recipients.iter().map(|recipient| format!(" rcpt={}", field(recipient))).collect();
                lines += &format!("ip={ip} name={name} helo=h.ex from={}{recipients}\n", field(sender));
            }
        }
    }
    let mut postern = Command::new(program("postern"));
    postern.env_clear().args(["explain", "--batch", "--json", "--dns", "--control"]).arg(directory);
    for (name, value) in variables {
        postern.arg("--env").arg(format!("{name}={value}"));
    }
    postern.args(rules.map(|rules| format!("--rules={}", rules.display())));
    let output = run(&mut postern, &lines);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A value as a batch quotes it.
fn field(value: &str) -> String {
    if value.contains([' ', '"']) { format!("\"{}\"", value.replace('"', "\\\"")) } else { value.to_string() }
}

#[test]
fn explain_says_what_smtpd_does_in_thousands_of_situations() {
    let server = DnsServer::start(ZONE);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    let mut situations = 0;
    for number in 0..DIRECTORIES {
        let directory = tempfile::tempdir().unwrap();
        let control = directory.path().join("control");
        fs::create_dir(&control).unwrap();
        write_control(&control, &mut random);
        let mut variables = vec![("DNSCACHEIP", server.address())];
        if random.one_in(2) {
            let (name, value) = VARIABLES[random.below(VARIABLES.len())];
            variables.push((name, value.to_string()));
        }
        if random.one_in(3) {
            variables.push((random.of(CHECKS), String::new()));
        }
        if random.one_in(6) {
            variables.push(("RELAYCLIENT", random.of(&["", "@smart.ex"]).to_string()));
        }
        let clients: Vec<Client> = (0..CLIENTS).map(|_| client(&mut random)).collect();
        let rules = random.one_in(3).then(|| rules(directory.path(), &mut random));
        let mut said = explained(&control, &clients, &variables, rules.as_deref(), number % 2 == 0).into_iter();
        for client in &clients {
            match by_rules(rules.as_deref(), client, &variables) {
                Some(variables) => situations += compare(&control, client, &variables, &mut said, &mut tally),
                None => {
                    for said in said.by_ref().take(client.transactions.len()) {
                        assert_eq!((&said["steps"][0]["code"], &said["verdict"]), (&Value::Null, &json!("reject")));
                    }
                    *tally.entry("deny".to_string()).or_default() += 1;
                }
            }
        }
        assert_eq!(said.next(), None);
    }
    println!("{situations} replies and reasons compared: {tally:#?}");
    let expected = ["relayclients", "relaymailfrom", "relaymx", "relaydomains", "rcpthosts", "morercpthosts.cdb"];
    let more = [
        "norelay",
        "nodomain",
        "probe",
        "relaylevel",
        "RELAYCLIENT",
        "norcpthosts",
        "temp",
        "maxrecipients",
        "bounce",
        "deny",
        "badip",
        "badhost",
        "badhelo",
    ];
    for reason in expected.iter().chain(&more) {
        assert!(tally.get(*reason).is_some_and(|count| *count >= 5), "too seldom: {reason} of {tally:#?}");
    }
    assert!(situations > 4000, "{situations}");
}

/// Compares a session of smtpd with what explain says of its transactions, as far as the session went; gives how many replies.
fn compare(
    control: &Path,
    client: &Client,
    variables: &[(String, String)],
    said: &mut impl Iterator<Item = Value>,
    tally: &mut BTreeMap<String, u32>,
) -> usize {
    let (replies, reasons) = served(control, client, variables);
    let (mut expected, mut expected_reasons) = (Vec::new(), Vec::new());
    let mut ended = false;
    for number in 0..client.transactions.len() {
        let explained = said.next().unwrap();
        let steps = explained["steps"].as_array().unwrap();
        // A greeting is said once; its reason is logged at once only where it ends the session.
        if number == 0 && steps[0]["closes"].as_bool().unwrap() {
            expected_reasons.push(steps[0]["reason"].as_str().unwrap().to_string());
            ended = true;
        }
        // Each explanation begins with a greeting and EHLO, of which the session has one.
        for step in steps.iter().skip(if number == 0 { 1 } else { 2 }) {
            if ended {
                break;
            }
            let reply = step["reply"].as_str().unwrap();
            expected.push(format!("{} {}", step["code"], reply.rsplit(" / ").next().unwrap()));
            if let Some(reason) = step["reason"].as_str() {
                expected_reasons.push(reason.to_string());
            }
            ended = step["closes"].as_bool().unwrap();
        }
    }
    let shown = || {
        let lists =
            LISTS.iter().map(|(name, _)| (*name, fs::read_to_string(control.join(name)).ok())).collect::<Vec<_>>();
        format!("{} {} {:?} {variables:?} {lists:#?}", client.ip, client.name, client.transactions)
    };
    let trimmed: Vec<&str> = replies.iter().map(|reply| reply.trim_end()).collect();
    assert_eq!(expected, trimmed, "{}", shown());
    assert_eq!(expected_reasons, reasons, "{}", shown());
    for reason in reasons {
        *tally.entry(reason.split(':').next().unwrap().to_string()).or_default() += 1;
    }
    expected.len()
}

/// A copy of a control directory beside it, with an edit that `postern explain` has proposed.
fn edited(control: &Path, change: &Value) -> PathBuf {
    let copy = control.with_file_name("changed");
    let _ = fs::remove_dir_all(&copy);
    assert!(Command::new("cp").arg("-a").arg(control).arg(&copy).status().unwrap().success());
    let Some(file) = change["file"].as_str().map(|file| copy.join(file)) else { return copy };
    let text = fs::read_to_string(&file).unwrap_or_default();
    let mut lines: Vec<&str> = text.lines().collect();
    let at = change["line"].as_u64().map(|line| line as usize - 1);
    let line = change["text"].as_str();
    match change["action"].as_str().unwrap() {
        "add" => lines.push(line.unwrap()),
        "replace" => lines[at.unwrap()] = line.unwrap(),
        "remove" => drop(lines.remove(at.unwrap())),
        "set" => lines = vec![line.unwrap()],
        "delete" => {
            fs::remove_file(file).unwrap();
            return copy;
        }
        action => panic!("{action}"),
    }
    fs::write(file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    copy
}

/// Explains one recipient; the change is in the step that decided.
fn explained_alone(control: &Path, client: &Client, variables: &[(&str, String)], more: &[&str]) -> (Value, Value) {
    let (sender, recipients) = &client.transactions[0];
    let mut postern = Command::new(program("postern"));
    postern.env_clear().args(["explain", "--json", "--ip", client.ip, "--name", client.name, "--from", sender]);
    postern.args(["--rcpt", recipients[0], "--control"]).arg(control).args(more);
    postern.args(variables.iter().map(|(name, value)| format!("--env={name}={value}")));
    let output = postern.output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let change =
        said["steps"].as_array().unwrap().iter().map(|step| step["change"].clone()).find(|change| !change.is_null());
    (said, change.unwrap_or_default())
}

#[test]
fn the_change_that_is_proposed_turns_the_verdict_around() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..SITUATIONS_CHANGED {
        let directory = tempfile::tempdir().unwrap();
        let control = directory.path().join("control");
        fs::create_dir(&control).unwrap();
        write_control(&control, &mut random);
        let mut variables: Vec<(&str, String)> = Vec::new();
        if random.one_in(3) {
            let (name, value) = VARIABLES[random.below(VARIABLES.len())];
            variables.push((name, value.to_string()));
        }
        if random.one_in(6) {
            variables.push((random.of(CHECKS), String::new()));
        }
        let client = client(&mut random);
        let (said, change) = explained_alone(&control, &client, &variables, &[]);
        let by = &change["by"];
        let Some(action) = by["action"].as_str() else {
            *tally.entry("none".to_string()).or_default() += 1;
            continue;
        };
        let more: &[&str] = match action {
            "auth" => &["--auth", "joe"],
            "tls" => &["--tls"],
            _ => &[],
        };
        variables.retain(|(name, _)| by["variable"].as_str() != Some(name));
        let (after, _) = explained_alone(&edited(&control, by), &client, &variables, more);
        assert_eq!(after["verdict"], change["to"], "{change} of {said:#}");
        assert_ne!(said["verdict"], after["verdict"]);
        *tally.entry(format!("{action} {}: {}", by["file"].as_str().unwrap_or(""), change["to"])).or_default() += 1;
    }
    println!("{tally:#?}");
    for what in ["add relayclients: \"accept\"", "add relayclients: \"reject\"", "add rcpthosts: \"accept\"", "none"] {
        assert!(tally.contains_key(what), "never: {what} of {tally:#?}");
    }
}
