//! CRAM-MD5 with auth-cdb: for users who were given it, where AUTH_CHECKS says so.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;

use crate::home::Home;
use crate::smtp::Smtp;
use crate::support::program;
use crate::*;

/// smtpd with auth-cdb and this text of AUTH_CHECKS.
fn offering(home: &Home, checks: &str) -> Smtp {
    start_with(home, &[program("auth-cdb").to_str().unwrap(), "/bin/false"], &[("AUTH_CHECKS", checks)])
}

/// What a client of CRAM-MD5 says, and the last reply.
fn cram(smtp: &Smtp, user: &str, password: &str) -> String {
    let heard = ask(smtp, "AUTH CRAM-MD5");
    let Some(challenge) = heard.strip_prefix("334 ") else { return heard };
    let challenge = STANDARD.decode(challenge).unwrap();
    let digest = Hmac::<Md5>::new_from_slice(password.as_bytes()).unwrap().chain_update(challenge).finalize();
    let digits: String = digest.into_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
    ask(smtp, &STANDARD.encode(format!("{user} {digits}")))
}

#[test]
fn cram_md5_is_for_users_who_were_given_it() {
    let home = home();
    let added = passwd(&home, &["add", "--iterations", ITERATIONS, "--cram", "old client"], "tanstaaftanstaaf\n");
    assert!(added.status.success(), "{added:?}");
    let imported = passwd(&home, &["import", "--iterations", ITERATIONS, "--cram"], "older:pass\n");
    assert!(imported.status.success(), "{imported:?}");
    let smtp = || offering(&home, "cram-md5 scram-sha-256");
    for (user, password, expected) in [
        ("old client", "tanstaaftanstaaf", YES),
        ("older", "pass", YES),
        ("old client", "tanstaaftanstaa", NO),
        ("older", "", NO),
        // Users without it, and nobody.
        ("ann", "two words", NO),
        ("nobody", "x", NO),
    ] {
        assert_eq!(cram(&smtp(), user, password), expected, "{user} {password}");
    }
    // It is a user like any other for the rest.
    assert_eq!(ask(&smtp(), &plain("older", "pass")), YES);
    assert_eq!(scram(&smtp(), "older", "pass").1, YES);
    // Another password without it takes it away.
    assert!(passwd(&home, &["add", "--iterations", ITERATIONS, "older"], "pass\n").status.success());
    assert_eq!(
        (cram(&smtp(), "older", "pass"), ask(&smtp(), &plain("older", "pass"))),
        (NO.to_owned(), YES.to_owned())
    );
    assert_eq!(
        String::from_utf8_lossy(&passwd(&home, &["list"], "").stdout),
        "ann\njoe@our.example\nold client\nolder\n"
    );
}

/// Two in one second differ, and have the form of a message id.
#[test]
fn no_challenge_comes_twice() {
    let home = home();
    let smtp = offering(&home, "cram-md5");
    let challenge = || {
        let heard = ask(&smtp, "AUTH CRAM-MD5");
        assert_eq!(ask(&smtp, "*"), "501 auth exchange cancelled (#5.0.0)");
        String::from_utf8(STANDARD.decode(heard.strip_prefix("334 ").unwrap()).unwrap()).unwrap()
    };
    let (one, other) = (challenge(), challenge());
    assert_ne!(one, other);
    let (digits, rest) = one.strip_prefix('<').unwrap().split_once('.').unwrap();
    assert!(digits.len() == 32 && digits.bytes().all(|octet| octet.is_ascii_hexdigit()), "{one}");
    assert!(rest.strip_suffix("@mx.test>").unwrap().parse::<u64>().is_ok(), "{one}");
}

#[test]
fn cram_md5_is_offered_where_the_operator_says_so() {
    let home = home();
    let offered = |smtp: &Smtp| {
        smtp.send("EHLO c.example\r\n");
        std::iter::from_fn(|| smtp.line().ok()).take_while(|line| line != "250 HELP").find(|line| line.contains("AUTH"))
    };
    assert_eq!(offered(&auth_cdb(&home)).as_deref(), Some("250-AUTH LOGIN PLAIN SCRAM-SHA-256"));
    let both = offered(&offering(&home, "cram-md5 scram-sha-256"));
    assert_eq!(both.as_deref(), Some("250-AUTH LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256"));
    assert_eq!(cram(&auth_cdb(&home), "ann", "two words"), "504 auth type unimplemented (#5.5.1)");
}

/// Whoever has neither a verifier nor a context, or a damaged one, is not let in.
#[test]
fn a_damaged_context_is_454() {
    let home = home();
    let record = [Verifier::of_password(b"x", b"salt of someone", 4096).to_text().to_vec(), b"\n{CRAM-MD5}00".to_vec()];
    let mut maker = postern::cdb::make::Maker::new(std::fs::File::create(home.control().join("auth.cdb")).unwrap());
    maker.add(b"joe", &record.concat()).unwrap();
    let decoy = postern::auth::users::Decoy { iterations: 4096, secret: vec![7; 32].into() };
    maker.add(postern::auth::users::DECOY_KEY, &decoy.to_text()).unwrap();
    maker.finish().unwrap();
    let smtp = offering(&home, "cram-md5");
    assert_eq!(cram(&smtp, "joe", "x"), LATER);
    assert_eq!(ask(&smtp, &plain("joe", "x")), LATER);
    assert_eq!(cram(&smtp, "nobody", "x"), NO);
}
