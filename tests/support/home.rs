//! A private home for one session: control directory, queue program, and what the queue program was given.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What the queue program of a home does after it has read everything.
#[derive(Clone, Debug)]
pub enum QueueEnd {
    Exit(u8),
    Signal(u8),
    /// Exits at once and reads nothing.
    Unread(u8),
}

/// The queue program of a home.
#[derive(Clone, Debug)]
pub struct QueueProgram {
    pub end: QueueEnd,
    /// Written to this descriptor before the end.
    pub text: Option<(u8, Vec<u8>)>,
}

impl Default for QueueProgram {
    fn default() -> Self {
        QueueProgram { end: QueueEnd::Exit(0), text: None }
    }
}

/// One run of the queue program.
#[derive(Debug)]
pub struct Delivery {
    pub message: Vec<u8>,
    pub envelope: Vec<u8>,
    pub arguments: Vec<String>,
    pub environment: Vec<String>,
    pub descriptors: Vec<String>,
    /// Of /proc/PID/status, `SigBlk: 0000000000000000` and the like.
    pub status: Vec<String>,
    pub directory: String,
    /// It came to its end, nobody killed or left it.
    pub finished: bool,
}

impl Delivery {
    /// The items of the envelope without their NUL, `Fsender` first.
    pub fn envelope_items(&self) -> Vec<String> {
        let text = self.envelope.strip_suffix(b"\0\0").unwrap_or(&self.envelope);
        text.split(|byte| *byte == 0).map(|item| String::from_utf8_lossy(item).into_owned()).collect()
    }

    /// Trace header and content: the header is everything from `Received:` to the last of its indented lines.
    pub fn trace_and_content(&self) -> (Vec<u8>, Vec<u8>) {
        let mut end = 0;
        for (number, line) in self.message.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if number > 0 && !line.starts_with(b"  ") {
                break;
            }
            end += line.len();
        }
        (self.message[..end].to_vec(), self.message[end..].to_vec())
    }
}

/// A directory that disappears with the test.
pub struct Home {
    directory: TempDir,
}

impl Home {
    pub fn new() -> Home {
        let home = Home { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(home.path().join("control")).unwrap();
        fs::create_dir(home.path().join("queued")).unwrap();
        home.set_queue(&QueueProgram::default());
        home
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn control(&self) -> PathBuf {
        self.path().join("control")
    }

    /// The queue program, a script that is never written while tests run (a file open for writing cannot be started);
    /// the variable `QUEUE_HOME` tells it whom it serves.
    pub fn queue(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/queue.sh")
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.control().join(name), content).unwrap();
    }

    /// Writes `NAME.cdb` with these keys and no data, by the classic library.
    pub fn write_cdb(&self, name: &str, keys: &[String]) {
        let path = self.control().join(format!("{name}.cdb"));
        let mut writer = cdb::CDBWriter::create(path.to_str().unwrap()).unwrap();
        for key in keys {
            writer.add(key.as_bytes(), b"").unwrap();
        }
        writer.finish().unwrap();
    }

    pub fn set_queue(&self, program: &QueueProgram) {
        let end = match program.end {
            QueueEnd::Exit(code) => format!("end='exit {code}'\n"),
            QueueEnd::Signal(signal) => format!("end='kill -{signal} '$$\n"),
            QueueEnd::Unread(code) => format!("reads=no\nend='exit {code}'\n"),
        };
        let descriptor = match &program.text {
            Some((descriptor, text)) => {
                fs::write(self.path().join("queue.text"), text).unwrap();
                format!("text_fd={descriptor}\n")
            }
            None => String::new(),
        };
        fs::write(self.path().join("queue.settings"), end + &descriptor).unwrap();
    }

    /// Each run of the queue program, in order.
    pub fn deliveries(&self) -> Vec<Delivery> {
        let queued = self.path().join("queued");
        (1..).map(|n| queued.join(n.to_string())).take_while(|at| at.is_dir()).map(|at| delivery(&at)).collect()
    }
}

fn delivery(at: &Path) -> Delivery {
    let bytes = |name: &str| fs::read(at.join(name)).unwrap_or_default();
    let lines = |name: &str| String::from_utf8_lossy(&bytes(name)).lines().map(str::to_owned).collect::<Vec<_>>();
    Delivery {
        message: bytes("message"),
        envelope: bytes("envelope"),
        arguments: lines("arguments"),
        environment: lines("environment"),
        descriptors: lines("descriptors"),
        status: lines("status"),
        directory: lines("directory").join(""),
        finished: at.join("finished").exists(),
    }
}
