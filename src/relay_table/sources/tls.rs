//! TLS to the database: whether, with which certificates, and what is verified.

use std::path::PathBuf;

use crate::relay_table::sources::Sources;
use crate::relay_table::sources::option_file::Options;
use crate::relay_table::trouble::Trouble;

/// What is verified of the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verification {
    /// Nothing, as the original: the connection is secret, and nobody knows with whom.
    Nothing,
    /// That it comes from the authority.
    Chain,
    /// That, and that it is for the host's name.
    Name,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The authority's certificates; without them it is those that everybody knows.
    pub authority: Option<PathBuf>,
    /// Our own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// What is verified.
    pub verification: Verification,
}

/// Settings of OpenSSL that nothing here can do: with one of them nobody is asked, because it was set for safety.
const NOT_POSSIBLE: [&str; 4] =
    ["MYSQL_OPT_SSL_CAPATH", "MYSQL_OPT_SSL_CIPHER", "MYSQL_OPT_SSL_CRL", "MYSQL_OPT_SSL_CRLPATH"];

/// The TLS that the fifth field (`field`), the variables and the option file ask for.
pub(super) fn wanted(sources: &Sources<'_>, options: &Options, field: Option<bool>) -> Result<Option<Tls>, Trouble> {
    let path = |variable: &str, option: &str| -> Result<Option<PathBuf>, Trouble> {
        Ok(sources
            .variable(variable)?
            .or_else(|| options.value_of(option))
            .filter(|path| !path.is_empty())
            .map(PathBuf::from))
    };
    let authority = path("MYSQL_OPT_SSL_CA", "ssl-ca")?;
    let mode = mode(sources)?;
    let asked_for = mode.is_some()
        || sources.environment.get(b"MYSQL_OPT_SSL_ENFORCE").is_some()
        || sources.environment.get(b"MYSQL_OPT_SSL_VERIFY_CERT").is_some()
        || authority.is_some()
        || options.value_of("ssl").is_some_and(|value| !is_off(&value));
    if !field.unwrap_or(asked_for) {
        return Ok(None);
    }
    if let Some(variable) = NOT_POSSIBLE.iter().find(|name| sources.environment.get(name.as_bytes()).is_some()) {
        return Err(Trouble::Configuration(format!(
            "{variable} cannot be heeded: name certificates with MYSQL_OPT_SSL_CA, MYSQL_OPT_SSL_CERT and MYSQL_OPT_SSL_KEY"
        )));
    }
    let identity = match (path("MYSQL_OPT_SSL_CERT", "ssl-cert")?, path("MYSQL_OPT_SSL_KEY", "ssl-key")?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(Trouble::Configuration("MYSQL_OPT_SSL_CERT and MYSQL_OPT_SSL_KEY belong together".to_owned()));
        }
    };
    let verifies = sources.environment.get(b"MYSQL_OPT_SSL_VERIFY_CERT").is_some()
        || options.value_of("ssl-verify-server-cert").is_some_and(|value| !is_off(&value));
    let by_other = match (verifies, authority.is_some()) {
        (true, _) => Verification::Name,
        (false, true) => Verification::Chain,
        (false, false) => Verification::Nothing,
    };
    Ok(Some(Tls { authority, identity, verification: mode.unwrap_or(Verification::Nothing).max(by_other) }))
}

/// Whether a value of an option file says no; without a value an option says yes.
fn is_off(value: &str) -> bool {
    ["0", "off", "false"].iter().any(|off| value.eq_ignore_ascii_case(off))
}

/// What `MYSQL_OPT_SSL_MODE` asks for; none if it asks for nothing.
fn mode(sources: &Sources<'_>) -> Result<Option<Verification>, Trouble> {
    let Some(mode) = sources.variable("MYSQL_OPT_SSL_MODE")? else { return Ok(None) };
    match mode.to_ascii_uppercase().as_str() {
        "" | "1" | "DISABLED" | "2" | "PREFERRED" => Ok(None),
        "3" | "REQUIRED" => Ok(Some(Verification::Nothing)),
        "4" | "VERIFY_CA" => Ok(Some(Verification::Chain)),
        "5" | "VERIFY_IDENTITY" => Ok(Some(Verification::Name)),
        _ => Err(Trouble::Configuration(format!("MYSQL_OPT_SSL_MODE is `{}`: that is no mode", mode.escape_debug()))),
    }
}
