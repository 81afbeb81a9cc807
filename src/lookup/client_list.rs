//! Whether a list of clients lets one relay: the text or its compiled form is read, then DNS is asked if it must be.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::cdb::read::Cdb;
use crate::control::Setup;
use crate::dns::Dns;
use crate::lookup::address::each_entry;
use crate::lookup::clients::{Hit, Reading, Sought, exception_unreadable};
use crate::lookup::clients_compiled::{self as compiled, Unused};
use crate::lookup::own;
use crate::lookup::pieces::ListFile;
use crate::lookup::undecided::Unreadable;
use crate::policy::verdict::{Answer, Evidence, FileName, LookupFailed, Using};

/// Whom and what a list may ask, and where it says what it noticed.
pub(super) struct World<'w> {
    pub setup: &'w Setup,
    /// None where DNS must not be asked.
    pub dns: Option<&'w mut Dns>,
    pub notes: &'w mut Vec<String>,
}

/// A list of clients: relayclients or relaymx.
#[derive(Clone, Debug)]
pub(super) struct ClientList {
    /// Its name, as the log tells it.
    pub file: FileName,
    path: PathBuf,
}

impl ClientList {
    pub(super) fn new(directory: &Path, file: FileName) -> Self {
        Self { path: directory.join(file.as_ref()), file }
    }

    /// Whether the list has an entry, malformed or not; `None` if there is no such list.
    pub(super) fn has_entries(&self) -> Result<Option<bool>, Unreadable> {
        let mut found = false;
        let see = |_, _: &[u8]| {
            found = true;
            ControlFlow::Break(())
        };
        Ok(each_entry(&self.path, |_| true, see)?.map(|()| found))
    }

    /// What the list says about a client before DNS is asked; `None` if there is no such list.
    pub(super) fn read(&self, sought: &Sought<'_>, notes: &mut Vec<String>) -> Result<Option<Reading>, Unreadable> {
        let unreadable = |error| Unreadable { path: self.path.clone(), error };
        let Some(list) = ListFile::open(&self.path).map_err(unreadable)? else { return Ok(None) };
        let reading = match self.read_compiled(&list, sought) {
            Some(Ok(reading)) => reading,
            none_or_unused => {
                let why = none_or_unused.and_then(Result::err).map(|unused| format!("{}.cdb: {unused}", self.file));
                notes.extend(why);
                Reading::of_text(&list, sought).map_err(unreadable)?
            }
        };
        notes.extend(reading.rejected.notes(&self.file));
        Ok(Some(reading))
    }

    /// The same from the compiled list, if there is one that is of any use.
    fn read_compiled(&self, list: &ListFile, sought: &Sought<'_>) -> Option<Result<Reading, Unused>> {
        let path = compiled_path(&self.path);
        let damaged = |why: String| Some(Err(Unused::Damaged(why)));
        let cdb = match Cdb::open(&path) {
            Ok(cdb) => cdb,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => return damaged(error.to_string()),
        };
        let (made, source) = match (cdb.metadata(), list.file.metadata()) {
            (Ok(made), Ok(source)) => (made, source),
            (Err(error), _) | (_, Err(error)) => return damaged(error.to_string()),
        };
        let checked = compiled::check(&cdb, &made, &source, || std::fs::read(&self.path));
        Some(checked.and_then(|()| compiled::read(&cdb, sought).map_err(|error| Unused::Damaged(error.to_string()))))
    }
}

/// The list's own name with `.cdb` behind it.
fn compiled_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".cdb");
    PathBuf::from(name)
}

/// The lines of a list that could decide, while they are weighed.
struct Weighing<'a, 'w> {
    file: &'a FileName,
    sought: &'a Sought<'a>,
    using: Using,
    world: &'a mut World<'w>,
    /// A grant that might be there, if DNS answered.
    failed: Option<LookupFailed>,
    /// An exception that might be there, if it could be read.
    unreadable: Option<LookupFailed>,
}

/// What DNS says about a line.
enum Resolved {
    /// It speaks for the client.
    Speaks,
    /// It does not, or nobody can know.
    Not,
    /// DNS would have to be asked.
    NotAsked,
}

/// Most specific wins on each of two ladders, networks and names; an exception that wins on one of them is a veto. Where an
/// exception cannot be read nobody is granted, and who would have been gets 451 (D43).
pub(super) fn decide(
    reading: &Reading,
    file: &FileName,
    sought: &Sought<'_>,
    using: Using,
    world: &mut World<'_>,
) -> Result<Answer, LookupFailed> {
    let unreadable = reading.unreadable.as_ref();
    let unreadable = unreadable.map(|(line, why)| exception_failed(file, *line, why.clone()));
    let mut weighing = Weighing { file, sought, using, world, failed: None, unreadable };
    let mut network = reading.network.clone();
    for hit in &reading.me {
        if changes(network.as_ref(), hit) && own::is_own_address(weighing.world.setup, sought.ip)? {
            network = Hit::better(network, hit.clone());
        }
    }
    // Grants first: an exception matters only where there is something to except.
    let (exceptions, grants): (Vec<_>, Vec<_>) = reading.addresses_of.iter().partition(|(hit, _)| hit.exception);
    for (hit, name) in grants.into_iter().chain(exceptions) {
        let nothing_to_except = network.is_none() && reading.name.as_ref().is_none_or(|name| name.exception);
        if changes(network.as_ref(), hit) && !(hit.exception && nothing_to_except) {
            match weighing.addresses_of(hit, name) {
                Resolved::Speaks => network = Hit::better(network, hit.clone()),
                Resolved::Not => {}
                Resolved::NotAsked => return Ok(Answer::NeedsDns),
            }
        }
    }
    let mut granted = network.as_ref().filter(|hit| !hit.exception);
    if let Some(hit) = network.as_ref().filter(|hit| hit.exception) {
        return Ok(Answer::Excepted(evidence(file, hit)));
    }
    // A name is worth asking for if it would grant where nothing does, or veto what does.
    if let Some(hit) = reading.name.as_ref().filter(|hit| hit.exception == granted.is_some()) {
        match weighing.name(hit) {
            Resolved::Speaks if hit.exception => return Ok(Answer::Excepted(evidence(file, hit))),
            Resolved::Speaks => granted = Some(hit),
            Resolved::Not => {}
            Resolved::NotAsked => return Ok(Answer::NeedsDns),
        }
    }
    match (granted, weighing.unreadable, weighing.failed) {
        (Some(_), Some(failed), _) | (None, _, Some(failed)) => Err(failed),
        (Some(hit), None, _) => Ok(Answer::Yes(evidence(file, hit))),
        (None, _, None) => Ok(Answer::No),
    }
}

/// Whether a line would change the answer if it spoke for the client.
fn changes(best: Option<&Hit>, hit: &Hit) -> bool {
    best.is_none_or(|best| hit.wins_over(best) && (hit.exception != best.exception || hit.suffix != best.suffix))
}

fn evidence(file: &FileName, hit: &Hit) -> Evidence {
    Evidence { file: file.clone(), line: Some(hit.line), suffix: hit.suffix.clone() }
}

fn exception_failed(file: &FileName, line: u32, error: String) -> LookupFailed {
    LookupFailed::Exception { file: file.clone(), line, error }
}

impl Weighing<'_, '_> {
    /// Whether the client is one of the addresses of a name.
    fn addresses_of(&mut self, hit: &Hit, name: &[u8]) -> Resolved {
        if self.using == Using::Files {
            return Resolved::NotAsked;
        }
        let shown = String::from_utf8_lossy(name).into_owned();
        let Some(dns) = &mut self.world.dns else { return self.unknown(hit, NOT_ASKED.to_owned()) };
        match dns.host_or_exchangers(name) {
            Ok(addresses) if addresses.contains(&self.sought.ip) => Resolved::Speaks,
            Ok(addresses) if addresses.is_empty() && hit.exception => {
                let why = format!("!@{shown}: this name has no addresses");
                self.world.notes.push(exception_unreadable(self.file, hit.line, &why));
                self.unreadable.get_or_insert(exception_failed(self.file, hit.line, why));
                Resolved::Not
            }
            Ok(addresses) if addresses.is_empty() => {
                let note = format!("{}:{}: @{shown}: this name has no addresses; entry ignored", self.file, hit.line);
                self.world.notes.push(note);
                Resolved::Not
            }
            Ok(_) => Resolved::Not,
            Err(failed) => self.unknown(hit, failed.to_string()),
        }
    }

    /// Whether the client's name leads back to its address.
    fn name(&mut self, hit: &Hit) -> Resolved {
        let Some(name) = self.sought.name.filter(|_| !self.sought.confirmed) else { return Resolved::Speaks };
        if self.using == Using::Files {
            return Resolved::NotAsked;
        }
        let Some(dns) = &mut self.world.dns else { return self.unknown(hit, NOT_ASKED.to_owned()) };
        match dns.confirms(name, self.sought.ip) {
            Ok(true) => Resolved::Speaks,
            Ok(false) => {
                let shown = String::from_utf8_lossy(&crate::smtp::printable::loggable(name)).into_owned();
                let note = format!("{}:{}: {shown} is not a name of {}", self.file, hit.line, self.sought.ip);
                self.world.notes.push(note);
                Resolved::Not
            }
            Err(failed) => self.unknown(hit, failed.to_string()),
        }
    }

    /// Nobody can know now: a grant that may be there is 451, and so is one that an exception may undo.
    fn unknown(&mut self, hit: &Hit, error: String) -> Resolved {
        let failed = LookupFailed::Dns { file: self.file.clone(), line: Some(hit.line), error };
        if hit.exception {
            self.unreadable.get_or_insert(failed);
        } else {
            self.failed.get_or_insert(failed);
        }
        Resolved::Not
    }
}

/// What stands for DNS's answer where it must not be asked.
pub(super) const NOT_ASKED: &str = "DNS was not asked";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What a list says about a client without a name, the host's own addresses and DNS left aside.
    fn answer(text: &str, ip: &str) -> Result<Answer, LookupFailed> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("relayclients"), text).unwrap();
        let setup = Setup::default();
        let mut notes = Vec::new();
        let sought = Sought { ip: ip.parse().unwrap(), name: None, confirmed: false };
        let list = ClientList::new(dir.path(), "relayclients".into());
        let reading = list.read(&sought, &mut notes).unwrap().unwrap();
        let mut world = World { setup: &setup, dns: None, notes: &mut notes };
        decide(&reading, &list.file, &sought, Using::Files, &mut world)
    }

    fn client(text: &str, ip: &str) -> Option<(u32, String)> {
        match answer(text, ip).unwrap() {
            Answer::Yes(evidence) => Some((evidence.line.unwrap(), String::from_utf8(evidence.suffix).unwrap())),
            Answer::No | Answer::Excepted(_) => None,
            answer @ (Answer::Absent | Answer::NeedsDns | Answer::Unfit(_) | Answer::Applied(_)) => {
                panic!("{answer:?}")
            }
        }
    }

    #[test]
    fn the_most_specific_line_speaks_for_a_client() {
        let yes = |line, value: &str| Some((line, value.to_owned()));
        let cases = [
            ("192.168.0.1:\n", "192.168.0.1", yes(1, "")),
            ("192.168.0.1:\n", "192.168.0.10", None),
            ("192.168.0.1:\n", "192.168.0.11", None),
            ("192.168.0.1\n", "192.168.0.1", yes(1, "")),
            ("192.168.1.:\n", "192.168.1.77", yes(1, "")),
            ("192.168.1.:\n", "192.168.10.77", None),
            ("192.168.1.\n", "192.168.1.77", yes(1, "")),
            ("192.168.1\n192\n", "192.168.1.77", None),
            ("192.168.0.1:@Gw.ex\n", "192.168.0.1", yes(1, "@Gw.ex")),
            ("192.168.0.1:\n", "::ffff:192.168.0.1", yes(1, "")),
            ("::FFFF:192.168.0.1\n", "192.168.0.1", yes(1, "")),
            ("0:0:0:0:0:ffff:c0a8:1:@gw\n", "192.168.0.1", yes(1, "@gw")),
            ("10.1.2.3:a\n10.:b\n10.1.2.:c\n10.1.:d\n", "10.1.2.3", yes(1, "a")),
            ("10.:b\n10.1.2.:c\n10.1.:d\n", "10.1.2.4", yes(2, "c")),
            ("10.:b\n10.1.:d\n10.:e:f\n", "10.2.2.4", yes(3, "e:f")),
            ("10.0.0.1\n10.0.0.2:x\n", "10.0.0.1", yes(1, "")),
            ("10.0.0.1 \t\n10.0.0.1:y \n", "10.0.0.1", yes(2, "y")),
            ("2001:DB8:0:0::1\n", "2001:db8::1", yes(1, "")),
            ("2001:DB8:0:0::1:\n", "2001:db8::1", yes(1, "")),
            ("2001:db8::1:@gw.ex\n", "2001:db8::1", yes(1, "@gw.ex")),
            ("2001:db8::1:25\n", "2001:db8::1", None),
            ("2001:db8::1:25\n", "2001:db8::1:25", yes(1, "")),
            ("#2001:db8::1\n 2001:db8::1\n", "2001:db8::1", None),
            ("2001:\n", "2001:db8::1", None),
        ];
        for (text, ip, expected) in cases {
            assert_eq!(client(text, ip), expected, "{ip} in {text:?}");
        }
    }

    #[test]
    fn the_order_of_lines_does_not_matter() {
        let lines = ["1.2.3.4", "!1.2.3.0/24", "1.2.0.0/16"];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let text = order.map(|index| lines[index]).join("\n");
            let found = ["1.2.3.4", "1.2.3.5", "1.2.4.5", "1.3.2.4"].map(|ip| client(&text, ip).is_some());
            assert_eq!(found, [true, false, true, false], "{text:?}");
        }
        assert_eq!(client("192.0.2.0/24\n!192.0.2.0/24\n", "192.0.2.1"), None);
        assert_eq!(client("!192.0.2.0/24\n192.0.2.0/24\n", "192.0.2.1"), None);
    }

    #[test]
    fn an_exception_that_cannot_be_read_grants_nobody() {
        let text = "192.168.0.0/16\n!192.168.300.*\n";
        let error = answer(text, "192.168.1.1").unwrap_err();
        assert!(error.to_string().starts_with("relayclients:2: !192.168.300.*: an octet above 255 (300)"), "{error}");
        assert_eq!(answer(text, "10.1.1.1"), Ok(Answer::No));
        assert_eq!(
            answer("192.168.0.0/16\n192.168.300.*\n", "192.168.1.1").map(|answer| answer != Answer::No),
            Ok(true)
        );
    }

    #[test]
    fn dns_is_asked_only_where_it_can_change_the_answer() {
        let needs_dns = |text: &str| answer(text, "192.0.2.1") == Ok(Answer::NeedsDns);
        assert!(needs_dns("@gw.ex\n"));
        assert!(needs_dns("192.0.2.0/24\n!@gw.ex\n"));
        assert!(needs_dns("192.0.2.1\n!@gw.ex\n"));
        assert!(needs_dns("!192.0.2.0/24\n@gw.ex\n"));
        assert!(needs_dns("192.0.2.0/24\n@gw.ex:@route\n"));
        assert!(!needs_dns("192.0.2.0/24\n@gw.ex\n"));
        assert!(!needs_dns("!192.0.2.1\n@gw.ex\n"));
        assert!(!needs_dns("!@gw.ex\n!192.0.2.1\n"));
        assert!(!needs_dns("!@gw.ex\n10.0.0.1\n"));
        assert!(!needs_dns("=.gw.ex\n"));
    }
}
