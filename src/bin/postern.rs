//! postern: the operator's tool; argv, edges and exit code, no decisions.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use postern::control::environment::Environment;
use postern::operator::command::{Command, Convert, Lint, Postern, Settings};
use postern::operator::convert::{IntoError, SOURCE_OCTETS_MAX, convert_files, write_into};
use postern::operator::ended::{Ended, PERMANENT, TEMPORARY};
use postern::operator::surroundings::{assignment, control_directory};
use postern::operator::{explain, lint, manual, settings, shadow};

type Result<T> = std::result::Result<T, Ended>;

fn main() -> ExitCode {
    let postern = Postern::try_parse().unwrap_or_else(|wrong| {
        let usage = wrong.use_stderr();
        let _ = wrong.print();
        std::process::exit(if usage { PERMANENT.into() } else { 0 })
    });
    let done = match postern.command {
        Command::Settings(options) => show_settings(&options),
        Command::Explain(options) => explain::run(&options, &mut BufWriter::new(io::stdout().lock())),
        Command::Shadow(options) => shadow::run(&options, &mut BufWriter::new(io::stdout().lock())),
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
            if !sentence.is_empty() {
                eprintln!("postern: {sentence}");
            }
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

fn print(text: &str) -> Result<u8> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(0),
        // Whoever read us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(Ended(TEMPORARY, format!("cannot write: {error}"))),
    }
}
