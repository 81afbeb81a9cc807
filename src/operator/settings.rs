//! `postern settings`: the table of settings as text, JSON or Markdown.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::control::environment::Environment;
use crate::control::settings::{Form, Role, SETTINGS, Setting, State};

/// How the table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// For reading on a terminal.
    Text,
    /// For programs.
    Json,
    /// For control/README.
    Markdown,
}

/// The settings called `names` (all if there are none), and whether each is set in `directory` or `environment`.
///
/// # Errors
///
/// The first name that is no setting.
pub fn show(
    shape: Shape,
    names: &[String],
    directory: Option<&Path>,
    environment: &Environment,
) -> Result<String, String> {
    let is_called =
        |setting: &Setting, name: &str| !name.is_empty() && (setting.file == name || setting.variable == name);
    if let Some(unknown) = names.iter().find(|name| !SETTINGS.iter().any(|setting| is_called(setting, name))) {
        return Err(unknown.clone());
    }
    let chosen = SETTINGS
        .iter()
        .filter(|setting| names.is_empty() || names.iter().any(|name| is_called(setting, name)))
        .map(|setting| (setting, WhereSet::find(setting, directory, environment)));
    Ok(match shape {
        Shape::Text => chosen.fold(String::new(), |text, (setting, set)| text + &as_text(setting, set)),
        Shape::Json => {
            let rows: Vec<Value> = chosen.map(|(setting, set)| as_json(setting, set)).collect();
            serde_json::to_string_pretty(&rows).unwrap_or_default() + "\n"
        }
        Shape::Markdown => {
            let head =
                "| control file | variable | form | default | what it does |\n|---|---|---|---|---|\n".to_string();
            chosen.fold(head, |text, (setting, _)| text + &as_markdown(setting))
        }
    })
}

#[derive(Clone, Copy)]
struct WhereSet {
    file: bool,
    variable: bool,
}

impl WhereSet {
    fn find(setting: &Setting, directory: Option<&Path>, environment: &Environment) -> Self {
        let file = directory.is_some_and(|directory| !setting.file.is_empty() && directory.join(setting.file).exists());
        let variable = !setting.variable.is_empty() && environment.get(setting.variable.as_bytes()).is_some();
        Self { file, variable }
    }

    fn in_words(self) -> &'static str {
        match (self.file, self.variable) {
            (true, true) => "  [set: file and variable]",
            (true, false) => "  [set: file]",
            (false, true) => "  [set: variable]",
            (false, false) => "",
        }
    }
}

fn as_text(setting: &Setting, set: WhereSet) -> String {
    let names = match (setting.file, setting.variable) {
        ("", variable) => variable.to_string(),
        (file, "") => file.to_string(),
        (file, variable) if setting.role == Role::FileName => format!("{file} ({variable} names another file)"),
        (file, variable) => format!("{file} / {variable}"),
    };
    let mut text = format!("{names}{}\n    {}\n", set.in_words(), setting.doc);
    let default = if setting.default.is_empty() { "nothing" } else { setting.default };
    let _ = writeln!(text, "    {}; default: {default}", form_in_words(setting.form));
    if let State::NotYet(what) = setting.state {
        let _ = writeln!(text, "    NOT YET: this setting does nothing here so far; it comes with {what}");
    }
    if let State::NoEffect(why) = setting.state {
        let _ = writeln!(text, "    WITHOUT EFFECT here: {why}");
    }
    text + "\n"
}

fn as_json(setting: &Setting, set: WhereSet) -> Value {
    let (state, why) = match setting.state {
        State::Works(_) => ("works", Value::Null),
        State::OnDemand => ("on demand", Value::Null),
        State::NotYet(what) => ("not yet", Value::from(what)),
        State::NoEffect(why) => ("no effect", Value::from(why)),
    };
    json!({
        "file": setting.file,
        "variable": setting.variable,
        "variable_holds": match setting.role { Role::Value => "value", Role::FileName => "file name" },
        "form": form_in_words(setting.form),
        "default": setting.default,
        "state": state,
        "waits_for": if state == "not yet" { why.clone() } else { Value::Null },
        "why_without_effect": if state == "no effect" { why } else { Value::Null },
        "doc": setting.doc,
        "set_in_file": set.file,
        "set_in_variable": set.variable,
    })
}

fn as_markdown(setting: &Setting) -> String {
    let code = |name: &str| if name.is_empty() { String::new() } else { format!("`{name}`") };
    let doc = match setting.state {
        State::Works(_) | State::OnDemand => setting.doc.to_string(),
        State::NotYet(what) => format!("**not yet** ({what}): {}", setting.doc),
        State::NoEffect(why) => format!("**no effect** ({why}): {}", setting.doc),
    };
    let (file, variable) = (code(setting.file), code(setting.variable));
    let form = form_in_words(setting.form);
    format!("| {file} | {variable} | {form} | {} | {} |\n", setting.default, doc.replace('|', "\\|"))
}

/// What the text of a setting looks like.
#[must_use]
pub fn form_in_words(form: Form) -> &'static str {
    match form {
        Form::Switch => "on when set, even to nothing",
        Form::Text => "text",
        Form::Line => "one line",
        Form::Number => "a number",
        Form::Unsigned => "a number of octets",
        Form::Address => "an IP address",
        Form::Path => "a path",
        Form::Lines => "entries, one a line",
        Form::Addresses => "addresses, one a line, or .cdb",
        Form::Patterns => "patterns, one a line",
        Form::Rules => "rules, one a line",
        Form::Cdb => "made by qmail-cdb",
    }
}
