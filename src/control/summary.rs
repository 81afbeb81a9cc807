//! What `smtpd -v` says: what this program can do, and which control files and variables it finds.

use std::path::Path;

use crate::control::environment::Environment;
use crate::control::settings::LISTING;

/// The features, then a line for each control file and each variable of [`LISTING`].
#[must_use]
pub fn summary(directory: &Path, environment: &Environment) -> String {
    let mut text = format!("Postern smtpd {}\n", env!("CARGO_PKG_VERSION"));
    text += "features: PIPELINING 8BITMIME SIZE SMTPUTF8 STARTTLS, TLS 1.2 and 1.3, AUTH LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256(-PLUS) (AUTH_LEGACY: XOAUTH2 CRAM-SHA1 CRAM-SHA224 CRAM-SHA256 CRAM-SHA384 CRAM-SHA512 CRAM-RIPEMD SCRAM-SHA-1(-PLUS)), relay control, early-talker check, tarpit\n";
    text += &format!("control directory: {}\n", directory.display());
    for line in LISTING.split(|&byte| byte == b'\n') {
        let mut words = line.split(|&byte| byte == b' ').map(|word| str::from_utf8(word).unwrap_or_default());
        let (Some(file), Some(variable), Some(sign)) = (words.next(), words.next(), words.next()) else { continue };
        let remark = if sign == "-" { " (no effect)" } else { "" };
        if !file.is_empty() {
            let found = match directory.join(file).try_exists() {
                Ok(true) => "present",
                Ok(false) => "absent",
                Err(_) => "unreadable",
            };
            text += &format!("control file {file}: {found}{remark}\n");
        }
        if !variable.is_empty() {
            let found = if environment.get(variable.as_bytes()).is_some() { "set" } else { "not set" };
            text += &format!("environment {variable}: {found}{remark}\n");
        }
    }
    text + "environment written for the queue program: TCPREMOTEINFO AUTHINFO AUTHENTICATED SMTPAUTHUSER SMTP_AUTH_USER SMTPAUTHMETHOD RELAYCLIENT, after AUTH\n"
}
