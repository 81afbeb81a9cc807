//! Makes and rotates the keys of session tickets: a file for all processes of this host, `ticketkeys` beside the certificate.

use std::fs::{File, OpenOptions, Permissions, rename};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::tls::certificate::read_file;
use crate::tls::tickets::{Keys, RECORD_OCTETS};

/// The file's name in the directory of certificates.
pub const FILE: &str = "ticketkeys";
/// The keys that are kept: the newest, and those of five rotations before.
const KEYS_MAX: usize = 6;
/// Who may read the keys where nothing else says so: their owner.
const MODE: u32 = 0o400;

/// What a rotation has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The file.
    pub path: PathBuf,
    /// The keys in it now.
    pub keys: usize,
    /// The file that was there held no keys.
    pub was_damaged: bool,
}

/// Puts a new key in front of those in `directory`. Who may read `certificate`, which holds a private key, may read them.
///
/// # Errors
///
/// What the system says; the old file is kept then.
pub fn rotate(directory: &Path, certificate: &Path) -> io::Result<Rotated> {
    let path = directory.join(FILE);
    let old = match read_file(&path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Zeroizing::default(),
        Err(error) => return Err(error),
    };
    let was_damaged = !old.is_empty() && Keys::of_file(&old).is_none();
    let kept = if was_damaged { &[][..] } else { old.get(..RECORD_OCTETS * (KEYS_MAX - 1)).unwrap_or(&old) };
    let mut octets = Zeroizing::new(vec![0; RECORD_OCTETS + kept.len()]);
    let (new, rest) = octets.split_at_mut(RECORD_OCTETS);
    getrandom::fill(new).map_err(|error| io::Error::other(error.to_string()))?;
    rest.copy_from_slice(kept);
    let temporary = directory.join(format!("{FILE}.{}.tmp", std::process::id()));
    let written = write(&temporary, &octets, certificate).and_then(|()| rename(&temporary, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written.map(|()| Rotated { path, keys: octets.len() / RECORD_OCTETS, was_damaged })
}

fn write(path: &Path, octets: &[u8], certificate: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(octets)?;
    if let Ok(readers) = certificate.metadata() {
        let file: &File = &file;
        fchown(file, Some(readers.uid()), Some(readers.gid()))?;
        // Never others, even where the certificate's file lets them.
        file.set_permissions(Permissions::from_mode(readers.mode() & 0o440 | MODE))?;
    }
    file.sync_all()
}
