//! The rows of the five mail systems and of our extension: each a test, through smtpd and through `postern explain`.
//!
//! `tests/rows/*.rows` has the rows, `tests/ROWS.md` is the table made from them (`UPDATE=1 cargo test --test rows` writes
//! it). A file of rows is read line by line; blank lines and lines that begin with `#` do not count, indents neither.
//!
//! | line | meaning |
//! |---|---|
//! | `row S-04` | begins a row; its test is `s_04` |
//! | `says SENTENCE` | what the row says |
//! | `also SENTENCE` | what its test in `tests/rows/tools.rs` looks at besides |
//! | `or` | begins another set of files of the same row; all that follows belongs to the set |
//!
//! A set begins with what there is (`<home>` in a line of a control file is the directory above the control directory).
//! `me` is `mx.local.ex` and `rcpthosts` is `local.ex` unless a line says otherwise:
//!
//! | line | meaning |
//! |---|---|
//! | `control NAME = LINE` | a line of a control file |
//! | `each NAME = LINE` | the same, but one after the other: all cases are tried with each of these lines |
//! | `any order NAME` | all cases are tried with the lines of this file in every order |
//! | `empty NAME`, `remove NAME` | a control file without a line; no such control file |
//! | `cdb NAME = KEY` | a key of `NAME.cdb` |
//! | `rules LINE` | a line of tcp.smtp, compiled with `tcprules`; smtpd gets the variables of its client's rule |
//! | `env NAME=VALUE` | a variable of smtpd |
//! | `login SECONDS USER ADDRESS` | so long ago this user of this address has read mail |
//! | `dns LINE` | a line of the zone that a name server on this machine has; `dns silent` never answers |
//! | `log TEXT` | every session has this line in its log; `*` is any text, `<each>` the line of the turn |
//! | `lint EXIT TEXT` | what `postern lint` exits with, and text that it prints |
//! | `todo #5 WHAT` | smtpd must fail (or `todo later`) smtpd must fail until this issue is done, because it needs WHAT |
//!
//! Then come its cases, each a connection of its own: `VERDICT REASON FIELD...`, as
//! `ACCEPT relayclients:1 C=192.0.2.7 F=a@b.ex R=you@far.ex`. The verdict is `ACCEPT` (250 to RCPT), `REJECT` (5xx),
//! `TEMP` (4xx) or `DENY` (tcpserver closes). The reason is that of the log, `-` if none is logged, `*` for any; the number
//! in `relayclients:1` is that of the line as it is written here. Fields: `C=` the client's address, `N=` its name, `F=` the
//! sender, `R=` the recipient, and the words `auth` (it has authenticated) and `tls`. Who does not say so is
//! `C=203.0.113.9 F=joe@other.ex R=you@far.ex`, without a name. Behind a case may stand:
//!
//! | line | meaning |
//! |---|---|
//! | `reply TEXT` | the last line of the reply that decides |
//! | `queued ADDRESS` | a message is sent, and this recipient is queued |
//! | `log TEXT`, `nolog TEXT` | a line that the log has, or that it does not have |
//!
//! `session FIELD...` to `end` is one connection: its cases are its transactions. `say RSET` in it is a command between two
//! of them. `explain` is asked about each transaction alone: what went before may not matter.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![allow(missing_docs)]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "rows/client.rs"]
mod client;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/home.rs"]
mod home;
#[path = "support/net.rs"]
mod net;
#[path = "rows/notation.rs"]
mod notation;
#[path = "rows/play.rs"]
mod play;
#[path = "support/secure.rs"]
mod secure;
#[path = "support/smtp.rs"]
mod smtp;
mod support;
#[path = "rows/table.rs"]
mod table;
#[path = "rows/tools.rs"]
mod tools;
#[path = "rows/turn.rs"]
mod turn;

/// The files, with the names of their systems.
const FILES: &[(&str, &str)] = &[
    ("sun.rows", "Sun/Oracle Messaging Server"),
    ("imail.rows", "Ipswitch IMail"),
    ("mac.rows", "Mac OS X Server AppleMailServer"),
    ("indimail.rows", "IndiMail and qmail"),
    ("openvms.rows", "OpenVMS TCP/IP Services"),
    ("extension.rows", "The extension of the control files"),
];

/// Plays the row that a test is named after; then what the test looks at besides.
fn row(test: &str, besides: Option<fn()>) {
    let id = test.to_uppercase().replace('_', "-");
    let rows = FILES.iter().flat_map(|(file, _)| play::file(file));
    let row = rows.into_iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no file has the row {id}"));
    assert_eq!(row.also.is_some(), besides.is_some(), "`also` tells what a function of tests/rows/tools.rs does");
    let wrong = play::play(&row);
    assert!(wrong.is_empty(), "{id}: {} wrong\n{}", wrong.len(), wrong.join("\n"));
    if let Some(besides) = besides {
        besides();
    }
}

/// A test for each row, and TESTS, their names.
macro_rules! rows {
    ($($test:ident $(+ $besides:path)?),* $(,)?) => {
        $(#[test]
        fn $test() {
            #[allow(unused_mut, unused_assignments)]
            let mut besides: Option<fn()> = None;
            $(besides = Some($besides);)?
            row(stringify!($test), besides);
        })*

        const TESTS: &[&str] = &[$(stringify!($test)),*];
    };
}

#[rustfmt::skip]
rows! {
    s_01, s_02, s_03, s_04, s_05, s_06, s_07, s_08, s_09, s_10 + tools::s_10, s_11, s_12, s_13, s_14, s_15, s_16, s_17,
    s_18, s_19, s_20 + tools::s_20, s_21 + tools::s_21,
    i_01, i_02, i_03, i_04, i_05, i_06, i_07, i_08, i_09, i_10, i_11, i_12, i_13, i_14 + tools::i_14, i_15, i_16,
    i_17 + tools::i_17, i_18,
    m_01, m_02, m_03, m_04, m_05, m_06, m_07, m_08, m_09, m_10, m_11, m_12, m_13, m_14 + tools::m_14, m_15,
    n_01, n_02, n_03 + tools::n_03, n_04, n_05, n_06, n_07, n_08, n_09, n_10, n_11, n_12, n_13, n_14, n_15, n_16, n_17,
    n_18 + tools::n_18, n_19,
    v_01, v_02, v_03, v_04, v_05, v_06, v_07 + tools::v_07, v_08, v_09, v_10, v_11, v_12, v_13, v_14, v_15, v_16, v_17, v_18,
    x_01, x_02, x_03 + tools::x_03, x_04, x_05, x_06, x_07, x_08, x_09, x_10, x_11, x_12, x_13, x_14, x_15,
    x_16 + tools::x_16, x_17 + tools::x_17, x_18 + tools::x_18, x_19, x_20,
}

/// How many rows each letter has in the specification.
const ROWS: &[(&str, usize)] = &[("S", 21), ("I", 18), ("M", 15), ("N", 19), ("V", 18), ("X", 20)];

#[test]
fn every_row_is_there_and_has_its_test() {
    let specified: Vec<String> =
        ROWS.iter().flat_map(|(letter, count)| (1..=*count).map(move |n| format!("{letter}-{n:02}"))).collect();
    let written: Vec<String> = FILES.iter().flat_map(|(file, _)| play::file(file)).map(|row| row.id).collect();
    let tested: Vec<String> = TESTS.iter().map(|test| test.to_uppercase().replace('_', "-")).collect();
    assert_eq!(written, specified, "left: in tests/rows");
    assert_eq!(tested, specified, "left: in tests/rows.rs");
}

#[test]
fn the_table_is_that_of_the_rows() {
    table::check();
}

/// The player is no use if it finds nothing wrong: each of these must fail, for this reason.
#[test]
fn the_player_sees_what_is_wrong() {
    let begin = "row T-01\nsays Nothing.\ncontrol relayclients = 192.0.2.7\n";
    let wrong = |text: &str| {
        let rows = notation::read("t", &format!("{begin}{text}")).unwrap();
        play::play(&rows[0]).join("\n")
    };
    assert_eq!(wrong("ACCEPT relayclients:1 C=192.0.2.7\nqueued you@far.ex"), "");
    for (text, said) in [
        ("REJECT norelay C=192.0.2.7", "not what was decided"),
        ("ACCEPT relayclients:2 C=192.0.2.7", "not what was decided"),
        ("TEMP norelay C=192.0.2.8", "not what was decided"),
        ("REJECT norelay C=192.0.2.8\nreply 553 no", "not what was decided"),
        ("ACCEPT - C=192.0.2.7", "one decision more"),
        ("ACCEPT relayclients:1 C=192.0.2.7\nqueued you@far.ex2", "not who was queued"),
        ("ACCEPT relayclients:1 C=192.0.2.7\nlog no such line", "not in the log"),
        ("REJECT norelay\nnolog Invalid RELAY*", "should not be in the log"),
        ("session C=192.0.2.7\nACCEPT relayclients:1\nsay NOOP\nREJECT norelay\nend", "not what was decided"),
        ("session\nsay NONSENSE\nREJECT norelay\nend", "NONSENSE: 502"),
        ("DENY - C=192.0.2.7", "not what was decided"),
        ("todo #1 nothing\nREJECT norelay", "passes now"),
        ("lint 2 nonsense\nREJECT norelay", "lint: not"),
        ("any order relayclients\nREJECT norelay C=192.0.2.7", "not what was decided"),
        (
            "each relayclients = 192.0.2.9\neach relayclients = 192.0.2.10\nREJECT norelay C=192.0.2.10",
            "with 192.0.2.10",
        ),
    ] {
        assert!(wrong(text).contains(said), "{text}\n{}", wrong(text));
    }
}
