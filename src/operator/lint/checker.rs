//! The checker of passwords that the arguments of smtpd name: one that lets everybody in, or none at all.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::checker::{Checked, check};
use crate::auth::{Binding, Chance, Claim, Exchange, Mechanism, Step};
use crate::control::Setup;
use crate::control::checker::{Checker, Convention, Misuse, unknown_word};
use crate::control::environment::Environment;
use crate::operator::finding::Finding;

/// Asks the checker about a user that nobody has, with the variables that smtpd will have on top of our own.
pub(super) fn lint_checker(arguments: &[Vec<u8>], directory: &Path, environment: &Environment) -> Vec<Finding> {
    let misused = |misuse: Misuse| Finding::error("arguments", misuse.to_string());
    let Some((host, programs)) = arguments.split_first() else {
        return unknown_word(environment).map(misused).into_iter().collect();
    };
    let checker = match Checker::of_arguments(host, programs.iter().cloned(), environment) {
        Ok(Some(checker)) => checker,
        Ok(None) => return Vec::new(),
        Err(misuse) => return vec![misused(misuse)],
    };
    let program = String::from_utf8_lossy(checker.program.first().map_or(b"", Vec::as_slice)).into_owned();
    let mut findings = Vec::new();
    if environment.get(b"SECURE_AUTH").is_none() {
        let text =
            "passwords of LOGIN and PLAIN go over the wire as they are; set SECURE_AUTH to take them only under TLS";
        findings.push(Finding::warning("arguments", text));
    }
    if checker.has(b"vchkpw") && checker.convention == Convention::IndiMail {
        let text = "vchkpw wants AUTH_CONVENTION=vpopmail: without it every CRAM-MD5 fails";
        findings.push(Finding::warning("arguments", text));
    }
    if environment.get(b"AUTH_CHECKS").is_some()
        && checker.checks.cram_md5
        && checker.has(b"auth-cdb")
        && environment.get(b"DISABLE_CRAM_MD5").is_none()
    {
        let text = "whoever can read the file of auth-cdb can do CRAM-MD5 as its users; take `cram` out of AUTH_CHECKS as soon \
                    as their clients know SCRAM-SHA-256";
        findings.push(Finding::warning("arguments", text));
    }
    let own = Environment::of_process();
    let control = (b"CONTROLDIR".to_vec(), directory.as_os_str().as_encoded_bytes().to_vec());
    let both = own.iter().chain(environment.iter()).map(|(name, value)| (name.to_vec(), value.to_vec()));
    let environment: Environment = both.chain([control]).collect();
    let setup = Setup { environment, checker: Some(checker), ..Setup::default() };
    let Some(claim) = claim_of_nobody() else { return findings };
    let user = String::from_utf8_lossy(&claim.user).into_owned();
    findings.extend(match check(&setup, &claim) {
        Checked::Yes(_) | Checked::WithoutRelay(_) => {
            let text = format!("{program} says yes to the user {user} and a random password: everybody could relay");
            Some(Finding::error("arguments", text))
        }
        Checked::CannotTell(why) => Some(Finding::warning("arguments", format!("{program} cannot tell: {why}"))),
        Checked::No { .. } => None,
    });
    findings
}

/// Somebody whom nobody could know, with a password that nobody could guess; none without chance.
fn claim_of_nobody() -> Option<Claim> {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets).ok()?;
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let (user, password) = digits.split_at(octets.len());
    let unused = Chance { octets: [0; Chance::OCTETS], now_seconds: 0 };
    let line = STANDARD.encode(format!("\0nobody-{user}\0{password}"));
    match Exchange::begin(Mechanism::Plain, &unused, b"", Binding::Unoffered, Some(line.as_bytes())).1 {
        Step::Check(claim) => Some(claim),
        Step::Challenge(_) | Step::Proven | Step::Over | Step::Cancelled | Step::Malformed | Step::Refused => None,
    }
}
