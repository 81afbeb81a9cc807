//! Where a server is reached: a socket, or a host and port.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::relay_table::sources::Sources;
use crate::relay_table::sources::named::Way;
use crate::relay_table::sources::option_file::Options;
use crate::relay_table::trouble::Trouble;

/// The port of MySQL.
const PORT: u16 = 3306;
/// Where a server on this host has its socket, when nobody says so.
const SOCKETS: [&str; 4] =
    ["/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"];

/// A way to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A socket on this host.
    Socket(PathBuf),
    /// A host's name or address, and a port.
    Tcp(String, u16),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Socket(path) => write!(f, "{}", path.display()),
            Endpoint::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// The ways to these hosts, in the order to try. A socket is for this host alone; a port asks for TCP.
pub(super) fn endpoints(
    sources: &Sources<'_>,
    options: &Options,
    hosts: Vec<String>,
    way: Option<Way>,
) -> Result<Vec<Endpoint>, Trouble> {
    let hosts = match (hosts.is_empty(), options.value_of("host")) {
        (true, Some(host)) => vec![host],
        (true, None) => vec!["localhost".to_owned()],
        (false, _) => hosts,
    };
    let by_tcp = sources.variable("MYSQL_OPT_PROTOCOL")?.is_some_and(|number| number == "1");
    let way = match way {
        Some(way) => Some(way),
        None => other_way(sources, options, &hosts, by_tcp)?,
    };
    Ok(match way {
        Some(Way::Socket(path)) if !by_tcp => vec![Endpoint::Socket(path.into())],
        Some(Way::Port(port)) => hosts.into_iter().map(|host| Endpoint::Tcp(host, port)).collect(),
        Some(Way::Socket(_)) | None => hosts.into_iter().map(|host| usual(host, by_tcp)).collect(),
    })
}

/// A socket or port that the specification lacks: a socket counts only when this host is meant, and not by TCP.
fn other_way(sources: &Sources<'_>, options: &Options, hosts: &[String], by_tcp: bool) -> Result<Option<Way>, Trouble> {
    let is_by_socket = !by_tcp && hosts.iter().all(|host| is_this_host(host));
    let socket = sources.variable("MYSQL_SOCKET")?.filter(|path| is_by_socket && !path.is_empty());
    let port = |text: Option<String>, name: &str| match text.map(|text| Way::parse(&text)).transpose() {
        Ok(way) => Ok(way.flatten()),
        Err(error) => Err(Trouble::Configuration(format!("{name}: {error}"))),
    };
    let way = match socket {
        Some(path) => Some(Way::Socket(path)),
        None => port(sources.variable("MYSQL_VPORT")?, "MYSQL_VPORT")?,
    };
    match (way, options.value_of("socket").filter(|_| is_by_socket)) {
        (Some(way), _) => Ok(Some(way)),
        (None, Some(path)) => Ok(Some(Way::Socket(path))),
        (None, None) => port(options.value_of("port"), "port"),
    }
}

fn usual(host: String, by_tcp: bool) -> Endpoint {
    let socket = SOCKETS.iter().map(Path::new).find(|path| host == "localhost" && !by_tcp && path.exists());
    socket.map_or_else(|| Endpoint::Tcp(host, PORT), |path| Endpoint::Socket(path.to_path_buf()))
}

fn is_this_host(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
