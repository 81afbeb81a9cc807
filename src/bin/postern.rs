//! postern: the operator's tool; argv, edges and exit code, no decisions.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use postern::cdb::read::{Cdb, CdbError};
use postern::client::rules::{Client, Item, items};
use postern::control::Setup;
use postern::control::environment::Environment;
use postern::control::load::Places;
use postern::operator::command::{Command, Convert, Explain, Lint, Place, Postern, Settings};
use postern::operator::convert::{IntoError, SOURCE_OCTETS_MAX, convert_files, write_into};
use postern::operator::{explain, lint, manual, settings};

/// Wrong usage, or nothing to work on.
const PERMANENT: u8 = 100;
/// The machine failed; later it may work.
const TEMPORARY: u8 = 111;

/// What ends the program early: a sentence, and the exit code.
struct Ended(u8, String);

type Result<T> = std::result::Result<T, Ended>;

fn main() -> ExitCode {
    let postern = Postern::try_parse().unwrap_or_else(|wrong| {
        let usage = wrong.use_stderr();
        let _ = wrong.print();
        std::process::exit(if usage { PERMANENT.into() } else { 0 })
    });
    let done = match postern.command {
        Command::Settings(options) => show_settings(&options),
        Command::Explain(options) => explain_situation(&options),
        Command::Lint(options) => lint_directory(&options),
        Command::Convert(options) => convert_configuration(&options),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Postern::command(), "postern", &mut io::stdout());
            Ok(0)
        }
        Command::Generate { directory } => {
            manual::generate(&directory).map(|()| 0).map_err(|error| Ended(TEMPORARY, error.to_string()))
        }
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(Ended(code, sentence)) => {
            eprintln!("postern: {sentence}");
            ExitCode::from(code)
        }
    }
}

fn show_settings(options: &Settings) -> Result<u8> {
    let shape = match (options.json, options.markdown) {
        (true, _) => settings::Shape::Json,
        (_, true) => settings::Shape::Markdown,
        _ => settings::Shape::Text,
    };
    // Without a control directory the table is still worth showing.
    let directory = control_directory(&options.place).ok();
    let environment = Environment::of_process();
    let text = settings::show(shape, &options.names, directory.as_deref(), &environment)
        .map_err(|unknown| Ended(PERMANENT, format!("`{unknown}` is no setting; `postern settings` shows them all")))?;
    print(&text)
}

fn explain_situation(options: &Explain) -> Result<u8> {
    let directory = control_directory(&options.place)?;
    let environment = environment_for(options)?;
    let setup = Setup::load(environment, &directory, None)
        .map_err(|error| Ended(TEMPORARY, format!("{error} in {}: smtpd would answer 451", directory.display())))?;
    let address = options.ip.to_string();
    let helo = options.helo.as_ref().or(options.name.as_ref()).unwrap_or(&address);
    let situation = explain::Situation {
        helo: helo.clone().into_bytes(),
        sender: options.from.clone().into_bytes(),
        recipients: options.rcpt.iter().map(|recipient| recipient.clone().into_bytes()).collect(),
    };
    let steps = explain::explain(&setup, &situation);
    let text = match options.json {
        true => format!("{:#}\n", explain::as_json(&steps, &directory)),
        false => explain::as_text(&steps, &directory),
    };
    print(&text)?;
    Ok(explain::exit_code(&steps))
}

fn lint_directory(options: &Lint) -> Result<u8> {
    let directory = control_directory(&options.place)?;
    let environment = options.variables.iter().map(|text| assignment(text)).collect::<Result<Environment>>()?;
    let findings = lint::lint(&directory, &environment, options.rules.as_deref());
    if options.json {
        let rows: Vec<_> = findings.iter().map(lint::Finding::as_json).collect();
        print(&format!("{:#}\n", serde_json::Value::from(rows)))?;
    } else {
        print(&findings.iter().map(|finding| format!("{finding}\n")).collect::<String>())?;
        if findings.is_empty() && io::stdout().is_terminal() {
            print(&format!("{}: nothing found\n", directory.display()))?;
        }
    }
    Ok(lint::exit_code(&findings))
}

fn convert_configuration(options: &Convert) -> Result<u8> {
    let standard_input = [PathBuf::from("-")];
    let paths = if options.files.is_empty() { &standard_input[..] } else { &options.files };
    let files = paths.iter().map(|path| source(path)).collect::<Result<Vec<_>>>()?;
    let conversion = convert_files(options.from, &files);
    match &options.into {
        None => print(&conversion.to_string())?,
        Some(directory) => {
            let written = write_into(&conversion, directory).map_err(|error| match error {
                IntoError::Exists(path) => Ended(PERMANENT, format!("{} exists; nothing written", path.display())),
                IntoError::System(path, error) => Ended(TEMPORARY, format!("{}: {error}", path.display())),
            })?;
            let written: String = written.iter().map(|path| format!("{}\n", path.display())).collect();
            print(&(written + &conversion.remarks()))?
        }
    };
    Ok(u8::from(!conversion.is_complete()))
}

/// A file to convert: its name for the comments, and its octets.
fn source(path: &Path) -> Result<(String, Vec<u8>)> {
    let unreadable = |error: io::Error| Ended(TEMPORARY, format!("{} cannot be read: {error}", path.display()));
    let mut octets = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(SOURCE_OCTETS_MAX + 1).read_to_end(&mut octets).map_err(unreadable)?;
    } else {
        let file = File::open(path).map_err(unreadable)?;
        file.take(SOURCE_OCTETS_MAX + 1).read_to_end(&mut octets).map_err(unreadable)?;
    }
    if octets.len() as u64 > SOURCE_OCTETS_MAX {
        return Err(Ended(PERMANENT, format!("{} is longer than {SOURCE_OCTETS_MAX} octets", path.display())));
    }
    let name = if path == Path::new("-") { String::new() } else { path.display().to_string() };
    Ok((name, octets))
}

fn control_directory(place: &Place) -> Result<PathBuf> {
    match &place.control {
        Some(directory) if directory.is_dir() => Ok(directory.clone()),
        Some(directory) => Err(Ended(PERMANENT, format!("{} is no directory", directory.display()))),
        None => Places::find(&Environment::of_process())
            .map(|places| places.control)
            .map_err(|_| Ended(PERMANENT, "no control directory found: name one with --control DIR".to_string())),
    }
}

/// What smtpd would have in its environment: the client, what the rules say of it, and what the options add.
fn environment_for(options: &Explain) -> Result<Environment> {
    let mut pairs = vec![(b"TCPREMOTEIP".to_vec(), options.ip.to_string().into_bytes())];
    pairs.extend(options.name.iter().map(|name| (b"TCPREMOTEHOST".to_vec(), name.clone().into_bytes())));
    if let Some(cdb) = &options.rules {
        pairs.extend(variables_by_rule(cdb, options)?);
    }
    for text in &options.variables {
        pairs.push(assignment(text)?);
    }
    Ok(pairs.into_iter().collect())
}

fn variables_by_rule(path: &Path, options: &Explain) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let unreadable = |error: CdbError| Ended(TEMPORARY, format!("{} cannot be read: {error}", path.display()));
    let cdb = Cdb::open(path).map_err(|error| unreadable(error.into()))?;
    let ip = options.ip.to_string();
    let client = Client { ip: ip.as_bytes(), host: options.name.as_deref().map(str::as_bytes), info: None };
    let Some((key, value)) = client.rule(&cdb).map_err(unreadable)? else { return Ok(Vec::new()) };
    let mut pairs = Vec::new();
    for item in items(&value) {
        match item {
            Item::Deny => {
                let key = String::from_utf8_lossy(&key).into_owned();
                let sentence = format!("{}: rule `{key}` denies: tcpserver closes the connection", path.display());
                return Err(Ended(1, sentence));
            }
            Item::Set(text) => {
                let at = text.iter().position(|&byte| byte == b'=').unwrap_or(text.len());
                let (name, value) = text.split_at(at);
                pairs.push((name.to_vec(), value.strip_prefix(b"=").unwrap_or_default().to_vec()));
            }
            Item::Unset(name) => pairs.retain(|(set, _)| set != name),
        }
    }
    Ok(pairs)
}

fn assignment(text: &str) -> Result<(Vec<u8>, Vec<u8>)> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| Ended(PERMANENT, format!("--env {text}: write NAME=VALUE")))?;
    Ok((name.as_bytes().to_vec(), value.as_bytes().to_vec()))
}

fn print(text: &str) -> Result<u8> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(0),
        // Whoever read us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(Ended(TEMPORARY, format!("cannot write: {error}"))),
    }
}
