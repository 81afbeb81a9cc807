//! More than one server: replicas, masters, clusters, and what happens when one of them goes.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{GaleraNode, Replicated};
use crate::hanging::HangingServer;
use crate::mariadb::{Layout, MariaDb};
use crate::site::{LATER, OK, REFUSED, Site};

/// Questions go to the replica (host.mysql), rows to the master (host.master).
#[test]
fn a_replica_is_asked_and_the_master_is_written() {
    let pair = Replicated::start();
    let on_primary = pair.primary.database();
    on_primary.table(Layout::IndiMail);
    pair.wait_until_caught_up();
    let on_replica = on_primary.on(&pair.replica);
    let site = Site::with_database(&on_replica);
    let said = site.run("opensmtp", &["--user", "joe@x.ex", "--ip", "192.0.2.7"]);
    assert!(said.code == Some(111) && said.errors.contains("read-only"), "a replica takes no rows: {said:?}");
    site.home.write("host.master", format!("{}\n", on_primary.host_mysql_line_tcp()));
    site.login("joe@x.ex", "192.0.2.7");
    pair.wait_until_caught_up();
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), OK);
    // The replica is asked, not the master: it has a row of its own.
    on_replica.sql("set global read_only = 0; insert into relay values ('ann@x.ex', '192.0.2.7', unix_timestamp())");
    assert_eq!(site.rcpt("ann@x.ex", "192.0.2.7"), OK);
    on_primary.sql("update relay set timestamp = timestamp - 7200");
    assert_eq!(site.run("clearopensmtp", &["-s"]).code, Some(0));
    pair.wait_until_caught_up();
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), REFUSED);
    assert_eq!(on_primary.sql("select count(*) from relay"), "0");
}

#[test]
fn the_next_host_is_asked_when_one_does_not_answer() {
    let mut first = MariaDb::start();
    let second = MariaDb::start();
    let (on_first, on_second) = (first.database(), second.database());
    assert_eq!(
        (&on_first.name, &on_first.user, &on_first.password),
        (&on_second.name, &on_second.user, &on_second.password)
    );
    on_first.table(Layout::IndiMail);
    on_second.table(Layout::IndiMail);
    on_first.sql("insert into relay values ('first@x.ex', '192.0.2.7', unix_timestamp())");
    on_second.sql("insert into relay values ('second@x.ex', '192.0.2.7', unix_timestamp())");
    let line = |hosts: &str, port: u16| format!("{hosts}:{}:{}:{port}", on_first.user, on_first.password);
    let site = Site::with_server(&line("127.0.0.1,[::1]", first.port())).with("MYSQL_DATABASE", &on_first.name);
    assert_eq!(site.rcpt("first@x.ex", "192.0.2.7"), OK);
    // Nothing listens on 127.0.0.2 there.
    site.home.write("host.mysql", line("127.0.0.2,127.0.0.1", second.port()));
    assert_eq!(site.rcpt("second@x.ex", "192.0.2.7"), OK);
    assert_eq!(site.rcpt("first@x.ex", "192.0.2.7"), REFUSED);
    site.login("third@x.ex", "192.0.2.7");
    assert_eq!(on_second.sql("select count(*) from relay"), "2");
    first.stop();
    site.home.write("host.mysql", line("127.0.0.1,[::1]", first.port()));
    let (reply, log) = site.rcpt_and_log("first@x.ex", "192.0.2.7");
    assert!(reply == LATER && log.contains("127.0.0.1:") && log.contains("[::1]:"), "both are told: {log}");
}

/// A host that takes connections and says nothing costs its share of the time, and no more.
#[test]
fn a_host_that_hangs_leaves_time_for_the_next() {
    let server = MariaDb::shared();
    let database = server.database();
    database.table(Layout::IndiMail);
    // The one that hangs listens on another address, at the same port.
    let Ok(hanging) = std::net::TcpListener::bind(("127.0.0.2", server.port())) else { panic!("127.0.0.2 is taken") };
    let line = format!("127.0.0.2,127.0.0.1:{}:{}:{}", database.user, database.password, server.port());
    let site = Site::with_server(&line).with("MYSQL_DATABASE", &database.name).with("RELAY_DB_TIMEOUT", "2");
    site.login("joe@x.ex", "192.0.2.7");
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), OK);
    drop(hanging);
}

/// Also one that lets us in and then does not come to an end.
#[test]
fn a_server_that_hangs_on_the_question_leaves_time_for_the_next() {
    let first = MariaDb::start();
    let port = format!("--port={}", first.port());
    let second = MariaDb::start_with(&["--bind-address=127.0.0.2", &port]);
    let (on_first, on_second) = (first.database(), second.database());
    assert_eq!((&on_first.name, &on_first.password), (&on_second.name, &on_second.password));
    for database in [&on_first, &on_second] {
        database.table(Layout::IndiMail);
        database.sql("insert into relay values ('joe@x.ex', '192.0.2.7', unix_timestamp())");
    }
    let mut locker = Command::new("mariadb");
    locker.args(["--no-defaults", "--user=root", "--socket"]).arg(first.socket()).arg(&on_first.name);
    locker.arg("--execute=lock tables relay write; select sleep(60)").stdout(Stdio::null()).stderr(Stdio::null());
    let mut locker = locker.spawn().unwrap();
    let sleeps = "select count(*) from information_schema.processlist where info like 'select sleep%'";
    crate::keeper::wait_until("the table is locked", || first.sql(None, sleeps) == "1");
    let line = format!("127.0.0.1,127.0.0.2:{}:{}:{}", on_first.user, on_first.password, first.port());
    let site = Site::with_server(&line).with("MYSQL_DATABASE", &on_first.name).with("RELAY_DB_TIMEOUT", "3");
    let (reply, log) = site.rcpt_and_log("joe@x.ex", "192.0.2.7");
    assert_eq!(reply, OK, "{log}");
    site.login("joe@x.ex", "192.0.2.7");
    let _ = locker.kill();
    let _ = locker.wait();
}

#[test]
fn a_cluster_survives_the_death_of_a_node() {
    let first = GaleraNode::first();
    let database = first.server.database();
    database.table(Layout::IndiMail);
    let mut second = GaleraNode::join(&first);
    first.wait_for_size(2);
    let on_second = database.on(&second.server);
    // Each front end asks its own node; what one has recorded, the other knows.
    let here = Site::with_server(&database.host_mysql_line_tcp()).with("MYSQL_DATABASE", &database.name);
    let there = Site::with_server(&on_second.host_mysql_line_tcp()).with("MYSQL_DATABASE", &database.name);
    here.login("joe@x.ex", "192.0.2.7");
    crate::keeper::wait_until("the other node knows", || there.rcpt("joe@x.ex", "192.0.2.7") == OK);
    // Both write the same row at once, over and over: conflicts between the nodes are tried again.
    std::thread::scope(|scope| {
        for site in [&here, &there] {
            scope.spawn(|| (0..30).for_each(|_| site.login("joe@x.ex", "192.0.2.7")));
        }
    });
    second.server.kill();
    first.wait_until_it_is_alone();
    // Without a majority a node answers nothing: that is trouble, and no answer.
    let (reply, log) = here.rcpt_and_log("joe@x.ex", "192.0.2.7");
    assert!(reply == LATER && log.contains("1047"), "{log}");
    let said = here.run("opensmtp", &["--user", "joe@x.ex", "--ip", "192.0.2.7"]);
    assert!(said.code == Some(111) && said.errors.contains("1047"), "{said:?}");
    // A node that is no member any more is passed over for one that is.
    first.server.sql(None, "set global wsrep_provider_options = 'pc.bootstrap=1'");
    crate::keeper::wait_until("the node goes on alone", || here.rcpt("joe@x.ex", "192.0.2.7") == OK);
    let both = format!("[::1],127.0.0.1:{}:{}:{}", database.user, database.password, first.server.port());
    let site = Site::with_server(&both).with("MYSQL_DATABASE", &database.name);
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), OK);
}

/// A master that has become read-only, as before a change of roles, is passed over for the next host.
#[test]
fn a_server_that_may_not_be_written_is_passed_over() {
    let first = MariaDb::start_with(&["--read-only=1"]);
    let database = first.database();
    database.table(Layout::IndiMail);
    let garbage = HangingServer::garbage();
    let site = Site::with_server(&database.host_mysql_line_tcp()).with("MYSQL_DATABASE", &database.name);
    let said = site.run("opensmtp", &["--user", "joe@x.ex", "--ip", "192.0.2.7"]);
    assert!(said.errors.contains("1290"), "{said:?}");
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), REFUSED, "reading it is fine");
    // Two ways to the same server stand for two servers: the first one refuses, and the second is asked, too.
    let line = format!("127.0.0.1,[::1]:{}:{}:{}", database.user, database.password, first.port());
    site.home.write("host.master", format!("{line}\n"));
    let said = site.run("opensmtp", &["--user", "joe@x.ex", "--ip", "192.0.2.7"]);
    assert_eq!(said.errors.matches("1290").count(), 2, "{said:?}");
    first.sql(None, "set global read_only = 0");
    site.login("joe@x.ex", "192.0.2.7");
    site.home.write("host.master", format!("{},{line}\n", "127.0.0.2"));
    site.login("joe@x.ex", "192.0.2.7");
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), OK);
    drop(garbage);
}

/// A statement that waits too long for a lock, as one that is the victim of a deadlock, is tried again while there is time.
#[test]
fn what_is_in_the_way_of_another_statement_is_tried_again() {
    let server = MariaDb::start_with(&["--innodb-lock-wait-timeout=1"]);
    let database = server.database();
    database.table(Layout::IndiMail);
    let site = Site::with_database(&database);
    site.login("joe@x.ex", "192.0.2.7");
    let hold = || {
        let held = "start transaction; update relay set timestamp = 5; select sleep(1.2); commit";
        let mut holder = Command::new("mariadb");
        holder.args(["--no-defaults", "--user=root", "--socket"]).arg(server.socket()).arg(&database.name);
        let holder = holder.arg(format!("--execute={held}")).stdout(Stdio::null()).spawn().unwrap();
        let sleeps = "select count(*) from information_schema.processlist where info like 'select sleep%'";
        crate::keeper::wait_until("the row is locked", || server.sql(None, sleeps) == "1");
        holder
    };
    // On a busy machine a program may begin so late that it need not wait, or has no time left.
    let waits = |name: &str, arguments: &[&str]| {
        let mut holder = hold();
        let began = Instant::now();
        let said = site.run(name, arguments);
        let has_waited = began.elapsed() > Duration::from_secs(1);
        assert!(holder.wait().unwrap().success());
        said.code == Some(0) && has_waited
    };
    let login = ["--user", "joe@x.ex", "--ip", "192.0.2.7"];
    assert!((0..10).any(|_| waits("opensmtp", &login)), "opensmtp gives up when the server does");
    assert_eq!(site.rcpt("joe@x.ex", "192.0.2.7"), OK);
    assert!((0..10).any(|_| waits("clearopensmtp", &["-s"])), "clearopensmtp gives up when the server does");
    assert_eq!(database.sql("select count(*) from relay"), "0");
}
