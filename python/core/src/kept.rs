//! Bytes that are only added to. Where they are more than fit into memory, the first of them are in a file.
use hashbrown::HashMap;
use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::fs::{remove_file, File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const PAGE: usize = 1 << 16;
/// Pages of a file that are kept in memory.
const MOST_PAGES: usize = 64;

struct Pages {
    file: File,
    /// Some, by where they begin.
    known: HashMap<usize, Vec<u8>>,
}

#[derive(Default)]
pub struct Kept {
    latest: Vec<u8>,
    /// How many stand in the file.
    before: usize,
    pages: Option<Mutex<Pages>>,
}

impl Kept {
    pub fn len(&self) -> usize {
        self.before + self.latest.len()
    }

    /// How many are in memory.
    pub fn held(&self) -> usize {
        self.latest.len()
    }

    pub fn add(&mut self, bytes: &[u8]) {
        self.latest.extend_from_slice(bytes);
    }

    /// Add numbers, four bytes each.
    pub fn add_words(&mut self, words: &[u32]) {
        let place = self.len() / 4;
        self.latest.resize(self.latest.len() + 4 * words.len(), 0);
        self.set_words(place, words);
    }

    /// Change numbers from a place on; false where they are not in memory.
    pub fn set_words(&mut self, place: usize, words: &[u32]) -> bool {
        let Some(start) = (4 * place).checked_sub(self.before) else { return false };
        let Some(bytes) = self.latest.get_mut(start..start + 4 * words.len()) else { return false };
        bytes.chunks_exact_mut(4).zip(words).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
        true
    }

    /// Return the bytes from a place up to another one, or as far as there are any.
    #[inline]
    pub fn get(&self, start: usize, end: usize) -> Cow<'_, [u8]> {
        let Some(from) = start.checked_sub(self.before) else { return Cow::Owned(self.read(start, end)) };
        Cow::Borrowed(self.latest.get(from..(end - self.before).min(self.latest.len())).unwrap_or(b""))
    }

    #[cold]
    fn read(&self, start: usize, end: usize) -> Vec<u8> {
        let mut found = vec![];
        let mut at = start;
        while at < end.min(self.before) {
            let upto = end.min(self.before).min((at / PAGE + 1) * PAGE);
            // without what stands there, verdicts would be wrong: nothing goes on (`guarded`)
            self.copy(at, upto, &mut found).expect("the temporary file can be read");
            at = upto;
        }
        if end > self.before {
            found.extend_from_slice(&self.latest[..(end - self.before).min(self.latest.len())]);
        }
        found
    }

    /// Add bytes of one page of the file.
    fn copy(&self, start: usize, end: usize, found: &mut Vec<u8>) -> Result<()> {
        let Some(pages) = &self.pages else { return Ok(()) };
        let Pages { file, known } = &mut *pages.lock().unwrap_or_else(PoisonError::into_inner);
        let first = start / PAGE * PAGE;
        if !known.contains_key(&first) {
            if known.len() >= MOST_PAGES {
                known.clear();
            }
            let mut page = vec![0; PAGE.min(self.before - first)];
            file.seek(SeekFrom::Start(first as u64))?;
            file.read_exact(&mut page)?;
            known.insert(first, page);
        }
        found.extend_from_slice(&known[&first][start - first..end - first]);
        Ok(())
    }

    /// Write all to a file in a folder; it has no name there, and goes away with this.
    pub fn part(&mut self, folder: &Path) -> Result<()> {
        if self.pages.is_none() {
            let path = folder.join(format!("esatls-{:016x}", RandomState::new().hash_one(std::process::id())));
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            remove_file(path)?;
            self.pages = Some(Mutex::new(Pages { file, known: HashMap::new() }));
        }
        let Some(pages) = &self.pages else { return Ok(()) };
        let Pages { file, known } = &mut *pages.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear(); // the last page was not a whole one
        file.seek(SeekFrom::Start(self.before as u64))?;
        file.write_all(&self.latest)?;
        self.before += self.latest.len();
        self.latest = vec![];
        Ok(())
    }
}
