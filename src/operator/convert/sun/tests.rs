//! The converter of Sun: the lines that it writes, and that they decide as its tables do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use crate::client::line::Line;
use crate::operator::convert::{Conversion, Source, convert};

fn lines(conversion: &Conversion, file: &str) -> Vec<String> {
    let text = conversion.files().find(|(name, _)| *name == file).map(|(_, text)| text).unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[track_caller]
fn check(source: &str, expected: &[(&str, &[&str])]) {
    let conversion = convert(Source::Sun, source.as_bytes());
    let files: Vec<(&str, Vec<String>)> =
        conversion.files().map(|(name, _)| (name, lines(&conversion, name))).collect();
    let expected: Vec<(&str, Vec<String>)> =
        expected.iter().map(|(name, lines)| (*name, lines.iter().map(|&line| line.to_owned()).collect())).collect();
    assert_eq!(files, expected, "{conversion}");
    assert!(conversion.is_complete(), "{conversion}");
}

/// What is granted, and what is said to be missing.
#[track_caller]
fn check_incomplete(source: &str, granted: &[&str], missing: &[&str]) {
    let conversion = convert(Source::Sun, source.as_bytes());
    let found: Vec<String> = conversion.files().flat_map(|(name, _)| lines(&conversion, name)).collect();
    assert_eq!(found, granted, "{conversion}");
    let remarks = conversion.remarks();
    assert_eq!(remarks.lines().count(), 1 + 2 * missing.len(), "{remarks}");
    for text in missing {
        assert!(remarks.contains(text), "{text}: {remarks}");
    }
}

#[test]
fn lists_of_clients_become_native_ones() {
    check(
        "INTERNAL_IP\n\n  $(192.0.2.9/32) $N\n  $(192.0.2.77/24) $Y\n  $<198.51.100.4/2> $y\n  ${2001:db8::1/32} $Y\n  127.0.0.1 $Y\n  * $N\n",
        &[("relayclients", &["!192.0.2.9", "192.0.2.0/24", "198.51.100.4/30", "2001:db8::/32", "127.0.0.1"])],
    );
    // A dead line is no exception.
    check("INTERNAL_IP\n\n  192.0.2.* $Y\n  192.0.2.9 $N\n", &[("relayclients", &["192.0.2.0/24"])]);
    // Nor is one that nothing wider grants.
    check("INTERNAL_IP\n\n  192.0.2.9 $N\n  127.0.0.1 $Y\n", &[("relayclients", &["127.0.0.1"])]);
    check("internal_ip\n\n * $Y\n", &[("relaylevel", &["open"])]);
    check("INTERNAL_IP\n\n 192.0.2.9 $N\n * $Y\n", &[("relayclients", &["!192.0.2.9", "0.0.0.0/0", "::/0"])]);
    // What a wider line grants too needs no line of its own.
    check("INTERNAL_IP\n\n 192.0.2.9 $Y\n 192.0.2.* $Y\n", &[("relayclients", &["192.0.2.0/24"])]);
    check("CONVERSIONS\n\n  in-chan=* Yes\n", &[]);
}

#[test]
fn friendly_clients_and_texts_become_rules() {
    check(
        "INTERNAL_IP\n\n  192.0.2.9 $Y\n  198.51.100.* $NAsk$ Joe\n  * $NNo$ \"relaying\"\nFRIENDLY_IP\n\n  192.0.2.* $Y\n",
        &[
            ("relayclients", &["192.0.2.9"]),
            ("relaytext", &["No \"relaying\""]),
            (
                "tcp.smtp",
                &[
                    "192.0.2.0/24:allow,RELAYCLIENT=\"\",RELAYCLASS=\"friendly\"",
                    "192.0.2.9:allow",
                    "198.51.100.0/24:allow,RELAYTEXT=\"Ask Joe\"",
                ],
            ),
        ],
    );
    check(
        "PORT_ACCESS\n\n  TCP|*|25|192.0.2.9|* $Y\n  *|*|*|*|* $C$|INTERNAL_IP;$3|$Y$E\n  TCP|*|*|$(192.0.2.0/24)|* $N\n  * $YEXTERNAL\nINTERNAL_IP\n\n  192.0.2.7 $Y\n",
        &[("relayclients", &["192.0.2.7"]), ("tcp.smtp", &["192.0.2.0/24:deny", "192.0.2.7:allow", "192.0.2.9:allow"])],
    );
    check("PORT_ACCESS\n\n  *|*|*|192.0.2.7|* $Y\n  * $N\n", &[("tcp.smtp", &["192.0.2.7:allow", ":deny"])]);
}

#[test]
fn access_tables_tie_senders_to_clients() {
    check(
        "ORIG_MAIL_ACCESS\n\n  TCP|*|25|$<192.0.2.0/8>|*|SMTP*|MAIL| \\\ntcp_local|*@Friendly.ex|tcp_local|* $Y\n  TCP|*|*|*|*|tcp_local|joe@partner.ex|tcp_local|* $Y\n  TCP|*|*|192.0.2.7|*|*|*|*|* $Y\n  TCP|*|*|*|*|tcp_local|*|tcp_local|* $NRelaying$ denied\n",
        &[
            ("relayclients", &["192.0.2.7"]),
            ("relaymailfrom", &["@friendly.ex&192.0.2.0/24", "joe@partner.ex"]),
            ("relaytext", &["Relaying denied"]),
        ],
    );
    check(
        "ORIG_SEND_ACCESS\n\n  tcp_intranet|*|*|* $Y\n  tcp_local|*|tcp_local|*@gw.ex $Y\n  tcp_local|*|tcp_local|*@*.gw.ex $Y\n  tcp_local|*|tcp_local|* $N\n",
        &[("rcpthosts", &["gw.ex", ".gw.ex"])],
    );
    // A refusal for every channel takes internal clients along, one for strangers does not.
    let internal = "INTERNAL_IP\n\n  192.0.2.* $Y\n";
    let access = format!("{internal}ORIG_MAIL_ACCESS\n\n  TCP|*|*|192.0.2.9|*|*|*|tcp_local|* $N\n");
    check(&access, &[("relayclients", &["192.0.2.0/24", "!192.0.2.9"])]);
    let access = format!("{internal}ORIG_MAIL_ACCESS\n\n  TCP|*|*|192.0.2.9|*|tcp_local|*|tcp_local|* $N\n");
    check(&access, &[("relayclients", &["192.0.2.0/24"])]);
}

#[test]
fn what_may_be_refused_is_not_granted() {
    let table = |lines: &str| format!("INTERNAL_IP\n\n{lines}");
    check_incomplete(&table("  1*.0.2.1 $N\n  192.0.2.* $Y\n"), &[], &["wildcards", "line 3 may refuse"]);
    check_incomplete(&table("  1*.0.2.1 $Y\n  192.0.2.* $Y\n"), &["192.0.2.0/24"], &["wildcards"]);
    check_incomplete(&table("  192.0.2.9 $C$Y\n  192.0.2.* $Y\n"), &["!192.0.2.9", "192.0.2.0/24"], &["flag $C"]);
    check_incomplete(
        &table("  1.1.1.1 $Y\n192.0.2.9 $N\n  192.0.2.* $Y\n"),
        &["1.1.1.1"],
        &["begin with a blank", "line 4 may"],
    );
    check_incomplete(&table("  1.1.1.1 $Y\n\n  192.0.2.* $Y\n"), &["1.1.1.1"], &["behind a blank line", "line 5 may"]);
    check_incomplete("</etc/internal\nETRN_ACCESS\n\n * $N\n", &[], &["included", "not read"]);
    let access = |lines: &str| format!("ORIG_MAIL_ACCESS\n\n{lines}");
    for (lines, missing) in [
        ("TCP|*|587|192.0.2.0|*|*|*@a.ex|*|* $Y", "port 587"),
        ("TCP|203.0.113.1|*|192.0.2.0|*|*|*@a.ex|*|* $Y", "one address of this server"),
        ("TCP|*|*|*|*|tcp_*|*|*|* $Y", "everyone"),
        ("TCP|*|*|*|*|tcp_local|*@*.a.ex|tcp_local|* $Y", "subdomains"),
        ("TCP|*|*|*|*|tcp_local|*@a.ex|tcp_local|*@b.ex $Y", "together"),
        ("TCP|*|*|1.1.1.1|*|tcp_local|*|tcp_local|*@b.ex $Y", "every client"),
        ("TCP|*|*|*|*|tcp_local|*|tcp_local|x@b.ex $Y", "not addresses"),
        ("TCP|*|*|*|*|tcp_local|a&b@a.ex|tcp_local|* $Y", "neither user@domain"),
        ("TCP|*|*|*|*|tcp_l%%%%|*|*|* $Y", "channels named"),
        ("*|*|*|*|*|* $Y", "nor channel|from"),
    ] {
        check_incomplete(&access(&format!("  {lines}\n")), &[], &[missing]);
    }
    let earlier = "  TCP|*|*|192.0.2.9|*|tcp_local|*|tcp_local|* $N\n";
    check_incomplete(&access(&format!("{earlier}  TCP|*|*|192.0.2.*|*|*|*@a.ex|*|* $Y\n")), &[], &["line 3 refuses"]);
    let elsewhere = "ORIG_SEND_ACCESS\n\n  tcp_local|joe@a.ex|tcp_local|* $N\n";
    check_incomplete(&access(&format!("  TCP|*|*|192.0.2.1|*|*|*@a.ex|*|* $Y\n{elsewhere}")), &[], &["line 6 refuses"]);
}

#[test]
fn rules_that_tcprules_cannot_write_are_not_written() {
    let friendly = |lines: &str| format!("FRIENDLY_IP\n\n{lines}");
    check(
        &friendly("  ${2001:db8::/36} $N\n  ${2001:db8::/32} $Y\n"),
        &[("tcp.smtp", &["2001:db8::/32:allow,RELAYCLIENT=\"\",RELAYCLASS=\"friendly\"", "2001:db8::/36:allow"])],
    );
    let grant = ":allow,RELAYCLIENT=\"\",RELAYCLASS=\"friendly\"";
    check(&friendly("  ${::/0} $Y\n"), &[("tcp.smtp", &["0.0.0.0/0:allow", grant])]);
    check(&friendly("  $(0.0.0.0/0) $Y\n"), &[("tcp.smtp", &[&format!("0.0.0.0/0{grant}")])]);
    check_incomplete(&friendly("  ${2000::/3} $Y\n"), &[], &["2000::/3:allow"]);
    check_incomplete(
        &friendly("  ${::/3} $N\n  * $Y\n"),
        &[&format!("0.0.0.0/0{grant}")],
        &["::/3:allow", "::/0:allow"],
    );
}

/// A table of Sun's as data: which clients, and whether granted.
#[derive(Debug, Clone)]
struct Row {
    pattern: String,
    holds: fn(&str, IpAddr) -> bool,
    grants: bool,
}

/// `*` any run, `%` one character, as the text of an address is compared.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|end| glob(rest, &text[end..])),
        ([b'%', rest @ ..], [_, text @ ..]) => glob(rest, text),
        ([wanted, rest @ ..], [found, text @ ..]) => wanted == found && glob(rest, text),
        _ => false,
    }
}

fn by_text(pattern: &str, ip: IpAddr) -> bool {
    glob(pattern.as_bytes(), ip.to_string().as_bytes())
}

/// `$(address/n)` and `${address/n}`: the first n bits count; `$<address/n>`: the last n do not.
fn by_bits(pattern: &str, ip: IpAddr) -> bool {
    let (address, bits) = pattern[2..pattern.len() - 1].split_once('/').unwrap();
    let bits: u32 = bits.parse().unwrap();
    match (address.parse().unwrap(), ip) {
        (IpAddr::V4(address), IpAddr::V4(ip)) => {
            let ignored = if pattern.starts_with("$<") { bits } else { 32 - bits };
            (u64::from(address.to_bits()) >> ignored) == (u64::from(ip.to_bits()) >> ignored)
        }
        (IpAddr::V6(address), IpAddr::V6(ip)) => {
            bits == 0 || (address.to_bits() >> (128 - bits)) == (ip.to_bits() >> (128 - bits))
        }
        _ => false,
    }
}

fn client() -> impl Strategy<Value = IpAddr> {
    let ipv4 = (8u8..12, 0u8..2, 0u8..13, prop::sample::select(&[0u8, 1, 7, 9, 10, 11, 19, 99, 100, 255][..]));
    let ipv6 = (any::<bool>(), 0u16..4)
        .prop_map(|(high, low)| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, u16::from(high) << 15, 0, 0, 0, 0, low)));
    prop_oneof![4 => ipv4.prop_map(|(a, b, c, d)| IpAddr::V4(Ipv4Addr::new(a, b, c, d))), 1 => ipv6]
}

fn row() -> impl Strategy<Value = Row> {
    const GLOBS: &[&str] = &["*", "10.*", "1%.0.*", "10.0.%.*", "10.*.1.1%", "8.0.1%.*", "1*.0.1.1", "*.9", "9.0.1.%%"];
    let pattern = prop_oneof![
        (client(), 0u8..=128, any::<bool>()).prop_map(|(ip, bits, last)| match ip {
            IpAddr::V4(ip) if last => (format!("$<{ip}/{}>", bits % 33), by_bits as fn(&str, IpAddr) -> bool),
            IpAddr::V4(ip) => (format!("$({ip}/{})", bits % 33), by_bits as _),
            IpAddr::V6(ip) => (format!("${{{ip}/{bits}}}"), by_bits as _),
        }),
        client().prop_map(|ip| (ip.to_string(), by_text as _)),
        prop::sample::select(GLOBS).prop_map(|glob| (glob.to_owned(), by_text as _)),
    ];
    (pattern, any::<bool>()).prop_map(|((pattern, holds), grants)| Row { pattern, holds, grants })
}

fn first_hit(rows: &[Row], ip: IpAddr) -> Option<bool> {
    rows.iter().find(|row| (row.holds)(&row.pattern, ip)).map(|row| row.grants)
}

fn table(name: &str, rows: &[Row], around: [&str; 2]) -> String {
    let [before, behind] = around;
    let flag = |row: &Row| if row.grants { "$Y" } else { "$N" };
    let rows: String = rows.iter().map(|row| format!("  {before}{}{behind}  {}\n", row.pattern, flag(row))).collect();
    format!("{name}\n\n{rows}\n")
}

/// What smtpd and tcpserver make of the files: whether the client is let in, may relay, and in which class.
fn decided(conversion: &Conversion, ip: IpAddr) -> (bool, bool, bool) {
    let is_open = lines(conversion, "relaylevel") == ["open"];
    let mut best = None;
    for text in lines(conversion, "relayclients") {
        let line = Line::parse(text.as_bytes());
        let length = line.pattern.unwrap().length_around(ip);
        best = best.max(length.map(|length| (length, line.exception)));
    }
    let mut rule = (None, ":allow".to_owned());
    for text in lines(conversion, "tcp.smtp") {
        let (network, action) = text.split_at(text.rfind(":allow").or(text.rfind(":deny")).unwrap());
        let length = match network {
            "" => Some(0),
            network => Line::parse(network.as_bytes()).pattern.unwrap().length_around(ip),
        };
        if length > rule.0 || (length.is_some() && length == rule.0 && !network.is_empty()) {
            rule = (length, action.to_owned());
        }
    }
    let is_friendly = rule.1.contains("RELAYCLASS=\"friendly\"");
    let relays = is_open || is_friendly || best.is_some_and(|(_, exception)| !exception);
    let is_let_in = !rule.1.starts_with(":deny");
    (is_let_in, is_let_in && relays, is_let_in && is_friendly)
}

/// A line of ORIG_MAIL_ACCESS: client, port, source channel, sender, destination channel, recipient; whether granted.
type Mail = ([&'static str; 6], bool);

fn mail() -> impl Strategy<Value = Mail> {
    let one_of = |patterns: &'static [&'static str]| prop::sample::select(patterns);
    let fields = (
        one_of(&["*", "192.0.2.*", "192.0.2.9", "1*"]),
        one_of(&["*", "*", "25", "587"]),
        one_of(&["tcp_local", "tcp_local", "*", "tcp_intranet"]),
        one_of(&["*", "*", "*@a.ex", "joe@a.ex", "j*@a.ex"]),
        one_of(&["tcp_local", "*", "ims-ms"]),
        one_of(&["*", "*", "*@far.ex"]),
    );
    (fields, any::<bool>()).prop_map(|((client, port, source, from, to_channel, to), grants)| {
        ([client, port, source, from, to_channel, to], grants)
    })
}

/// Whether mail from one channel out to strangers hits a line, at port 25.
fn hits((patterns, _): &Mail, channel: &str, ip: IpAddr, sender: &str, recipient: &str) -> bool {
    let texts = [&ip.to_string(), "25", channel, sender, "tcp_local", recipient];
    patterns.iter().zip(texts).all(|(pattern, text)| glob(pattern.as_bytes(), text.as_bytes()))
}

fn relays_by_files(conversion: &Conversion, ip: IpAddr, sender: &str, recipient: &str) -> bool {
    let domain = recipient.rsplit_once('@').unwrap().1;
    let by_sender = lines(conversion, "relaymailfrom").iter().any(|line| {
        let (wanted, network) = line.split_once('&').unwrap_or((line, ""));
        let is_client =
            network.is_empty() || Line::parse(network.as_bytes()).pattern.unwrap().length_around(ip).is_some();
        is_client && if wanted.starts_with('@') { sender.ends_with(wanted) } else { sender == wanted }
    });
    by_sender || decided(conversion, ip).1 || lines(conversion, "rcpthosts").iter().any(|line| line == domain)
}

#[test]
fn a_refusal_of_internal_clients_counts_behind_a_line_about_strangers() {
    for (of_strangers, is_complete) in [("$N", true), ("$Y", false)] {
        for client in ["192.0.2.*", "192.0.2.9"] {
            let source = format!(
                "ORIG_MAIL_ACCESS\n\n  TCP|*|*|{client}|*|tcp_local|*|tcp_local|*  {of_strangers}\n  \
                 TCP|*|*|192.0.2.*|*|*|*|tcp_local|*  $N\n\nINTERNAL_IP\n\n  192.0.2.* $Y\n"
            );
            let conversion = convert(Source::Sun, source.as_bytes());
            assert!(!decided(&conversion, "192.0.2.9".parse().unwrap()).1, "{conversion}");
            assert_eq!(conversion.is_complete(), is_complete, "{conversion}");
        }
    }
}

proptest! {
    #[test]
    fn access_tables_are_never_widened(rows in prop::collection::vec(mail(), 0..6), is_listed in any::<bool>()) {
        let shown = |([client, port, source, from, to_channel, to], grants): &Mail| {
            let flag = if *grants { "$Y" } else { "$N" };
            format!("  TCP|*|{port}|{client}|*|{source}|{from}|{to_channel}|{to}  {flag}\n")
        };
        let mut source = format!("ORIG_MAIL_ACCESS\n\n{}\n", rows.iter().map(shown).collect::<String>());
        if is_listed {
            source += "INTERNAL_IP\n\n  192.0.2.* $Y\n";
        }
        let conversion = convert(Source::Sun, source.as_bytes());
        for ip in ["192.0.2.9", "192.0.2.10", "198.51.100.7", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().unwrap()) {
            for sender in ["joe@a.ex", "ann@a.ex", "x@b.ex"] {
                for recipient in ["r@far.ex", "r@else.ex"] {
                    let is_internal = is_listed && by_text("192.0.2.*", ip);
                    let channel = if is_internal { "tcp_intranet" } else { "tcp_local" };
                    let hit = rows.iter().find(|row| hits(row, channel, ip, sender, recipient));
                    // The last line of a table, which refuses everything, is not for internal clients.
                    let refuses_all = |([client, _, _, from, _, to], _): &&Mail| [*client, from, to] == ["*"; 3];
                    let expected = match hit {
                        Some((_, true)) => true,
                        Some(row) => is_internal && refuses_all(&row),
                        None => is_internal,
                    };
                    let found = relays_by_files(&conversion, ip, sender, recipient);
                    // What no list can refuse to an internal client is reported.
                    let is_told = is_internal && !conversion.is_complete();
                    prop_assert!(!found || expected || is_told, "{} {} {}\n{}\n{}", ip, sender, recipient, source, conversion);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn the_files_decide_as_the_tables_did(
        internal in prop::collection::vec(row(), 0..7),
        friendly in prop::collection::vec(row(), 0..5),
        ports in prop::collection::vec(row(), 0..4),
        clients in prop::collection::vec(client(), 40),
    ) {
        let source = table("INTERNAL_IP", &internal, ["", ""])
            + &table("FRIENDLY_IP", &friendly, ["", ""])
            + &table("PORT_ACCESS", &ports, ["TCP|*|*|", "|*"]);
        let conversion = convert(Source::Sun, source.as_bytes());
        for ip in clients {
            let is_internal = first_hit(&internal, ip) == Some(true);
            let is_friendly = !is_internal && first_hit(&friendly, ip) == Some(true);
            let is_let_in = first_hit(&ports, ip) != Some(false);
            let expected = (is_let_in, is_let_in && (is_internal || is_friendly), is_let_in && is_friendly);
            let found = decided(&conversion, ip);
            if conversion.is_complete() {
                prop_assert_eq!(found, expected, "{} {}\n{}", ip, source, conversion);
            } else {
                let would_relay = is_internal || is_friendly;
                prop_assert!(!found.1 || would_relay, "{} relays\n{}\n{}", ip, source, conversion);
            }
        }
    }
}
