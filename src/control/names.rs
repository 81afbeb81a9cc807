//! Names that may be there: a set that is small, made in one pass and never wrong about what is not in it.

/// A set of names, each as a bit that may stand for others as well: what is not in it is not there.
///
/// Most sessions ask for many control files and variables that nobody has set; this answers without a search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Names {
    words: [u64; Names::WORDS],
}

impl Names {
    const WORDS: usize = 8;

    /// No name.
    pub const NONE: Names = Names { words: [0; Names::WORDS] };
    /// Every name.
    pub const ALL: Names = Names { words: [u64::MAX; Names::WORDS] };

    /// The same set with one more name.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "the remainder of a division by the length")]
    pub const fn with(mut self, name: &[u8]) -> Self {
        let bit = bit(name);
        self.words[(bit / 64) % Self::WORDS] |= 1 << (bit % 64);
        self
    }

    /// Whether the name may be in the set.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "the remainder of a division by the length")]
    pub const fn may_have(&self, name: &[u8]) -> bool {
        let bit = bit(name);
        self.words[(bit / 64) % Self::WORDS] & (1 << (bit % 64)) != 0
    }
}

/// The bit of a name: its length and four of its octets, which tell the names of our settings apart well enough.
#[expect(clippy::indexing_slicing, reason = "all less than the length")]
const fn bit(name: &[u8]) -> usize {
    let length = name.len();
    if length == 0 {
        return 0;
    }
    let [first, last] = [name[0] as usize, name[length - 1] as usize];
    let [middle, before] = [name[length / 2] as usize, name[length * 3 / 4] as usize];
    first * 5 + last * 3 + middle * 17 + before * 65 + length * 131
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::settings::SETTINGS;

    #[test]
    fn what_is_in_the_set_is_found_and_hardly_anything_else() {
        let control = ["me", "rcpthosts", "smtpgreeting", "relayclients", "databytes", "locals", "badmailfrom"];
        let names = control.iter().fold(Names::default(), |names, name| names.with(name.as_bytes()));
        assert!(control.iter().all(|name| names.may_have(name.as_bytes())));
        let files = SETTINGS.iter().map(|row| row.file).filter(|file| !file.is_empty() && !control.contains(file));
        let mistaken: Vec<_> = files.filter(|file| names.may_have(file.as_bytes())).collect();
        assert!(mistaken.len() < 5, "{mistaken:?}");
        assert!(!Names::default().may_have(b"") && Names::default().with(b"").may_have(b""));
        assert!(Names::ALL.may_have(b"anything"));
    }
}
