//! Makes tcp.smtp.cdb anew: the static rules first, then a rule for each address from which somebody has read mail.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::cdb::replace::{InstallError, Replacement};
use crate::relay_table::rules::{Standing, StaticRules, compile};
use crate::relay_table::sources::Layout;
use crate::relay_table::trouble::Trouble;

/// Makes `rules_file`.cdb of the rules in the file and of these addresses; returns how many of them got a rule. An address
/// that the static rules deny, or let relay, gets none: theirs stands.
///
/// # Errors
///
/// [`Trouble::Table`] names what cannot be read or written, or the line that is no rule; the old cdb stays.
pub fn rebuild(rules_file: &Path, addresses: &BTreeSet<IpAddr>, layout: Layout) -> Result<usize, Trouble> {
    let rules = StaticRules::read(rules_file)?;
    let mut text = rules.text().to_vec();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    let also = match layout {
        Layout::IndiMail => "",
        Layout::Vpopmail => ",RBLSMTPD=\"\"",
    };
    let mut count = 0;
    for address in addresses {
        if rules.standing(*address, None)? == Standing::Neither {
            text.extend_from_slice(format!("{address}:allow,RELAYCLIENT=\"\"{also}\n").as_bytes());
            count += 1;
        }
    }
    install(rules_file, &text)?;
    Ok(count)
}

fn install(rules_file: &Path, text: &[u8]) -> Result<(), Trouble> {
    let cdb = with(rules_file, ".cdb");
    let temporary = with(rules_file, &format!(".tmp.{}", std::process::id()));
    let replacement = Replacement::create(&cdb, &temporary).map_err(|error| Trouble::at(&temporary, &error))?;
    compile(rules_file, text, replacement.file())?;
    // tcpserver reads it under another user id, whatever the umask here.
    let prepared = replacement.file().set_permissions(Permissions::from_mode(0o644)).and_then(|()| {
        // What root makes belongs to whom it belonged before: a daemon of that user may make it anew as well.
        let owner = fs::metadata(&cdb).or_else(|_| fs::metadata(rules_file)).ok().filter(|_| geteuid().is_root());
        owner.map_or(Ok(()), |owner| fchown(replacement.file(), Some(owner.uid()), Some(owner.gid())))
    });
    prepared.map_err(|error| Trouble::at(&temporary, &error))?;
    replacement.install().map_err(|error| match error {
        InstallError::Sync(error) => Trouble::at(&temporary, &error),
        InstallError::Move(error) => Trouble::at(&cdb, &error),
    })
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdb::read::Cdb;
    use crate::client::rules::Client;

    const STATIC: &str =
        "# static\n10.:allow,RELAYCLIENT=\"\"\n198.51.100.:deny\n192.0.2.9:allow,MAXLOAD=\"5\"\n:allow";

    fn addresses(list: &[&str]) -> BTreeSet<IpAddr> {
        list.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn rule(cdb: &Path, ip: &str) -> Option<String> {
        let rule = Client { ip: ip.as_bytes(), ..Client::default() }.rule(&Cdb::open(cdb).unwrap()).unwrap();
        rule.map(|(key, value)| format!("{} {}", key.escape_ascii(), value.escape_ascii()))
    }

    #[test]
    fn static_rules_stand_and_logins_come_behind_them() {
        let dir = tempfile::tempdir().unwrap();
        let (file, cdb) = (dir.path().join("tcp.smtp"), dir.path().join("tcp.smtp.cdb"));
        fs::write(&file, STATIC).unwrap();
        let logins = addresses(&["192.0.2.7", "192.0.2.9", "10.1.2.3", "198.51.100.7", "2001:db8::1"]);
        assert_eq!(rebuild(&file, &logins, Layout::Vpopmail), Ok(3));
        let relays = r#"+RELAYCLIENT=\x00+RBLSMTPD=\x00"#;
        assert_eq!(rule(&cdb, "192.0.2.7"), Some(format!("192.0.2.7 {relays}")));
        assert!(rule(&cdb, "2001:db8::1").unwrap().ends_with(relays));
        // Of two rules for one address the static one stands, which knows more of it.
        assert_eq!(rule(&cdb, "192.0.2.9").as_deref(), Some(r"192.0.2.9 +MAXLOAD=5\x00"));
        assert_eq!(rule(&cdb, "198.51.100.7").as_deref(), Some(r"198.51.100. D\x00"));
        assert_eq!(rule(&cdb, "10.1.2.3").as_deref(), Some(r"10. +RELAYCLIENT=\x00"));
        assert_eq!(rule(&cdb, "203.0.113.9").as_deref(), Some(" "));
        assert_eq!(rebuild(&file, &addresses(&["192.0.2.7"]), Layout::IndiMail), Ok(1));
        assert_eq!(rule(&cdb, "192.0.2.7").as_deref(), Some(r"192.0.2.7 +RELAYCLIENT=\x00"));
        assert_eq!(rule(&cdb, "2001:db8::1").as_deref(), Some(" "));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[test]
    fn a_line_that_is_no_rule_keeps_the_old_cdb() {
        let dir = tempfile::tempdir().unwrap();
        let (file, cdb) = (dir.path().join("tcp.smtp"), dir.path().join("tcp.smtp.cdb"));
        fs::write(&file, ":allow\n").unwrap();
        rebuild(&file, &BTreeSet::new(), Layout::IndiMail).unwrap();
        let old = fs::read(&cdb).unwrap();
        fs::write(&file, ":allow\n192.0.2.1:dney\n").unwrap();
        let said = rebuild(&file, &addresses(&["192.0.2.7"]), Layout::IndiMail).unwrap_err();
        assert!(said.to_string().contains("tcp.smtp:2: ") && said.exit_code() == 1, "{said}");
        assert_eq!(fs::read(&cdb).unwrap(), old);
        assert!(rebuild(&dir.path().join("none"), &BTreeSet::new(), Layout::IndiMail).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
