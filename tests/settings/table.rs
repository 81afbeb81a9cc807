//! The table of deeds, deeds.txt.

use postern::control::settings::{Role, Setting};

/// One row of the table.
pub struct Deed {
    pub name: String,
    pub needs: Vec<String>,
    pub value: String,
    pub says: Vec<String>,
    pub shows: String,
}

/// What a word of the second column stands for.
const SHORT: &[(&str, &[&str])] = &[
    ("[relay]", &["env CHECKRELAY=", "control host.mysql = <server>", "env MYSQL_DATABASE=<database>"]),
    (
        "[accounts]",
        &["env CHECKRECIPIENT=1", "env ASSIGNDIR=", "control host.mysql = <server>", "env MYSQL_DATABASE=<database>"],
    ),
    ("[auth]", &["argument mx.test", "argument <checker>", "argument /bin/false"]),
    ("[starttls]", &["env STARTTLS=", "control servercert.pem = <servercert>"]),
];

pub fn deeds() -> Vec<Deed> {
    let table = include_str!("deeds.txt");
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(deed).collect()
}

fn deed(line: &str) -> Deed {
    // What a list calls a program has a bar of its own.
    let columns: Vec<&str> = line.split(" |").map(|column| column.strip_prefix(' ').unwrap_or(column)).collect();
    let [name, needs, value, says, shows] = columns[..] else { panic!("not five columns: {line}") };
    let list = |text: &str| text.split(';').map(|part| part.trim_start().to_owned()).collect::<Vec<_>>();
    let needs = list(needs).into_iter().filter(|need| !need.is_empty()).flat_map(long).collect();
    Deed { name: name.to_owned(), needs, value: value.to_owned(), says: list(says), shows: shows.to_owned() }
}

fn long(need: String) -> Vec<String> {
    let short = SHORT.iter().find(|(word, _)| *word == need);
    short.map_or_else(|| vec![need], |(_, needs)| needs.iter().map(|&need| need.to_owned()).collect())
}

/// How a setting is set.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    File(&'static str),
    Compiled(&'static str),
    Variable(&'static str),
    /// The variable names the file.
    Named(&'static str),
}

pub fn forms(row: &Setting) -> Vec<Form> {
    let compiled = row.file.strip_suffix(".cdb").map(Form::Compiled);
    let file = Some(Form::File(row.file)).filter(|_| !row.file.is_empty());
    let variable = Some(row.variable).filter(|variable| !variable.is_empty());
    let variable = variable
        .map(|variable| if row.role == Role::FileName { Form::Named(variable) } else { Form::Variable(variable) });
    compiled.or(file).into_iter().chain(variable).collect()
}

/// A session with accounts in a database, STARTTLS, AUTH and a message, for a setting without effect.
pub fn without_effect(row: &Setting) -> Deed {
    let message = "AUTH PLAIN AGJvYgBzZWNyZXQ=;[mail];RCPT TO:<user@test>;DATA;Subject: one;;hi;.";
    deed(&format!(
        "{} | [accounts];[starttls];[auth];env AUTH_LEGACY= |  | EHLO x;[tls];EHLO x;{message} | ",
        row.name()
    ))
}
