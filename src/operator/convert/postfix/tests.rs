//! The converter of Postfix: the lines that it writes.

use crate::operator::convert::{Conversion, Source, convert};

fn converted(text: &str) -> Conversion {
    convert(Source::Postfix, text.as_bytes())
}

fn lines(conversion: &Conversion, file: &str) -> Vec<String> {
    let text = conversion.files().find(|(name, _)| *name == file).map(|(_, text)| text);
    text.unwrap_or_default().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn clients(text: &str) -> Vec<String> {
    lines(&converted(text), "relayclients")
}

#[test]
fn mynetworks_keeps_its_first_match() {
    for (networks, expected) in [
        (
            "127.0.0.0/8, [::1]/128 [2001:db8::]/32\n\t192.0.2.7",
            &["127.0.0.0/8", "192.0.2.7", "::1", "2001:db8::/32"][..],
        ),
        ("!192.0.2.7, 192.0.2.0/24", &["192.0.2.0/24", "!192.0.2.7"]),
        ("192.0.2.0/24, !192.0.2.7", &["192.0.2.0/24"]),
        ("!192.0.2.0/24, 192.0.2.7, 10.0.0.0/8", &["10.0.0.0/8"]),
        ("hash:/etc/postfix/nets, 10.0.0.1", &["10.0.0.1"]),
        ("10.0.0.1, !hash:/etc/postfix/nets, 10.0.0.0/8", &["10.0.0.1"]),
        ("10.0.0.1, !10.0.0.9/24, 10.0.0.0/8", &["10.0.0.1"]),
        ("10.0.0.1, !$unknown, 10.0.0.0/8", &["10.0.0.1"]),
        ("10.0.0.1/8 10. 10.0.0 10.0-1.0.0 010.0.0.1 /etc/nets $(10.0.0.0/8)", &[]),
        ("[::ffff:127.0.0.0]/104", &[]),
        ("$inside $outside\ninside = 10.0.0.0/8\noutside = ${inner}\ninner=192.0.2.1", &["10.0.0.0/8", "192.0.2.1"]),
        ("$a\na = $b\nb = $a", &[]),
        ("${inside?10.0.0.0/8}\ninside = x", &[]),
        ("192.0.2.1\nmynetworks = 192.0.2.2", &["192.0.2.2"]),
        ("192.0.2.1\nsmtpd_relay_restrictions reject", &[]),
        ("192.0.2.1\n\u{feff}smtpd_relay_restrictions = reject", &[]),
    ] {
        assert_eq!(clients(&format!("mynetworks = {networks}\n")), expected, "{networks}");
    }
}

#[test]
fn comments_do_not_end_a_value() {
    let text = "# mynetworks = 10.0.0.0/8\nmynetworks =\n  192.0.2.1,\n\n# more\n  192.0.2.2\nother = x\n";
    assert_eq!(clients(text), ["192.0.2.1", "192.0.2.2"]);
    assert!(converted(text).remarks().contains("line 7: other = x"));
}

#[test]
fn both_lists_of_restrictions_must_let_a_client_in() {
    let relay = |value: &str| format!("smtpd_relay_restrictions = {value}\n");
    let recipient = |value: &str| format!("smtpd_recipient_restrictions = {value}\n");
    let table = "check_client_access cidr:{{192.0.2.0/24 OK}, {10.0.0.0/24 REJECT no}, {10.0.1.0/24 DUNNO}}";
    for (text, expected) in [
        (String::new(), &["10.0.0.0/8"][..]),
        (relay("permit_mynetworks, reject_unauth_destination"), &["10.0.0.0/8"]),
        (relay("permit_sasl_authenticated, reject_unauth_destination"), &[]),
        (relay("reject_unauth_destination, permit_mynetworks"), &[]),
        (relay("permit_mynetworks, reject"), &["10.0.0.0/8"]),
        (relay("permit"), &[]),
        (relay(""), &[]),
        (relay("") + &recipient("permit_mynetworks, reject_unauth_destination"), &["10.0.0.0/8"]),
        (recipient("permit_sasl_authenticated, reject"), &[]),
        (recipient("reject_unknown_recipient_domain, reject_rbl_client bl.ex"), &["10.0.0.0/8"]),
        (recipient("warn_if_reject reject_rbl_client bl.ex, permit_mynetworks, reject"), &["10.0.0.0/8"]),
        (relay("warn_if_reject reject_unauth_destination, permit_mynetworks, reject"), &["10.0.0.0/8"]),
        (relay("some_class, permit_mynetworks, reject_unauth_destination"), &[]),
        (relay("permit_mynetworks, some_class, reject_unauth_destination"), &["10.0.0.0/8"]),
        (relay("check_client_access hash:/x, permit_mynetworks, reject_unauth_destination"), &[]),
        (relay("permit_mynetworks, check_client_access hash:/x, reject_unauth_destination"), &["10.0.0.0/8"]),
        (recipient("check_client_access hash:/x"), &[]),
        (
            relay(&format!("{table}, permit_mynetworks, reject_unauth_destination")),
            &["10.0.0.0/8", "!10.0.0.0/24", "192.0.2.0/24"],
        ),
        (relay(&format!("permit_mynetworks, {table}, reject_unauth_destination")), &["10.0.0.0/8", "192.0.2.0/24"]),
        // The other list does not know 192.0.2.0/24.
        (recipient(&format!("{table}, reject_unauth_destination")), &[]),
        (recipient(table), &["10.0.0.0/8", "!10.0.0.0/24"]),
        (
            relay("{check_client_access inline:{192.0.2=OK, {192.0.2.7 = REJECT go away}}}, reject_unauth_destination"),
            &["192.0.2.0/24", "!192.0.2.7"],
        ),
        (relay("check_client_access inline:{host.ex=OK}, permit_mynetworks, reject_unauth_destination"), &[]),
        (relay("$mine\nmine = permit_mynetworks, reject_unauth_destination"), &["10.0.0.0/8"]),
        (relay("$unknown, permit_mynetworks, reject_unauth_destination"), &[]),
    ] {
        assert_eq!(clients(&format!("mynetworks = 10.0.0.0/8\n{text}")), expected, "{text}");
    }
}

#[test]
fn the_domains_of_everybody_are_listed() {
    let base = "myhostname = mx.local.ex\n";
    let domains = |text: &str| lines(&converted(&format!("{base}{text}")), "rcpthosts");
    let own = ["mx.local.ex", "localhost.local.ex", "localhost"];
    assert_eq!(domains(""), own);
    assert_eq!(domains("mydestination = local.ex, $mydomain, hash:/x, /y\n"), ["local.ex"]);
    let relayed = "mydestination =\nrelay_domains = partner.ex";
    assert_eq!(domains(relayed), ["partner.ex", ".partner.ex"]);
    assert_eq!(domains(&format!("{relayed}\nparent_domain_matches_subdomains = mynetworks")), ["partner.ex"]);
    assert_eq!(domains("mydestination =\nrelay_domains = !secret.partner.ex, partner.ex\n"), ["partner.ex"]);
    assert_eq!(
        domains("mydestination =\nrelay_domains = partner.ex, !secret.partner.ex\n"),
        ["partner.ex", ".partner.ex"]
    );
    assert_eq!(domains("mydestination =\nrelay_domains = !hash:/x, partner.ex\n"), [""; 0]);
    assert_eq!(
        domains("mydestination =\nvirtual_mailbox_domains = v.ex\nvirtual_alias_domains = a.ex\n"),
        ["a.ex", "v.ex"]
    );
    // Strangers may write to nobody.
    assert_eq!(domains("smtpd_recipient_restrictions = permit_sasl_authenticated, reject\n"), [""; 0]);
    let served = "smtpd_recipient_restrictions = permit_mynetworks, permit_auth_destination, reject\n";
    assert_eq!(domains(served), own);
    assert_eq!(lines(&converted("mynetworks = 10.0.0.1\n"), "rcpthosts"), ["localhost"]);
}

#[test]
fn backup_mail_hosts() {
    let relay = |value: &str| format!("smtpd_relay_restrictions = {value}, reject_unauth_destination\n");
    let conversion = converted(&relay("permit_mx_backup"));
    assert_eq!(lines(&conversion, "relaymx"), ["=me"]);
    assert_eq!(lines(&conversion, "tcp.smtp"), [":allow,RELAYMX_ANYONE=\"1\""]);
    let networks = "permit_mx_backup_networks = !192.0.2.9, 192.0.2.0/24\n";
    let conversion = converted(&(relay("permit_mx_backup") + networks));
    assert_eq!(lines(&conversion, "relaymx"), ["192.0.2.0/24", "!192.0.2.9"]);
    for restrictions in [
        relay("permit_mynetworks"),
        relay("check_client_access hash:/x, permit_mx_backup"),
        relay("permit_mx_backup") + "smtpd_recipient_restrictions = check_client_access hash:/x\n",
        relay("permit_mx_backup") + "smtpd_recipient_restrictions = reject_unauth_destination\n",
    ] {
        assert!(lines(&converted(&restrictions), "relaymx").is_empty(), "{restrictions}");
    }
}

#[test]
fn a_table_by_itself() {
    let conversion =
        converted("# clients\n192.0.2.7 REJECT go away\n192.0.2.0/24\tOK\n192.0.2.128/25 REJECT\n2001:db8::/32 OK\n");
    assert_eq!(lines(&conversion, "relayclients"), ["192.0.2.0/24", "!192.0.2.7", "2001:db8::/32"]);
    assert_eq!(lines(&conversion, "tcp.smtp"), ["192.0.2.7:deny"]);
    let nested = converted("192.0.2.7 DUNNO\n192.0.2.0/24 554 no\n");
    assert_eq!(lines(&nested, "tcp.smtp"), ["192.0.2.0/24:deny", "192.0.2.7:allow"]);
    assert!(lines(&nested, "relayclients").is_empty());
    for (text, expected) in [
        ("10.0.0.1/8 OK\n[::1] OK\n", &["::1"][..]),
        ("172.16.1.3/33 OK\n172.999.0.0/21 OK\n[1234 OK\n[1234]junk OK\n10.0.0.1 OK\n", &["10.0.0.1"]),
        ("10.0.0.1 OK\n10.0.0.9/8 REJECT\n10.0.0.2 OK\n", &["10.0.0.1"]),
        ("10.0.0.1 OK\n!10.0.0.0/8 REJECT\n10.0.0.2 OK\n", &["10.0.0.1"]),
        ("10.0.0.1 OK\n!10.0.0.0/8 OK\n10.0.0.2 OK\n", &["10.0.0.1", "10.0.0.2"]),
        ("10.0.0.1 OK\nif 10.0.0.0/8\n10.0.0.2 OK\nendif\n10.0.0.3 OK\n", &["10.0.0.1"]),
        ("10.0.0.1 HOLD\n10.0.0.0/8\n  1234567\n10.0.0.0/24 REJECT\n", &["10.0.0.0/8", "!10.0.0.1"]),
    ] {
        assert_eq!(clients(text), expected, "{text}");
    }
}
