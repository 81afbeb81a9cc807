//! A private control directory that differs from the real one in a single file: where a change is tried.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::unistd::mkdtemp;

/// The largest file that is changed for a trial, in octets.
const FILE_OCTETS_MAX: u64 = 64 << 20;

/// What is done to a control file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// This line is added at its end; if there is no such file it is made.
    Add(String),
    /// The line of this number is removed.
    Remove(u32),
    /// The line of this number becomes another.
    Replace(u32, String),
    /// The file is this one line.
    Set(String),
    /// There is no such file.
    Delete,
}

/// A directory of links to all control files. It disappears with the value.
#[derive(Debug)]
pub struct Overlay {
    top: PathBuf,
    control: PathBuf,
    real: PathBuf,
}

impl Overlay {
    /// A directory of its own for the control files of `real`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new(real: &Path) -> io::Result<Self> {
        let real = fs::canonicalize(real)?;
        let top = mkdtemp(&std::env::temp_dir().join("postern.XXXXXX"))?;
        let overlay = Self { control: top.join("control"), top, real };
        fs::create_dir(&overlay.control)?;
        for entry in fs::read_dir(&overlay.real)? {
            let entry = entry?;
            symlink(entry.path(), overlay.control.join(entry.file_name()))?;
        }
        Ok(overlay)
    }

    /// The control directory to judge by.
    #[must_use]
    pub fn control(&self) -> &Path {
        &self.control
    }

    /// The directory above the real one, where relative paths begin.
    #[must_use]
    pub fn working(&self) -> &Path {
        self.real.parent().unwrap_or(&self.real)
    }

    /// The text of a control file; none if there is no such file, or it is none that could be edited.
    #[must_use]
    pub fn text(&self, file: &str) -> Option<Vec<u8>> {
        let path = self.real.join(file);
        fs::metadata(&path).ok().filter(|metadata| metadata.is_file() && metadata.len() <= FILE_OCTETS_MAX)?;
        fs::read(&path).ok()
    }

    /// Changes a file, lets `judge` look, and puts the file back; none if it cannot be changed so.
    pub fn tried<T>(&self, file: &str, edit: &Edit, judge: impl FnOnce() -> T) -> Option<T> {
        // Only what lies in the directory itself can be replaced here.
        if file.is_empty() || file.contains('/') {
            return None;
        }
        let (here, real) = (self.control.join(file), self.real.join(file));
        let there = fs::symlink_metadata(&here).is_ok();
        let text = self.text(file);
        if there && text.is_none() && *edit != Edit::Delete {
            return None;
        }
        let text = edited(text, edit)?;
        if there {
            fs::remove_file(&here).ok()?;
        }
        let written = text.map_or(Ok(()), |text| fs::write(&here, text));
        let judged = written.is_ok().then(judge);
        let _ = fs::remove_file(&here);
        if there {
            symlink(&real, &here).ok()?;
        }
        judged
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        // Links are removed, not what they lead to.
        let _ = fs::remove_dir_all(&self.top);
    }
}

/// The text after the edit, `Some(None)` for no file; none if there is nothing to edit.
fn edited(text: Option<Vec<u8>>, edit: &Edit) -> Option<Option<Vec<u8>>> {
    let changed = |number: u32, line: Option<&str>| {
        let text = text.as_deref()?;
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let place = lines.get_mut(index)?;
        match line {
            Some(line) => *place = line.as_bytes(),
            None => drop(lines.remove(index)),
        }
        Some(Some(lines.join(&b'\n')))
    };
    match edit {
        Edit::Add(line) => {
            let mut text = text.unwrap_or_default();
            if text.last().is_some_and(|byte| *byte != b'\n') {
                text.push(b'\n');
            }
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
            Some(Some(text))
        }
        Edit::Remove(number) => changed(*number, None),
        Edit::Replace(number, line) => changed(*number, Some(line)),
        Edit::Set(line) => Some(Some(format!("{line}\n").into_bytes())),
        Edit::Delete => text.map(|_| None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_changed_and_put_back() {
        let real = tempfile::tempdir().unwrap();
        fs::write(real.path().join("list"), "one\ntwo").unwrap();
        fs::create_dir(real.path().join("broken")).unwrap();
        let overlay = Overlay::new(real.path()).unwrap();
        let look = |file: &str, edit: Edit| {
            overlay.tried(file, &edit, || fs::read_to_string(overlay.control().join(file)).ok())
        };
        let text = |text: &str| Some(Some(text.to_string()));
        assert_eq!(look("list", Edit::Add("three".into())), text("one\ntwo\nthree\n"));
        assert_eq!(look("list", Edit::Remove(1)), text("two"));
        assert_eq!(look("list", Edit::Replace(2, "zwei".into())), text("one\nzwei"));
        assert_eq!(look("list", Edit::Set("x".into())), text("x\n"));
        assert_eq!(look("list", Edit::Delete), Some(None));
        assert_eq!(look("list", Edit::Remove(3)), None);
        assert_eq!(look("new", Edit::Add("x".into())), text("x\n"));
        assert_eq!(look("new", Edit::Delete), None);
        assert_eq!(look("broken", Edit::Add("x".into())), None);
        assert_eq!(look("../list", Edit::Add("x".into())), None);
        assert_eq!(fs::read_to_string(overlay.control().join("list")).unwrap(), "one\ntwo");
        assert!(!overlay.control().join("new").exists());
        let control = overlay.control().to_path_buf();
        drop(overlay);
        assert!(!control.exists() && real.path().join("list").exists());
    }
}
