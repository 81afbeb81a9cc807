//! Sun Messaging Server, rows S-01 to S-19.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::program;
use crate::{Client, Converted, from_ip};

/// The table of a new installation.
const DEFAULT: &str = "INTERNAL_IP\n\n  $(203.0.113.5/32)  $Y\n  127.0.0.1  $Y\n  *  $N\n";

fn internal(lines: &str) -> Converted {
    Converted::new("sun", &format!("INTERNAL_IP\n\n{lines}"))
}

#[test]
fn s01_s02_s03_the_default_table_knows_this_host_alone() {
    let converted = Converted::new("sun", DEFAULT);
    assert_eq!(converted.code, Some(0));
    converted.accepts(&from_ip("203.0.113.5"));
    converted.accepts(&from_ip("127.0.0.1"));
    converted.rejects(&from_ip("203.0.113.6"));
}

#[test]
fn s04_host_bits_are_ignored() {
    let converted = internal("  $(192.0.2.10/24) $Y\n");
    converted.accepts(&from_ip("192.0.2.200"));
    converted.rejects(&from_ip("192.0.3.10"));
}

#[test]
fn s05_the_last_bits_are_ignored() {
    let converted = internal("  $<192.0.2.4/2> $Y\n");
    for (last, grants) in [(3, false), (4, true), (5, true), (6, true), (7, true), (8, false)] {
        let ip = format!("192.0.2.{last}");
        let client = from_ip(&ip);
        if grants { converted.accepts(&client) } else { converted.rejects(&client) }
    }
}

#[test]
fn s06_a_client_may_be_in_the_second_subnet() {
    let converted = internal("  $(192.0.2.0/24) $Y\n  $(198.51.100.0/24) $Y\n  * $N\n");
    converted.accepts(&from_ip("198.51.100.9"));
    converted.rejects(&from_ip("198.51.101.9"));
}

#[test]
fn s07_a_narrow_refusal_stands_above_a_wide_grant() {
    let converted = internal("  $(192.0.2.9/32) $N\n  $(192.0.2.0/24) $Y\n");
    assert_eq!(converted.code, Some(0));
    converted.rejects(&from_ip("192.0.2.9"));
    converted.accepts(&from_ip("192.0.2.8"));
}

#[test]
fn s07_the_other_way_round_the_refusal_is_dead() {
    let converted = internal("  $(192.0.2.0/24) $Y\n  $(192.0.2.9/32) $N\n");
    assert!(converted.text.contains("never decided, because an earlier line came first: $(192.0.2.9/32) $N"));
    converted.accepts(&from_ip("192.0.2.9"));
}

#[test]
fn s08_ipv6_networks() {
    let converted = internal("  ${2001:db8::/32} $Y\n");
    converted.accepts(&from_ip("2001:db8:1::5"));
    converted.rejects(&from_ip("2001:db9::5"));
}

#[test]
fn s09_no_match_is_no() {
    internal("  127.0.0.1 $Y\n").rejects(&from_ip("192.0.2.1"));
    Converted::new("sun", "").rejects(&from_ip("127.0.0.1"));
}

#[test]
fn s10_a_line_without_leading_blank_is_no_entry_and_reported() {
    let converted = internal("  127.0.0.1 $Y\n$(192.0.2.0/24) $Y\n");
    assert_eq!(converted.code, Some(1));
    assert!(converted.text.contains(":4: $(192.0.2.0/24) $Y\n"), "{}", converted.text);
    assert!(converted.text.contains("does not begin with a blank"), "{}", converted.text);
    converted.accepts(&from_ip("127.0.0.1"));
    converted.rejects(&from_ip("192.0.2.1"));
}

#[test]
fn s11_an_external_client_with_auth_may_relay() {
    let converted = Converted::new("sun", DEFAULT);
    converted.rejects(&from_ip("198.51.100.9"));
    converted.accepts_with_auth(&from_ip("198.51.100.9"));
}

#[test]
fn s12_mail_for_local_domains_comes_from_anywhere() {
    Converted::new("sun", DEFAULT).accepts(&Client { rcpt: "user@local.ex", ..from_ip("198.51.100.1") });
}

#[test]
fn s13_friendly_clients_have_a_class_of_their_own() {
    let converted = Converted::new("sun", &format!("{DEFAULT}\nFRIENDLY_IP\n\n  $(192.0.2.0/24) $Y\n"));
    assert_eq!(converted.code, Some(0));
    let friendly = converted.asks(&from_ip("192.0.2.7"));
    assert!(friendly.accepted() == Some(true) && friendly.told().contains("RELAYCLIENT"), "{friendly:?}");
    let session = smtpd(&converted, "192.0.2.7", "x@a.ex");
    assert!(session.log.contains(" class=friendly reason=RELAYCLIENT"), "{}", session.log);
    let session = smtpd(&converted, "203.0.113.5", "x@a.ex");
    assert!(!session.log.contains("class="), "{}", session.log);
    assert!(session.log.contains(" reason=relayclients:1"), "{}", session.log);
    converted.rejects(&from_ip("198.51.100.1"));
}

const CONJUNCTION: &str = "\
ORIG_MAIL_ACCESS

  TCP|*|25|$<192.0.2.0/8>|*|tcp_local|*@friendly.ex|tcp_local|*  $Y
  TCP|*|*|*|*|tcp_local|*|tcp_local|*  $N
";

#[test]
fn s14_s15_s16_client_and_sender_must_both_be_right() {
    let converted = Converted::new("sun", CONJUNCTION);
    let mail = |ip, from| Client { from, ..from_ip(ip) };
    converted.accepts(&mail("192.0.2.7", "x@friendly.ex"));
    converted.rejects(&mail("192.0.2.7", "x@other.ex"));
    converted.rejects(&mail("203.0.113.7", "x@friendly.ex"));
}

#[test]
fn s17_another_sender_in_the_same_session_is_judged_anew() {
    let session = smtpd(&Converted::new("sun", CONJUNCTION), "192.0.2.7", "x@friendly.ex");
    assert!(session.rcpt_replies[0].starts_with("250 "), "{:?}", session.rcpt_replies);
    assert!(session.rcpt_replies[1].starts_with("553 "), "{:?}", session.rcpt_replies);
}

#[test]
fn s18_another_port_needs_a_service_of_its_own() {
    let converted = Converted::new("sun", CONJUNCTION);
    assert!(converted.text.contains("# for the service on port 25 only"), "{}", converted.text);
    let converted = Converted::new("sun", &CONJUNCTION.replace("|25|", "|587|"));
    assert_eq!((converted.code, converted.lines("relaymailfrom")), (Some(1), Vec::new()));
    converted.rejects(&Client { from: "x@friendly.ex", ..from_ip("192.0.2.7") });
}

#[test]
fn s19_the_text_of_a_refusal_is_said() {
    let converted = internal("  192.0.2.* $NCall$ Joe\n  * $NNo$ relaying$ here\n");
    assert_eq!(converted.code, Some(0));
    for (ip, text) in [("192.0.2.7", "Call Joe (#5.7.1)"), ("203.0.113.7", "No relaying here (#5.7.1)")] {
        let answer = converted.asks(&from_ip(ip));
        assert!(answer.accepted() == Some(false) && answer.told().contains(text), "{ip}: {answer:?}");
    }
}

/// What a session said.
struct Session {
    /// The replies to RCPT.
    rcpt_replies: Vec<String>,
    log: String,
}

/// Two transactions with smtpd, the first from `sender`, the second from someone else.
fn smtpd(converted: &Converted, ip: &str, sender: &str) -> Session {
    let mut command = Command::new(program("smtpd"));
    command.env_clear().env("CONTROLDIR", converted.control()).env("TCPREMOTEIP", ip).envs(converted.variables(ip));
    let mut smtpd = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let input = format!(
        "EHLO c.ex\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<r@far.ex>\r\nRSET\r\nMAIL FROM:<y@other.ex>\r\nRCPT TO:<r@far.ex>\r\nQUIT\r\n"
    );
    smtpd.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = smtpd.wait_with_output().unwrap();
    let replies = String::from_utf8(output.stdout).unwrap();
    // The last lines are MAIL, RCPT, RSET, MAIL, RCPT, QUIT.
    let lines: Vec<String> = replies.lines().map(str::to_owned).collect();
    let at = |from_end: usize| lines[lines.len() - from_end].clone();
    Session { rcpt_replies: vec![at(5), at(2)], log: String::from_utf8(output.stderr).unwrap() }
}
