//! No setting is a name without a deed: each that is built is set in a session and not set in another, and its effect is seen.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![allow(missing_docs)]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/dns.rs"]
mod dns;
#[path = "support/home.rs"]
mod home;
#[path = "support/keeper.rs"]
mod keeper;
#[path = "support/mariadb.rs"]
mod mariadb;
#[path = "support/secure.rs"]
mod secure;
#[path = "settings/session.rs"]
mod session;
#[path = "support/smtp.rs"]
mod smtp;
mod support;
#[path = "settings/table.rs"]
mod table;
#[path = "settings/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use postern::control::settings::{SETTINGS, Setting, State};
use serde_json::Value;
use session::session;
use table::{Deed, Form, deeds, forms, without_effect};
use world::World;

/// The rows of `postern settings --json` of these states.
fn rows(states: &[&str]) -> Vec<&'static Setting> {
    let mut command = Command::new(support::program("postern"));
    let output = command.args(["settings", "--json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |file: &str, variable: &str| (file.to_owned(), variable.to_owned());
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let told: BTreeSet<_> = told
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| states.contains(&row["state"].as_str().unwrap()))
        .map(|row| (text(row, "file"), text(row, "variable")))
        .collect();
    let rows: Vec<_> = SETTINGS.iter().filter(|row| told.contains(&name(row.file, row.variable))).collect();
    assert!(!rows.is_empty() && rows.len() == told.len(), "{told:?}");
    let not_built = |row: &Setting| matches!(row.state, State::NotYet(_) | State::NoEffect(_));
    assert!(rows.iter().all(|row| not_built(row) != states.contains(&"works")));
    rows
}

#[test]
fn every_setting_does_what_it_says() {
    let (deeds, rows) = (deeds(), rows(&["works", "on demand"]));
    let has_deed = |row: &&&Setting| deeds.iter().any(|deed| deed.name == row.name());
    let idle: Vec<_> = rows.iter().filter(|row| !has_deed(row)).map(|row| row.name()).collect();
    assert!(idle.is_empty(), "nobody sees what these do; give each a line in tests/settings/deeds.txt: {idle:?}");
    let row = |deed: &Deed| rows.iter().find(|row| row.name() == deed.name);
    let row = |deed: &Deed| row(deed).unwrap_or_else(|| panic!("{} is no setting that is built", deed.name));
    let forms: Vec<(&Deed, &Setting, Form)> =
        deeds.iter().flat_map(|deed| forms(row(deed)).into_iter().map(move |form| (deed, *row(deed), form))).collect();
    let world = World::new();
    let failures = at_once(&world, &forms, |(deed, row, form)| is_seen(deed, row, form, &world));
    println!("{} settings, {} deeds in {} forms", rows.len(), deeds.len(), forms.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// What works without effect here changes nothing that can be seen, in a session that has much in it.
#[test]
fn what_has_no_effect_has_none() {
    let world = World::new();
    let deeds: Vec<Deed> = rows(&["no effect"]).into_iter().map(without_effect).collect();
    let forms: Vec<(&Deed, Form)> = deeds
        .iter()
        .flat_map(|deed| {
            let row = SETTINGS.iter().find(|row| row.name() == deed.name).unwrap();
            forms(row).into_iter().map(move |form| (deed, form))
        })
        .collect();
    let failures = at_once(&world, &forms, |(deed, form)| {
        let [with, without] = [Some("1"), None].map(|value| session(deed, form, value, &world));
        let is_whole = ["235 ok", "TLSv1.3", "queued Tuser@test"].iter().all(|text| without.contains(text));
        let [with, without] = [with, without].map(|shown| masked(&shown, deed, form));
        let differs = format!("{} {form:?}\nwith it:\n{with}\nwithout it:\n{without}", deed.name);
        if is_whole && with == without { Ok(()) } else { Err(differs) }
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Plays a few at a time while the servers start.
fn at_once<T: Sync>(world: &World, all: &[T], play: impl Fn(&T) -> Result<(), String> + Sync) -> Vec<String> {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        scope.spawn(|| world.begin());
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = play(one) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

/// The effect is there with the setting and not without it, nor where it is set to what is said to be its default.
fn is_seen(deed: &Deed, row: &Setting, form: &Form, world: &World) -> Result<(), String> {
    let [with, without] = [Some(deed.value.as_str()), None].map(|value| session(deed, form, value, world));
    let (is_there, text) = match deed.shows.strip_prefix('-') {
        Some(text) => (false, text),
        None => (true, deed.shows.as_str()),
    };
    if with.contains(text) != is_there || without.contains(text) == is_there {
        let name = &deed.name;
        return Err(format!(
            "{name}, {form:?}: `{}` makes no difference\nwith it:\n{with}\nwithout it:\n{without}",
            deed.shows
        ));
    }
    let Some(default) = default(row, form) else { return Ok(()) };
    let by_default = session(deed, form, Some(default), world);
    if by_default.contains(text) == is_there {
        return Err(format!("{}, {form:?}: {default} is not the default\n{by_default}\n{without}", deed.name));
    }
    Ok(())
}

/// The default of a setting where it is a value, and neither the name of another setting nor a description.
fn default(row: &Setting, form: &Form) -> Option<&'static str> {
    let is_name = SETTINGS.iter().any(|other| [other.file, other.variable].contains(&row.default));
    let is_value = !row.default.is_empty() && !row.default.contains(' ') && !is_name;
    Some(row.default).filter(|_| is_value && matches!(form, Form::File(_) | Form::Variable(_)))
}

/// Without numbers and names of a single session, and the variable itself, which the queue program has, too.
fn masked(shown: &str, deed: &Deed, form: &Form) -> String {
    let own = match form {
        Form::Variable(name) | Form::Named(name) => format!("{name}="),
        Form::File(_) | Form::Compiled(_) => format!("{}=", deed.name),
    };
    let is_common = |line: &&str| !line.starts_with(&own) && !line.starts_with("QUEUE_HOME=") && !line.contains("/tmp");
    let lines =
        shown.lines().filter(is_common).map(|line| line.replace(|letter: char| letter.is_ascii_digit(), "") + "\n");
    // Two environments may have the same variables in another order.
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines.concat()
}
