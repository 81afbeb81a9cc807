//! What is wrong with TLS: a certificate that cannot be used, or not much longer, or whose key everybody may read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use crate::control::Setup;
use crate::control::environment::Environment;
use crate::operator::finding::Finding;
use crate::tls::{Files, Server, TICKET_KEYS, has_certificate};

/// So long before its end a certificate should have been replaced.
const NOTICE_DAYS: i64 = 14;
const DAY_SECONDS: i64 = 86_400;

/// Prepares TLS as smtpd does, where it is asked for or there is a certificate.
pub(super) fn lint_tls(directory: &Path, environment: &Environment) -> Vec<Finding> {
    let Ok(setup) = Setup::load(environment.clone(), directory, None) else { return Vec::new() };
    let files = Files::of(&setup);
    if !setup.control.starttls && !setup.control.smtps && !has_certificate(&setup) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    match Server::prepare(&setup) {
        Ok(server) => {
            findings.extend(server.remarks.iter().map(|remark| Finding::warning(&files.directory, remark.as_str())));
            findings.extend(server.ends_at_seconds().and_then(|end| lint_end(&files.certificate, end)));
        }
        Err(unusable) => findings.push(Finding::error(&files.certificate, unusable.to_string())),
    }
    let is_open = |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0);
    let keys = files.directory.join(TICKET_KEYS);
    for (path, what) in [(&files.certificate, "the private key is"), (&keys, "the keys of all sessions are")] {
        if is_open(path) {
            let text = format!("everybody may read it, and {what} in it: let only smtpd's user and root");
            findings.push(Finding::warning(path, text));
        }
    }
    findings
}

/// A certificate that ends soon, or has ended.
fn lint_end(path: &Path, end_seconds: i64) -> Option<Finding> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let left_seconds = end_seconds - i64::try_from(now.as_secs()).ok()?;
    match left_seconds {
        ..0 => Some(Finding::error(path, "the certificate has expired: clients that look at it go away")),
        left if left < NOTICE_DAYS * DAY_SECONDS => {
            Some(Finding::warning(path, format!("the certificate expires in {} days", left / DAY_SECONDS)))
        }
        _ => None,
    }
}
