//! Servers of MariaDB that follow each other: a primary with its replica, and the nodes of a Galera cluster.
#![allow(dead_code)]

use std::path::Path;

use crate::keeper::{PATIENCE, free_ports, wait_until};
use crate::mariadb::MariaDb;

/// By Debian: galera-4.
const GALERA: &str = "/usr/lib/galera/libgalera_smm.so";

/// A server, and one that may only be read and does what the first did.
pub struct Replicated {
    pub primary: MariaDb,
    pub replica: MariaDb,
}

impl Replicated {
    pub fn start() -> Replicated {
        let primary = MariaDb::start_with(&["--server-id=1", "--log-bin=log"]);
        primary.sql(None, "create user follower identified by 'follow'; grant replication slave on *.* to follower");
        let replica = MariaDb::start_with(&["--server-id=2", "--read-only=1"]);
        let follow = format!(
            "change master to master_host='127.0.0.1', master_port={}, master_user='follower', \
             master_password='follow', master_use_gtid=slave_pos, master_connect_retry=1; start slave",
            primary.port()
        );
        replica.sql(None, &follow);
        Replicated { primary, replica }
    }

    /// Waits until the replica has done all that the primary has done up to now.
    pub fn wait_until_caught_up(&self) {
        let position = self.primary.sql(None, "select @@gtid_binlog_pos");
        let wait = format!("select master_gtid_wait('{position}', {})", PATIENCE.as_secs());
        let status = || self.replica.sql(None, "show all slaves status");
        assert_eq!(self.replica.sql(None, &wait), "0", "the replica stays behind:\n{}", status());
    }
}

/// A node of a cluster; both its copies of the data can be written.
pub struct GaleraNode {
    pub server: MariaDb,
}

impl GaleraNode {
    /// The first node of a new cluster.
    pub fn first() -> GaleraNode {
        GaleraNode { server: MariaDb::start_where(|_| galera_options("gcomm://")) }
    }

    /// A node that gets its data from another one, by rsync, and follows it.
    pub fn join(other: &GaleraNode) -> GaleraNode {
        let address = other
            .server
            .sql(None, "select substring_index(@@wsrep_provider_options, 'gmcast.listen_addr = tcp://', -1)");
        let address = address.split(';').next().unwrap();
        GaleraNode { server: MariaDb::start_where(|_| galera_options(&format!("gcomm://{address}"))) }
    }

    /// Waits until this is the number of nodes that see each other.
    pub fn wait_for_size(&self, size: usize) {
        self.wait_for("wsrep_cluster_size", &size.to_string());
    }

    /// Waits until the node has no majority any more, as after the death of one of two: it does not answer queries.
    pub fn wait_until_it_is_alone(&self) {
        self.wait_for("wsrep_ready", "OFF");
    }

    fn wait_for(&self, variable: &str, value: &str) {
        let line = format!("{variable}\t{value}");
        wait_until(&line, || self.server.sql(None, &format!("show status like '{variable}'")) == line);
    }
}

/// A node misses another one after two seconds.
fn galera_options(cluster: &str) -> Vec<String> {
    let [group, incremental, snapshot] = free_ports();
    let provider = format!(
        "base_host=127.0.0.1;base_port={group};gmcast.listen_addr=tcp://127.0.0.1:{group};\
         ist.recv_addr=127.0.0.1:{incremental};gcache.size=16M;evs.keepalive_period=PT0.5S;\
         evs.inactive_check_period=PT0.2S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S"
    );
    assert!(Path::new(GALERA).exists(), "{GALERA} (Debian: galera-4) is missing");
    vec![
        "--wsrep-on=1".to_owned(),
        format!("--wsrep-provider={GALERA}"),
        format!("--wsrep-provider-options={provider}"),
        format!("--wsrep-cluster-address={cluster}"),
        "--wsrep-node-address=127.0.0.1".to_owned(),
        "--wsrep-sst-method=rsync".to_owned(),
        format!("--wsrep-sst-receive-address=127.0.0.1:{snapshot}"),
        "--binlog-format=ROW".to_owned(),
        "--innodb-autoinc-lock-mode=2".to_owned(),
    ]
}
