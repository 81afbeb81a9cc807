//! The users of this host, as CHECKRECIPIENT and CHECKSENDER know them: who is named in a place that LOCAL_USERS lists.

use crate::account_table::assign::Assign;
use crate::account_table::files;
use crate::errno::words;
use crate::lookup::accounts::{Accounts, any};
use crate::lookup::passwd;
use crate::policy::verdict::LookupFailed;

/// The variable that lists the places.
const LOCAL_USERS: &str = "LOCAL_USERS";
/// Whose files deliver the mail for names that no user has (qmail's dot-qmail(5)).
const ALIAS: &[u8] = b"alias";

/// Where a user may be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `/etc/passwd`.
    Passwd,
    /// `/etc/passwd`, which has what stands before the first hyphen of the name.
    Extension,
    /// `users/cdb`, made of `users/assign`.
    Assign,
    /// A file `.qmail-name` or `.qmail-prefix-default` of the user `alias`, or his `.qmail-default`.
    Alias,
}

impl Place {
    /// The file that has the user.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Place::Passwd | Place::Extension => "passwd",
            Place::Assign => "users/cdb",
            Place::Alias => "~alias/.qmail",
        }
    }
}

/// The places that `LOCAL_USERS` lists.
///
/// # Errors
///
/// A word that is no place, and what to write.
pub fn places(list: &[u8]) -> Result<Vec<Place>, String> {
    let place = |word: &[u8]| match word {
        b"passwd" => Ok(Place::Passwd),
        b"extension" => Ok(Place::Extension),
        b"assign" => Ok(Place::Assign),
        b"alias" => Ok(Place::Alias),
        other => Err(format!("`{}`: write passwd, extension, assign or alias", other.escape_ascii())),
    };
    list.split(|octet| octet.is_ascii_whitespace() || *octet == b',')
        .filter(|word| !word.is_empty())
        .map(place)
        .collect()
}

impl Accounts<'_> {
    /// Where a name, in lower case, is named as one of a user of this host.
    pub(super) fn of_host(&self, name: &[u8]) -> Result<Option<Place>, LookupFailed> {
        let listed = self.setup.environment.get(LOCAL_USERS.as_bytes());
        // As the original knows them.
        let places = listed.map_or(Ok(vec![Place::Passwd]), places);
        let places = places.map_err(|error| LookupFailed::BadSetting { file: LOCAL_USERS.into(), error })?;
        let mut found = None;
        any(places.into_iter().map(|place| {
            let answer = self.is_in_place(place, name);
            found = found.or((answer == Ok(true)).then_some(place));
            answer
        }))?;
        Ok(found)
    }

    fn is_in_place(&self, place: Place, name: &[u8]) -> Result<bool, LookupFailed> {
        let in_passwd = |name| {
            passwd::is_known(&self.passwd, name)
                .map_err(|error| LookupFailed::Passwd(format!("{}: {}", self.passwd.display(), words(&error))))
        };
        match place {
            Place::Passwd => in_passwd(name),
            Place::Extension => match memchr::memchr(b'-', name).and_then(|at| name.get(..at)) {
                Some(user) => in_passwd(user),
                None => Ok(false),
            },
            Place::Assign => {
                let assign = Assign::find(&self.setup.environment, self.setup.working_directory());
                assign.map_or(Ok(false), |assign| assign.has_user(name)).map_err(LookupFailed::Passwd)
            }
            Place::Alias => self.is_alias(name),
        }
    }

    fn is_alias(&self, name: &[u8]) -> Result<bool, LookupFailed> {
        let failed = |error| LookupFailed::Passwd(format!("{}: {error}", self.passwd.display()));
        let home = passwd::home(&self.passwd, ALIAS).map_err(|error| failed(words(&error)))?;
        // A home that is missing has lost its files: nobody can know who was named there.
        let home = home.filter(|home| home.is_dir());
        let home = home.ok_or_else(|| failed("no user alias with a home, which LOCAL_USERS asks for".into()))?;
        let delivers = match files::delivers(&home, name) {
            Ok(false) => files::catches_all(&home),
            known => known,
        };
        delivers.map_err(|trouble| LookupFailed::Passwd(trouble.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use tempfile::TempDir;

    use crate::cdb::make::Maker;
    use crate::control::{Control, Setup};

    use super::*;

    /// A host with the user joe, the name ann in users/cdb, and some files of the user alias.
    fn host() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("alias");
        for directory in ["control", "users", "alias"] {
            fs::create_dir(dir.path().join(directory)).unwrap();
        }
        let passwd = format!("joe:x:7:7::/home/joe:/bin/sh\nalias:x:8:8::{}:/bin/true\n", home.display());
        fs::write(dir.path().join("passwd"), passwd).unwrap();
        let mut maker = Maker::new(File::create(dir.path().join("users/cdb")).unwrap());
        maker.add(b"!ann\0", b"ann\x001\x001\x00/home/ann\0\0").unwrap();
        maker.finish().unwrap();
        for name in [".qmail-postmaster", ".qmail-list-default", ".qmail-a:b"] {
            fs::write(home.join(name), "").unwrap();
        }
        dir
    }

    /// Whether a name is known, or the source that failed.
    fn known(host: &TempDir, places: Option<&str>, name: &str) -> Result<bool, String> {
        let variables = places.map(|places| (LOCAL_USERS.into(), places.into()));
        let control = Control { directory: host.path().join("control"), ..Control::default() };
        let setup = Setup { control, environment: variables.into_iter().collect(), ..Setup::default() };
        let accounts = Accounts::with_passwd(&setup, host.path().join("passwd"));
        let place = accounts.of_host(name.as_bytes()).map_err(|failed| failed.source_name().to_owned());
        place.map(|place| place.is_some())
    }

    #[test]
    fn a_user_is_named_where_local_users_says() {
        let host = host();
        let names = ["joe", "joe-x", "ann", "postmaster", "list-x", "a.b", "nobody"];
        for (places, expected) in [
            (None, vec!["joe"]),
            (Some("passwd"), vec!["joe"]),
            (Some("extension"), vec!["joe-x"]),
            (Some("assign"), vec!["ann"]),
            (Some("alias"), vec!["postmaster", "list-x", "a.b"]),
            (Some("passwd, extension,assign\talias"), vec!["joe", "joe-x", "ann", "postmaster", "list-x", "a.b"]),
            (Some(""), vec![]),
        ] {
            let found: Vec<_> = names.into_iter().filter(|name| known(&host, places, name).unwrap()).collect();
            assert_eq!(found, expected, "{places:?}");
        }
        fs::write(host.path().join("alias/.qmail-default"), "|forward joe\n").unwrap();
        assert_eq!(known(&host, Some("alias"), "nobody"), Ok(true));
    }

    #[test]
    fn a_place_that_cannot_be_read_is_no_answer_unless_another_knows() {
        let host = host();
        let failed = |source: &str| Err(source.to_owned());
        assert_eq!(known(&host, Some("passwd users"), "joe"), failed("LOCAL_USERS"));
        fs::remove_file(host.path().join("users/cdb")).unwrap();
        assert_eq!(known(&host, Some("assign passwd"), "joe"), Ok(true));
        assert_eq!(known(&host, Some("assign passwd"), "jim"), failed("passwd"));
        assert_eq!(known(&host, Some("alias"), "jim"), Ok(false));
        fs::remove_dir_all(host.path().join("alias")).unwrap();
        assert_eq!(known(&host, Some("alias"), "jim"), failed("passwd"));
        fs::write(host.path().join("passwd"), "joe:x:7:7::/home/joe:/bin/sh\n").unwrap();
        assert_eq!(known(&host, Some("alias"), "jim"), failed("passwd"));
    }
}
