//! Which database server has the table, and how it is reached: host.mysql, its kin, variables and option files.

mod endpoint;
mod named;
mod option_file;
mod tls;

use std::path::{Path, PathBuf};

use crate::control::environment::Environment;
use crate::control::load::{Places, read_list};
use crate::relay_table::sources::named::{Named, Stanza, Way, parse_indimail, parse_vpopmail};
use crate::relay_table::sources::option_file::Options;
use crate::relay_table::trouble::Trouble;

pub use crate::relay_table::sources::endpoint::Endpoint;
pub use crate::relay_table::sources::tls::{Tls, Verification};

/// The table's name if `RELAY_TABLE` does not say otherwise.
const TABLE_DEFAULT: &str = "relay";
/// The central table of a cluster if `CNTRL_TABLE` does not say otherwise.
const CENTRAL_TABLE_DEFAULT: &str = "hostcntrl";
/// The user and database if nothing says otherwise, as the original has them. There is no password without a setting.
const NAME_DEFAULT: &str = "indimail";

/// What a server is asked for: a replica may answer questions, and only the master takes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Questions.
    Read,
    /// Rows.
    Write,
}

/// The layouts of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// IndiMail's: `email`, `ipaddr`, `timestamp`; a user may relay from an address.
    IndiMail,
    /// vpopmail's: `ip_addr`, `timestamp`; everybody may relay from an address.
    Vpopmail,
}

/// A server, and the table on it. Has a password in it: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Where it may be reached, in the order to try.
    pub endpoints: Vec<Endpoint>,
    /// The user of the database.
    pub user: String,
    /// That user's password.
    pub password: Option<String>,
    /// The database.
    pub database: String,
    /// TLS, for what is not a socket.
    pub tls: Option<Tls>,
    /// A statement to begin with.
    pub init: Option<String>,
    /// Ask for compression.
    pub compress: bool,
    /// The table as it stands in statements, quoted.
    pub table: String,
    /// The layout, if a setting names it.
    pub layout: Option<Layout>,
}

/// One of the servers of a domain.
#[derive(Clone, PartialEq, Eq)]
pub struct Member {
    /// The domain is spread over several.
    pub is_distributed: bool,
    /// The host that has the mailboxes, by name or address.
    pub mail_host: String,
    /// The server itself.
    pub server: Server,
}

/// Where settings come from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The variables.
    pub environment: &'a Environment,
    /// The control directory, and the directory above it.
    pub places: &'a Places,
}

impl Sources<'_> {
    /// The server for this purpose. `MASTER_HOST` or `host.master` name the one to write to; else it is the one that is read.
    ///
    /// # Errors
    ///
    /// [`Trouble::Configuration`] names the setting that is wrong; [`Trouble::Table`] the file that cannot be read.
    pub fn server(&self, purpose: Purpose) -> Result<Server, Trouble> {
        let named = self.named(purpose)?;
        self.filled(named)
    }

    /// The server and table of a list of addresses: the one line `server:user:password:database:table` of `NAME.sql`.
    ///
    /// # Errors
    ///
    /// As [`Self::server`]; a missing file, too.
    pub fn of_list(&self, name: &[u8]) -> Result<Server, Trouble> {
        let name = std::str::from_utf8(name).ok().filter(|name| !name.contains('/'));
        let name = name.ok_or_else(|| Trouble::Configuration("that is no name of a list".to_owned()))?;
        let path = self.control_file(format!("{name}.sql"));
        let missing = || Trouble::Table(format!("{}: file does not exist", path.display()));
        let text = read(&path)?.ok_or_else(missing)?;
        let line = text.split('\n').next().unwrap_or_default().trim_end();
        let (named, table) = named::parse_list(line).map_err(|error| Trouble::in_file(&path, &error))?;
        let table = quoted(&path.display().to_string(), &table)?;
        Ok(Server { table, layout: None, ..self.filled(named)? })
    }

    /// Whether it is vpopmail's settings that name the server.
    #[must_use]
    pub fn is_of_vpopmail(&self) -> bool {
        let is_there = |file: &str| self.places.control.join(file).exists();
        self.environment.get(b"MYSQL_HOST").is_none() && !is_there("host.mysql") && is_there("vpopmail.mysql")
    }

    /// The central database of a cluster of IndiMail, and its table of accounts; none if nothing names one.
    ///
    /// # Errors
    ///
    /// As [`Self::server`].
    pub fn central(&self) -> Result<Option<Server>, Trouble> {
        let Some(named) = self.specification("CNTRL_HOST", "host.cntrl")? else { return Ok(None) };
        let or = |given: Option<String>, variable| match given {
            Some(given) => Ok(Some(given)),
            None => self.variable(variable),
        };
        let way = |variable| {
            self.variable(variable)?
                .map(|text| Way::parse(&text))
                .transpose()
                .map_err(|error| Trouble::Configuration(format!("{variable}: {error}")))
        };
        let way = match named.way.clone().or(way("CNTRL_SOCKET")?.flatten()) {
            Some(way) => Some(way),
            None => way("CNTRL_VPORT")?.flatten(),
        };
        let named = Named {
            user: or(named.user, "CNTRL_USER")?,
            password: or(named.password, "CNTRL_PASSWD")?,
            database: or(named.database, "CNTRL_DATABASE")?.or_else(|| Some(NAME_DEFAULT.to_owned())),
            way,
            ..named
        };
        let table = self.variable("CNTRL_TABLE")?.unwrap_or_else(|| CENTRAL_TABLE_DEFAULT.to_owned());
        Ok(Some(Server { table: quoted("CNTRL_TABLE", &table)?, layout: None, ..self.filled(named)? }))
    }

    /// The servers of a domain, as `mcdinfo` has them.
    ///
    /// # Errors
    ///
    /// As [`Self::server`].
    pub fn members(&self, domain: &[u8]) -> Result<Vec<Member>, Trouble> {
        let stanzas = self.stanzas()?.unwrap_or_default();
        let of_domain = stanzas.into_iter().filter(|stanza| stanza.domain.as_bytes().eq_ignore_ascii_case(domain));
        of_domain
            .map(|Stanza { is_distributed, mail_host, named, .. }| {
                Ok(Member { is_distributed, mail_host, server: self.filled(named)? })
            })
            .collect()
    }

    /// The servers of `mcdinfo`, for writing; none if there is no such file.
    ///
    /// # Errors
    ///
    /// As [`Self::server`].
    pub fn cluster(&self) -> Result<Option<Vec<Server>>, Trouble> {
        let Some(stanzas) = self.stanzas()? else { return Ok(None) };
        let mut servers: Vec<Named> = Vec::new();
        for Stanza { named, .. } in stanzas {
            if !servers.contains(&named) {
                servers.push(named);
            }
        }
        servers.into_iter().map(|named| self.filled(named)).collect::<Result<_, _>>().map(Some)
    }

    fn stanzas(&self) -> Result<Option<Vec<Stanza>>, Trouble> {
        let path = self.control_file(self.variable("MCDFILE")?.unwrap_or_else(|| "mcdinfo".to_owned()));
        let Some(text) = read(&path)? else { return Ok(None) };
        named::parse_mcdinfo(&text).map(Some).map_err(|error| Trouble::in_file(&path, &error))
    }

    fn named(&self, purpose: Purpose) -> Result<Named, Trouble> {
        if purpose == Purpose::Write
            && let Some(named) = self.specification("MASTER_HOST", "host.master")?
        {
            return Ok(named);
        }
        if let Some(named) = self.specification("MYSQL_HOST", "host.mysql")? {
            return Ok(named);
        }
        let path = self.control_file("vpopmail.mysql".to_owned());
        match read(&path)? {
            Some(text) => parse_vpopmail(&text, purpose).map_err(|error| Trouble::in_file(&path, &error)),
            None => Ok(Named::default()),
        }
    }

    /// What the variable says, else the first line of the file. The newline is removed and nothing else.
    fn specification(&self, variable: &str, file: &str) -> Result<Option<Named>, Trouble> {
        if let Some(text) = self.variable(variable)? {
            return parse_indimail(&text)
                .map(Some)
                .map_err(|error| Trouble::Configuration(format!("{variable}: {error}")));
        }
        let path = self.control_file(file.to_owned());
        let Some(text) = read(&path)? else { return Ok(None) };
        let line = text.split('\n').next().unwrap_or_default();
        if line.is_empty() {
            return Err(Trouble::in_file(&path, "incomplete line: write host:user:password:socket-or-port into it"));
        }
        parse_indimail(line).map(Some).map_err(|error| Trouble::in_file(&path, &error))
    }

    /// Fills gaps: what the specification lacks comes from the variables, then from the option file.
    fn filled(&self, named: Named) -> Result<Server, Trouble> {
        let options = self.options()?;
        let or = |given: Option<String>, variable: &str, option: &str| -> Result<Option<String>, Trouble> {
            Ok(given.or(self.variable(variable)?).or_else(|| options.value_of(option)).filter(|text| !text.is_empty()))
        };
        let tls = tls::wanted(self, &options, named.tls)?;
        let endpoints = endpoint::endpoints(self, &options, named.hosts, named.way)?;
        Ok(Server {
            endpoints,
            user: or(named.user, "MYSQL_USER", "user")?.unwrap_or_else(|| NAME_DEFAULT.to_owned()),
            password: or(named.password, "MYSQL_PASSWD", "password")?,
            database: or(named.database, "MYSQL_DATABASE", "database")?.unwrap_or_else(|| NAME_DEFAULT.to_owned()),
            tls,
            init: self.variable("MYSQL_INIT_COMMAND")?.or_else(|| options.value_of("init-command")),
            compress: self.environment.get(b"CLIENT_COMPRESS").is_some(),
            table: self.table()?,
            layout: self.layout()?,
        })
    }

    fn options(&self) -> Result<Options, Trouble> {
        let named = self.variable("MYSQL_READ_DEFAULT_FILE")?;
        let group = self.variable("MYSQL_READ_DEFAULT_GROUP")?.unwrap_or_else(|| NAME_DEFAULT.to_owned());
        let path = named.as_ref().map_or_else(|| self.places.working.join("indimail.cnf"), PathBuf::from);
        match read(&path)? {
            Some(text) => Ok(Options::parse(&text, &group)),
            None if named.is_some() => {
                Err(Trouble::in_file(&path, "MYSQL_READ_DEFAULT_FILE names it, and it is missing"))
            }
            None => Ok(Options::default()),
        }
    }

    /// The name of the table, quoted for a statement.
    fn table(&self) -> Result<String, Trouble> {
        quoted("RELAY_TABLE", &self.variable("RELAY_TABLE")?.unwrap_or_else(|| TABLE_DEFAULT.to_owned()))
    }

    fn layout(&self) -> Result<Option<Layout>, Trouble> {
        match self.variable("RELAY_LAYOUT")?.as_deref() {
            None | Some("") => Ok(None),
            Some("indimail") => Ok(Some(Layout::IndiMail)),
            Some("vpopmail") => Ok(Some(Layout::Vpopmail)),
            Some(other) => Err(Trouble::Configuration(format!(
                "RELAY_LAYOUT is `{}`: write indimail or vpopmail, or leave it out",
                other.escape_debug()
            ))),
        }
    }

    /// A variable as text.
    fn variable(&self, name: &str) -> Result<Option<String>, Trouble> {
        let Some(value) = self.environment.get(name.as_bytes()) else { return Ok(None) };
        let text =
            std::str::from_utf8(value).map_err(|_| Trouble::Configuration(format!("{name} is no UTF-8 text")))?;
        Ok(Some(text.to_owned()))
    }

    fn control_file(&self, name: String) -> PathBuf {
        if name.starts_with(['/', '.']) { PathBuf::from(name) } else { self.places.control.join(name) }
    }
}

/// The name of a table, which may have a database in front, as it stands in statements.
///
/// # Errors
///
/// [`Trouble::Configuration`] names the setting when it is no such name.
pub fn quoted(setting: &str, name: &str) -> Result<String, Trouble> {
    let is_plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'$' | b'-'))
    };
    let parts: Vec<&str> = name.split('.').collect();
    if parts.len() > 2 || !parts.iter().all(|part| is_plain(part)) {
        let shown = name.escape_debug();
        return Err(Trouble::Configuration(format!("{setting} is `{shown}`: that is no name of a table")));
    }
    Ok(parts.iter().map(|part| format!("`{part}`")).collect::<Vec<_>>().join("."))
}

/// A file as text; none if there is no such file. The error never tells what stands in it.
fn read(path: &Path) -> Result<Option<String>, Trouble> {
    let Some(octets) = read_list(path).map_err(|error| Trouble::at(path, &error))? else { return Ok(None) };
    String::from_utf8(octets).map(Some).map_err(|_| Trouble::in_file(path, "is no UTF-8 text"))
}

#[cfg(test)]
mod tests;
