//! What a specification of a server names: IndiMail's line, vpopmail's line, a stanza of mcdinfo.

use crate::relay_table::sources::Purpose;

/// The parts of a specification; what it lacks is none. Has a password in it: never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// The hosts, in the order to try.
    pub hosts: Vec<String>,
    pub user: Option<String>,
    pub password: Option<String>,
    /// A socket's path or a port.
    pub way: Option<Way>,
    pub database: Option<String>,
    /// Whether there is to be TLS.
    pub tls: Option<bool>,
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    Socket(String),
    Port(u16),
}

impl Way {
    /// A path begins with a slash or a dot; a port of 0 is none.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.starts_with(['/', '.']) {
            return Ok(Some(Way::Socket(text.to_owned())));
        }
        match text.parse() {
            _ if text.is_empty() => Ok(None),
            Ok(0) => Ok(None),
            Ok(port) => Ok(Some(Way::Port(port))),
            Err(_) => Err("neither the path of a socket nor a port stands where one should".to_owned()),
        }
    }
}

/// `host[,host...][:user[:password[:socket-or-port[:ssl|nossl]]]]`. An IPv6 address is written in brackets.
pub(super) fn parse_indimail(line: &str) -> Result<Named, String> {
    let (hosts, rest) = cut_hosts(line)?;
    let mut fields = rest.split(':').map(|field| Some(field.to_owned()).filter(|field| !field.is_empty()));
    let (user, password) = (fields.next().flatten(), fields.next().flatten());
    let way = Way::parse(&fields.next().flatten().unwrap_or_default())?;
    let tls = match fields.next().flatten().as_deref() {
        None => None,
        Some("ssl") => Some(true),
        Some("nossl") => Some(false),
        Some(_) => return Err("the fifth field is neither `ssl` nor `nossl`".to_owned()),
    };
    if fields.next().is_some() {
        return Err("there are more than five fields; no field may have a colon in it".to_owned());
    }
    Ok(Named { hosts, user, password, way, database: None, tls })
}

/// `server:user:password:database:table`: the server of a list of addresses, and its table.
pub(super) fn parse_list(line: &str) -> Result<(Named, String), String> {
    let (hosts, rest) = cut_hosts(line)?;
    let fields: Vec<&str> = rest.split(':').collect();
    let [user, password, database, table] = fields[..] else {
        return Err("Invalid database config in control file: write server:user:password:database:table".to_owned());
    };
    let some = |field: &str| Some(field.to_owned()).filter(|field| !field.is_empty());
    let named =
        Named { hosts, user: some(user), password: some(password), database: some(database), ..Named::default() };
    Ok((named, table.to_owned()))
}

/// The hosts, and what follows the colon behind them.
fn cut_hosts(line: &str) -> Result<(Vec<String>, &str), String> {
    let mut in_brackets = false;
    let end = line.find(|character| {
        in_brackets = character == '[' || in_brackets && character != ']';
        character == ':' && !in_brackets
    });
    let (hosts, rest) = match end {
        Some(end) => (line.get(..end).unwrap_or_default(), line.get(end + 1..).unwrap_or_default()),
        None => (line, ""),
    };
    if in_brackets && end.is_none() {
        return Err("a bracket is not closed".to_owned());
    }
    Ok((hosts.split(',').map(without_brackets).filter(|host| !host.is_empty()).collect(), rest))
}

fn without_brackets(host: &str) -> String {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned()
}

/// The first line of `server|port-or-socket|user|password|database` for reading, the second, if there is one, for writing.
/// Bars that follow each other are one.
pub(super) fn parse_vpopmail(text: &str, purpose: Purpose) -> Result<Named, String> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let first = lines.next().ok_or("has no line `server|port-or-socket|user|password|database`")?;
    let line = match purpose {
        Purpose::Read => first,
        Purpose::Write => lines.next().unwrap_or(first),
    };
    let mut fields = line.split('|').filter(|field| !field.is_empty()).map(str::to_owned);
    let hosts = fields.next().unwrap_or_default().split(',').map(without_brackets).collect();
    let way = Way::parse(&fields.next().ok_or("the line has no port or socket")?)?;
    let user = Some(fields.next().ok_or("the line has no user")?);
    let password = Some(fields.next().ok_or("the line has no password")?);
    let database = Some(fields.next().ok_or("the line has no database")?);
    Ok(Named { hosts, user, password, way, database, tls: None })
}

/// A server of a cluster, for a domain. Has a password in it: never shown.
#[derive(Clone, Default)]
pub(super) struct Stanza {
    pub domain: String,
    /// The domain has accounts on other servers, too.
    pub is_distributed: bool,
    /// The host with the mailboxes.
    pub mail_host: String,
    pub named: Named,
}

/// The servers of a cluster: stanzas of `server`, `mdahost`, `port`, `use_ssl`, `database`, `user`, `pass`, below lines
/// `domain NAME 0|1`. `#` begins a comment anywhere.
pub(super) fn parse_mcdinfo(text: &str) -> Result<Vec<Stanza>, String> {
    const ITEMS: usize = 7;
    let (mut found, mut stanza, mut items) = (Vec::new(), Stanza::default(), 0);
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(keyword) = words.next() else { continue };
        if ["count", "table", "time"].iter().any(|ignored| keyword.starts_with(ignored)) {
            continue;
        }
        let value = words.next().ok_or_else(|| format!("line {number} has no value"))?.to_owned();
        let named = &mut stanza.named;
        match keyword {
            keyword if keyword.starts_with("domain") => {
                stanza.domain = value;
                stanza.is_distributed = words.next() == Some("1");
                continue;
            }
            "server" if items == 0 => named.hosts = value.split(',').map(without_brackets).collect(),
            _ if items == 0 => return Err(format!("line {number}: a stanza begins with `server`")),
            "mdahost" => stanza.mail_host = value,
            "port" => named.way = Way::parse(&value).map_err(|error| format!("line {number}: {error}"))?,
            "use_ssl" => named.tls = Some(value == "1" || value == "ssl"),
            "database" => named.database = Some(value),
            "user" => named.user = Some(value),
            "pass" => named.password = Some(value),
            _ => return Err(format!("line {number}: `{}` is no keyword", keyword.escape_debug())),
        }
        items += 1;
        if items == ITEMS {
            found.push(stanza.clone());
            (stanza.named, stanza.mail_host, items) = (Named::default(), String::new(), 0);
        }
    }
    if items > 0 { Err("its last stanza is incomplete".to_owned()) } else { Ok(found) }
}
