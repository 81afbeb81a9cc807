//! What `postern explain` says is what smtpd does: random situations in random control directories through both.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "support/dns.rs"]
mod dns;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use dns::DnsServer;
use serde_json::{Value, json};
use support::program;

/// Control directories, clients in each, transactions of each client, recipients of each transaction.
const DIRECTORIES: usize = 80;
const CLIENTS: usize = 8;
const TRANSACTIONS: usize = 3;
const RECIPIENTS: usize = 4;

const ZONE: &str = "gw.ex. A 192.0.2.9\nmail.partner.ex. A 198.51.100.7\nmail.partner.ex. AAAA 2001:db8::5\n\
    mxdom.ex. MX 10 mx.mxdom.ex.\nmx.mxdom.ex. A 203.0.113.5\nnull.ex. MX 0 .\n";

/// Lines of each list; a directory has some of them, in any order.
const LISTS: &[(&str, &[&str])] = &[
    (
        "relayclients",
        &[
            "192.0.2.",
            "192.0.2.9",
            "!192.0.2.9",
            "192.0.2.0/28",
            "!192.0.2.0/24",
            "198.51.100.4-9",
            "198.51-52.100.*",
            "203.0.113.0-127",
            "2001:db8::/32",
            "!2001:db8::5",
            "[2001:db8::]/64:@v6.ex",
            "$(203.0.113.77/25)",
            "${2001:db8::9/48}",
            "=gw.ex",
            "=.partner.ex",
            "!=.partner.ex",
            "@gw.ex",
            "!@gw.ex",
            "@mxdom.ex",
            "=me",
            "!=me",
            "@broken.test",
            "!192.168.300.*",
            "192.0.2",
            "10.0.0.1/8",
            "192.0.2.9:@route.ex",
            "# a comment",
            "",
            "127.0.0.1",
        ],
    ),
    (
        "relaymailfrom",
        &[
            "joe@d1.ex",
            "@d2.ex",
            "joe@d1.ex&192.0.2.0/24",
            "@d3.ex&=.partner.ex",
            "@d3.ex&@gw.ex",
            "=localhosts",
            "=localhosts&198.51.100.",
            "=localusers",
            "@d2.ex&192.0.2.0/33",
            "a&b@dom.ex",
            "!@d2.ex&10.",
            "!joe@d1.ex",
            "*@*.d4.ex",
        ],
    ),
    ("relaymx", &["203.0.113.0/24", "=me", "!203.0.113.5", "192.0.2.0/33", "@gw.ex", "=mx.mxdom.ex", "=.mxdom.ex"]),
    ("relaydomains", &[".partner.ex", "gw.ex:@named.ex", "unknown", "evil.ex.:"]),
    ("rcpthosts", &["local.ex", ".sub.ex", "# ours", "mixed.EX"]),
    ("morercpthosts", &["more.ex", ".more.ex"]),
    ("relaylevel", &["normal", "none", "open", "closed"]),
    ("relaytext", &["use the other server"]),
];
const VARIABLES: &[(&str, &str)] = &[
    ("AUTH_ALL", ""),
    ("CUGMAIL", ""),
    ("RELAYTEXT", "said by a variable"),
    ("RELAYCLASS", "some"),
    ("REQPTR", ""),
    ("MAXRECIPIENTS", "2"),
    ("RELAYCLIENTS", "relaymx"),
    ("QREGEX", "1"),
    ("BOUNCEMAIL", "no"),
    ("SHUTDOWN", ""),
    ("FORCE_TLS", ""),
];
const IPS: &[&str] = &[
    "192.0.2.9",
    "192.0.2.77",
    "198.51.100.7",
    "203.0.113.20",
    "203.0.113.200",
    "2001:db8::5",
    "2001:db8:0:1::9",
    "::ffff:192.0.2.9",
    "127.0.0.1",
    "10.1.2.3",
];
const NAMES: &[&str] = &["", "gw.ex", "mail.partner.ex", "partner.ex", "evil.ex", "unknown"];
const SENDERS: &[&str] =
    &["", "joe@d1.ex", "x@D2.ex", "u@d3.ex", "root@local.ex", "u@local.ex", "a&b@dom.ex", "z@q.d4.ex", "far.ex"];
const RECIPIENTS_OF: &[&str] = &[
    "u@local.ex",
    "u@far.ex",
    "u@Far.ex",
    "u",
    "u%far.ex@local.ex",
    "u@a.SUB.ex",
    "v@mxdom.ex",
    "w@[203.0.113.5]",
    "w@[127.0.0.1]",
    "x@broken.test",
    "x@null.ex",
    "y@deep.more.ex",
    "\"a b\"@far.ex",
    "",
];

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // Xorshift, as Marsaglia gives it.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % limit
    }

    fn one_in(&mut self, limit: usize) -> bool {
        self.below(limit) == 0
    }

    fn of<'t>(&mut self, table: &[&'t str]) -> &'t str {
        table[self.below(table.len())]
    }
}

/// Writes a control directory; a list may be absent, unreadable or compiled.
fn write_control(directory: &Path, random: &mut Random) {
    fs::write(directory.join("me"), "mx.ex\n").unwrap();
    fs::write(directory.join("locals"), "local.ex\n").unwrap();
    for (name, lines) in LISTS {
        let rare = ["relaylevel", "relaytext", "relaydomains"].contains(name);
        let is_absent = if *name == "rcpthosts" { random.one_in(8) } else { random.one_in(if rare { 2 } else { 4 }) };
        if is_absent {
            continue;
        }
        if random.one_in(25) && !["relaylevel", "relaytext", "morercpthosts"].contains(name) {
            fs::create_dir(directory.join(name)).unwrap(); // Cannot be read as a list.
            continue;
        }
        let count = 1 + random.below(lines.len().min(6));
        let text: String = (0..count).map(|_| format!("{}\n", random.of(lines))).collect();
        fs::write(directory.join(name), text).unwrap();
        let compiles = *name == "morercpthosts" || (["relayclients", "relaymx"].contains(name) && random.one_in(3));
        if compiles {
            let mut compile = Command::new(program("qmail-cdb"));
            compile.arg(name).env("CONTROLDIR", directory).stderr(Stdio::null());
            assert!(compile.status().unwrap().success(), "{name}");
        }
    }
}

struct Client {
    ip: &'static str,
    name: &'static str,
    /// Sender and recipients of each.
    transactions: Vec<(&'static str, Vec<&'static str>)>,
}

fn client(random: &mut Random) -> Client {
    let transaction = |random: &mut Random| {
        let sender = random.of(SENDERS);
        (sender, (0..1 + random.below(RECIPIENTS)).map(|_| random.of(RECIPIENTS_OF)).collect())
    };
    let (ip, name) = (random.of(IPS), random.of(NAMES));
    Client { ip, name, transactions: (0..TRANSACTIONS).map(|_| transaction(random)).collect() }
}

/// What was heard for a command: the last line of the reply.
type Replies = Vec<String>;

/// Lets smtpd serve the client; gives the replies to EHLO and what follows, and the reasons in the log.
fn served(directory: &Path, client: &Client, variables: &[(&str, String)]) -> (Replies, Vec<String>) {
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
    let reason = |line: &str| line.rsplit_once(" reason=").map(|(_, reason)| reason.to_string());
    (replies, log.lines().filter_map(reason).collect())
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

/// The same by `postern explain --batch`: the steps of each transaction of each client.
fn explained(directory: &Path, clients: &[Client], variables: &[(&str, String)], json: bool) -> Vec<Value> {
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
        if random.one_in(6) {
            variables.push(("RELAYCLIENT", random.of(&["", "@smart.ex"]).to_string()));
        }
        let clients: Vec<Client> = (0..CLIENTS).map(|_| client(&mut random)).collect();
        let mut said = explained(&control, &clients, &variables, number % 2 == 0).into_iter();
        for client in &clients {
            situations += compare(&control, client, &variables, &mut said, &mut tally);
        }
        assert_eq!(said.next(), None);
    }
    println!("{situations} replies and reasons compared: {tally:#?}");
    let expected = ["relayclients", "relaymailfrom", "relaymx", "relaydomains", "rcpthosts", "morercpthosts.cdb"];
    let more =
        ["norelay", "nodomain", "probe", "relaylevel", "RELAYCLIENT", "norcpthosts", "temp", "maxrecipients", "bounce"];
    for reason in expected.iter().chain(&more) {
        assert!(tally.get(*reason).is_some_and(|count| *count >= 5), "too seldom: {reason} of {tally:#?}");
    }
    assert!(situations > 4000, "{situations}");
}

/// Compares a session of smtpd with what explain says of its transactions, as far as the session went; gives how many replies.
fn compare(
    control: &Path,
    client: &Client,
    variables: &[(&str, String)],
    said: &mut impl Iterator<Item = Value>,
    tally: &mut BTreeMap<String, u32>,
) -> usize {
    let (replies, reasons) = served(control, client, variables);
    let (mut expected, mut expected_reasons) = (Vec::new(), Vec::new());
    let mut ended = false;
    for (number, (_, recipients)) in client.transactions.iter().enumerate() {
        let explained = said.next().unwrap();
        let steps = explained["steps"].as_array().unwrap();
        // Each explanation begins with a greeting and EHLO, of which the session has one.
        for step in steps.iter().skip(if number == 0 { 1 } else { 2 }).filter(|_| !ended) {
            let reply = step["reply"].as_str().unwrap();
            expected.push(format!("{} {}", step["code"], reply.rsplit(" / ").next().unwrap()));
            if let Some(reason) = step["reason"].as_str() {
                expected_reasons.push(reason.to_string());
            }
        }
        ended = ended || steps.len() < recipients.len() + 3;
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
