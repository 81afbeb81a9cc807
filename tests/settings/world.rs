//! What the deeds need besides smtpd: one database server, one name server, one authority of certificates.

use std::path::Path;
use std::sync::LazyLock;

use crate::certificates::{Authority, Kind};
use crate::dns::DnsServer;
use crate::home::Home;
use crate::mariadb::{Database, MariaDb};
use crate::secure::Client;
use crate::support::program;

/// The servers start when somebody needs them, and end with the value.
pub struct World {
    database: LazyLock<(MariaDb, Database)>,
    dns: LazyLock<DnsServer>,
    certificates: LazyLock<Certificates>,
}

/// What an authority has made.
struct Certificates {
    authority: Vec<u8>,
    server: Vec<u8>,
    /// Of a client whose mail address is a@b.c.
    client: Vec<u8>,
    /// The list that revokes it.
    revoked: Vec<u8>,
}

impl World {
    pub fn new() -> World {
        World {
            database: LazyLock::new(database),
            dns: LazyLock::new(|| DnsServer::start("client.example. A 10.1.2.3")),
            certificates: LazyLock::new(certificates),
        }
    }

    /// Starts everything, which takes a while.
    pub fn begin(&self) {
        LazyLock::force(&self.dns);
        LazyLock::force(&self.certificates);
        LazyLock::force(&self.database);
    }

    /// A client of TLS that has a certificate, for who asks for one.
    pub fn client(&self) -> Client {
        Client::with(self.certificates.client.clone(), &self.certificates.authority)
    }

    /// The text with what it names by words in angle brackets.
    pub fn filled(&self, text: &str, home: &Home) -> String {
        let mut filled = text.to_owned();
        for (word, means) in WORDS {
            if filled.contains(word) {
                filled = filled.replace(word, &means(self, home));
            }
        }
        filled
    }
}

/// A database server with TLS, and the tables of tables.sql in a database; further users may do less than its own.
fn database() -> (MariaDb, Database) {
    let server = MariaDb::start_with_tls(&[]);
    let database = server.database();
    let name = &database.name;
    database.sql(include_str!("tables.sql"));
    database.sql(&format!(
        "create user reader identified by 'Reader'; grant select on {name}.* to reader; \
         create user certified identified by 'Certified' require x509; grant select on {name}.* to certified"
    ));
    (server, database)
}

fn certificates() -> Certificates {
    let authority = Authority::new();
    let client = authority.client("a@b.c");
    Certificates {
        authority: authority.certificate(),
        server: authority.server("mx.test", Kind::Ecdsa),
        client,
        revoked: authority.revoke(Some("a@b.c")),
    }
}

type Means = fn(&World, &Home) -> String;

/// What stands for more words comes first.
const WORDS: &[(&str, Means)] = &[
    ("<server>", |_, _| "127.0.0.1:<user>:<password>:<port>".to_owned()),
    ("<cluster>", |_, _| CLUSTER.to_owned()),
    ("<options>", |_, _| OPTIONS.to_owned()),
    ("<user>", |world, _| world.database.1.user.clone()),
    ("<password>", |world, _| world.database.1.password.clone()),
    ("<database>", |world, _| world.database.1.name.clone()),
    ("<port>", |world, _| world.database.0.port().to_string()),
    ("<socket>", |world, _| shown(&world.database.0.socket())),
    ("<database-authority>", |world, _| shown(&world.database.0.ca())),
    ("<database-certificate>", |world, _| shown(&world.database.0.client("pem"))),
    ("<database-key>", |world, _| shown(&world.database.0.client("key"))),
    ("<dns>", |world, _| world.dns.address()),
    ("<servercert>", |world, _| pem(&world.certificates.server)),
    ("<authority>", |world, _| pem(&world.certificates.authority)),
    ("<revoked>", |world, _| pem(&world.certificates.revoked)),
    ("<checker>", |_, _| shown(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/checker.sh"))),
    ("<auth-cdb>", |_, _| shown(&program("auth-cdb"))),
    ("<queue>", |_, home| shown(&home.queue())),
    ("<home>", |_, home| shown(home.path())),
    ("<session>", |_, home| home.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.').to_owned()),
    ("<LF>", |_, _| "\n".to_owned()),
];

const OPTIONS: &str = "user=<user><LF>password=<password><LF>database=<database><LF>socket=<socket>";
/// A server of mcdinfo; what stands before it says of which domain.
const CLUSTER: &str = "server 127.0.0.1<LF>mdahost one.example<LF>port <port><LF>use_ssl 0<LF>database <database><LF>\
                       user <user><LF>pass <password>";

fn pem(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap().trim_end().to_owned()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
