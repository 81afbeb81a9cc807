//! Generated files and parts of files: man pages, completions and control/README, all from the definitions that the programs use.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::control::environment::Environment;
use crate::control::settings::{SETTINGS, Setting, State};
use crate::operator::command::Postern;
use crate::operator::relay_table::{ClearOpenSmtp, OpenSmtp};
use crate::operator::settings::{Shape, form_in_words, show};

const README_HEAD: &str = "\
# Control files

What smtpd reads in its control directory, and the variables that go with it. Generated from the table of settings with
`scripts/generate`; `postern settings` shows the same, and `postern lint` examines a directory.

A *line* file is its first line. In a list every line is an entry; empty lines and lines that begin with `#` do not count.
A missing file means its default. A file that exists and cannot be read is answered with 451 by whoever needs it.

";

/// Writes every generated file below `top`, the top of the source tree.
///
/// # Errors
///
/// What the system says when a file cannot be written.
pub fn generate(top: &Path) -> io::Result<()> {
    let table = show(Shape::Markdown, &[], None, &Environment::default()).unwrap_or_default();
    fs::write(top.join("control/README"), format!("{README_HEAD}{table}"))?;
    let manuals = top.join("etc/man");
    fs::create_dir_all(&manuals)?;
    fs::write(manuals.join("postern-control.5"), control_manual())?;
    let page = manuals.join("smtpd.8");
    fs::write(&page, with_settings(&fs::read_to_string(&page)?)?)?;
    let completions = top.join("etc/completions");
    fs::create_dir_all(&completions)?;
    for (mut command, section) in
        [(Postern::command(), "1"), (OpenSmtp::command(), "8"), (ClearOpenSmtp::command(), "8")]
    {
        command.build();
        write_manual(&command, section, &manuals)?;
        for part in command.get_subcommands().filter(|part| !part.is_hide_set() && part.get_name() != "help") {
            write_manual(part, section, &manuals)?;
        }
        write_completions(&mut command, &completions)?;
    }
    Ok(())
}

fn write_manual(command: &Command, section: &str, directory: &Path) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_string();
    // Without a date: the page changes when the program does.
    let manual = Man::new(command.clone().name(name.clone())).title(name.clone()).section(section).date("");
    let mut page = Vec::new();
    manual.render(&mut page)?;
    fs::write(directory.join(format!("{name}.{section}")), page)
}

fn write_completions(command: &mut Command, directory: &Path) -> io::Result<()> {
    let name = command.get_name().to_string();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, command, &name, directory)?;
    }
    Ok(())
}

/// The table of settings as a man page.
fn control_manual() -> String {
    let mut page = String::from(
        ".TH POSTERN-CONTROL 5\n.SH NAME\npostern-control \\- control files and variables of smtpd\n.SH DESCRIPTION\n\
         .BR smtpd (8)\nreads these files in its control directory and these variables of its environment.\n\
         A variable wins over its file unless it names another file:\n\
         one of the control directory, or a path that begins with a slash, or with a dot and so in the directory above.\n\
         Settings marked\n.I not yet\nare known and do nothing so far;\n.B postern lint\nwarns when one is set.\n.SH SETTINGS\n",
    );
    for setting in SETTINGS {
        let names: Vec<&str> = [setting.file, setting.variable].into_iter().filter(|name| !name.is_empty()).collect();
        page += &format!(".TP\n.B {}\n", roff(&names.join(", ")));
        if let State::NotYet(what) = setting.state {
            page += &format!(".I Not yet\n({}).\n", roff(what));
        }
        if let State::NoEffect(why) = setting.state {
            page += &format!(".I Without effect\n({}).\n", roff(why));
        }
        let default = if setting.default.is_empty() { "nothing" } else { setting.default };
        page += &format!("{}\n({}; default: {}.)\n", roff(setting.doc), form_in_words(setting.form), roff(default));
    }
    page += ".SH ORDER OF CHECKS\n.BR smtpd (8)\ntells in which order they are asked.\n";
    page + ".SH SEE ALSO\n.BR smtpd (8),\n.BR postern (1),\n.BR qmail-cdb (8)\n"
}

/// Where smtpd(8), which is prose, has the names of all settings.
const SETTINGS_BEGIN: &str = ".\\\" Generated from the table of settings: begin\n";
const SETTINGS_END: &str = ".\\\" Generated from the table of settings: end\n";

/// smtpd(8) with the names of the settings as the table has them.
fn with_settings(page: &str) -> io::Result<String> {
    let parts = page.split_once(SETTINGS_BEGIN);
    let parts = parts.and_then(|(head, rest)| Some((head, rest.split_once(SETTINGS_END)?.1)));
    let (head, tail) = parts.ok_or_else(|| io::Error::other("smtpd.8 has no place for the names of the settings"))?;
    let files = names(SETTINGS.iter().filter(|row| counts(row)).map(|row| row.file));
    let variables = names(SETTINGS.iter().filter(|row| counts(row)).map(|row| row.variable));
    let not_yet = SETTINGS.iter().filter(|row| matches!(row.state, State::NotYet(_)));
    let not_yet = names(not_yet.flat_map(|row| [row.file, row.variable]));
    let list = format!(".TP\nControl files\n{files}.\n.TP\nVariables\n{variables}.\n.TP\nNot built yet\n{not_yet}.\n");
    // A name that is broken at the end of a line cannot be searched for.
    let list = format!(".nh\n.ad l\n{list}.ad\n.hy\n");
    Ok(format!("{head}{SETTINGS_BEGIN}{list}{SETTINGS_END}{tail}"))
}

fn counts(row: &Setting) -> bool {
    match row.state {
        State::Works(_) | State::OnDemand => true,
        State::NotYet(_) | State::NoEffect(_) => false,
    }
}

/// Names in alphabetical order, one a line of the source.
fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
    names.into_iter().map(roff).collect::<Vec<_>>().join(",\n")
}

fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
