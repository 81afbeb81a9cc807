//! Random control directories with every form of every list, and random clients.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::program;

/// Transactions of each client, and the most recipients of each.
const TRANSACTIONS: usize = 3;
const RECIPIENTS: usize = 4;

/// Lines of each list; a directory has some of them, in any order.
pub const LISTS: &[(&str, &[&str])] = &[
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
    ("relaydb", &["relay", "missing"]),
    ("relaylevel", &["normal", "none", "open", "closed"]),
    ("relaytext", &["use the other server"]),
    ("badmailfrom", &["joe@d1.ex", "@d2.ex", "*@*.d4.ex", "!z@q.d4.ex", "*", "["]),
    ("badmailpatterns", &["*@*.d4.ex", "!*@*", "u@*"]),
    ("blackholedsender", &["@local.ex", "z@*"]),
    ("authdomains", &["root@local.ex", "@d1.ex"]),
    ("badrcptto", &["u@local.ex", "*@far.ex", "@mxdom.ex", "!v@mxdom.ex", "*"]),
    ("badrcptpatterns", &["u@*", "!u@far.ex", "?"]),
    ("goodrcptto", &["u@local.ex", "@far.ex", "["]),
    ("hostaccess", &["d1.ex:192.0.2.", "*:10.1.2.3", "<>:*", "d2.ex:2001:db8::/32", "local.ex:1.2.3.4/8", "nonsense"]),
    ("accesslist", &["rcpt:joe@d1.ex:u@far.ex", "from:*@D2.ex:*@local.ex", "rcpt:[:u@local.ex", "from:*:u@*", "x"]),
    ("blackholedrcpt", &["u@local.ex", "*@*.ex"]),
    ("chksenderdomains", &["@local.ex", "root@local.ex", "[", "*"]),
    ("chkrcptdomains", &["@local.ex", "*@*.sub.ex", "u"]),
    (
        "recipients",
        &["!local.ex", "@local.ex|/bin/false", "local.ex|/bin/true", "*:missing.cdb", "sub.ex|./missing", "!*"],
    ),
    (
        "from.envrules",
        &[
            "*@d1.ex:MAXRECIPIENTS=1,BADRCPTTO=goodrcptto",
            "x@d2.ex:AUTH_ALL=1",
            "*@local.ex:CHECKRECIPIENT=3,MAX_RCPT_ERRCOUNT=1",
            "<>:CUGMAIL=1",
            "u@d3.ex:BOUNCEMAIL=by rule",
            "root@*:CHECKSENDER=1,QREGEX=1",
            "*:QREGEX=,AUTH_ALL=",
            "no rule",
        ],
    ),
    ("domainqueue", &["local.ex:DATABYTES=9", "far.ex:AUTH_ALL=1", "*.ex:MAXRECIPIENTS=1", "*:QREGEX=1", "[:X=1"]),
    ("badip", &["192.0.2.9", "203.0.113.*", "2001:*", "!192.0.2.9", "10.1.2.3", "["]),
    ("badhost", &["gw.ex", "*.partner.ex", "unknown", "!*.ex", "["]),
    ("badhelo", &["@h.ex", "@*.ex", "!@h.ex", "h.ex", "@gw.ex"]),
];
/// What asks for the last three of them.
pub const CHECKS: &[&str] = &["BADIPCHECK", "BADHOSTCHECK", "BADHELOCHECK"];
pub const VARIABLES: &[(&str, &str)] = &[
    ("AUTH_ALL", ""),
    ("CUGMAIL", ""),
    ("CHECKRELAY", ""),
    ("RELAYTEXT", "said by a variable"),
    ("RELAYCLASS", "some"),
    ("REQPTR", ""),
    ("MAXRECIPIENTS", "1"),
    ("RELAYCLIENTS", "relaymx"),
    ("QREGEX", "1"),
    ("BOUNCEMAIL", "no"),
    ("SHUTDOWN", ""),
    ("FORCE_TLS", ""),
    ("REQUIREAUTH", ""),
    ("CHECKSENDER", ""),
    ("CHECKRECIPIENT", "1"),
    ("CHECKRECIPIENT", "3"),
    ("MAX_RCPT_ERRCOUNT", "1"),
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
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        // Xorshift, as Marsaglia gives it.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % limit
    }

    pub fn one_in(&mut self, limit: usize) -> bool {
        self.below(limit) == 0
    }

    pub fn of<'t>(&mut self, table: &[&'t str]) -> &'t str {
        table[self.below(table.len())]
    }
}

/// Writes a control directory; a list may be absent, unreadable or compiled.
pub fn write_control(directory: &Path, random: &mut Random) {
    fs::write(directory.join("me"), "mx.ex\n").unwrap();
    fs::write(directory.join("locals"), "local.ex\n").unwrap();
    write_logins(&directory.join("relay"));
    for (name, lines) in LISTS {
        let rare = ["relaylevel", "relaytext", "relaydomains"].contains(name);
        let seldom = ["bad", "black", "auth", "host", "access", "chk", "recipients", "from", "domainqueue"];
        let refuses = seldom.iter().any(|beginning| name.starts_with(beginning));
        let is_absent = match *name {
            "rcpthosts" => random.one_in(8),
            "badip" | "badhost" | "badhelo" => random.one_in(4),
            _ if refuses => !random.one_in(10),
            _ => random.one_in(if rare { 2 } else { 4 }),
        };
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

/// Some of the senders have just read mail from some of the addresses, one of them too long ago.
fn write_logins(table: &Path) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    fs::create_dir(table).unwrap();
    for (ip, user, age) in [
        ("192.0.2.9", "joe@d1.ex", 60),
        ("192.0.2.9", "u@d3.ex", 7_200),
        ("203.0.113.200", "joe@d1.ex", 60),
        ("2001:db8:0:1::9", "root@local.ex", 60),
        ("127.0.0.1", "u@d3.ex", 60),
    ] {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(table.join(ip)).unwrap();
        writeln!(file, "{user}\t{}", now - age).unwrap();
    }
}

/// Rules of tcpserver; a file has some of them.
const RULES: &[&str] = &[
    "192.0.2.:allow,RELAYCLIENT=\"@rule.ex\"",
    "198.51.100.:deny",
    "203.0.113.:allow,RELAYCLASS=\"friendly\",RELAYTEXT=\"by rule\"",
    "=gw.ex:allow,RELAYCLIENT=\"\"",
    "2001:db8::/32:allow,AUTH_ALL=\"\"",
    "10.0.0.0/9:deny",
    ":allow",
];

/// Compiles some rules.
pub fn rules(directory: &Path, random: &mut Random) -> PathBuf {
    let text: String = (0..4).map(|_| format!("{}\n", random.of(RULES))).collect();
    let cdb = directory.join("rules.cdb");
    let mut tcprules = Command::new(program("tcprules"));
    let mut tcprules = tcprules.arg(&cdb).arg(directory.join("rules.tmp")).stdin(Stdio::piped()).spawn().unwrap();
    tcprules.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(tcprules.wait().unwrap().success(), "{text}");
    cdb
}

pub struct Client {
    pub ip: &'static str,
    pub name: &'static str,
    /// Sender and recipients of each.
    pub transactions: Vec<(&'static str, Vec<&'static str>)>,
}

pub fn client(random: &mut Random) -> Client {
    let transaction = |random: &mut Random| {
        let sender = random.of(SENDERS);
        (sender, (0..1 + random.below(RECIPIENTS)).map(|_| random.of(RECIPIENTS_OF)).collect())
    };
    let (ip, name) = (random.of(IPS), random.of(NAMES));
    Client { ip, name, transactions: (0..TRANSACTIONS).map(|_| transaction(random)).collect() }
}
