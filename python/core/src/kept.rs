//! Bytes that are only added to. Where they are more than fit into memory, the first of them are in a file.
use hashbrown::HashMap;
use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::sync::Mutex;
use tempfile::tempfile;

/// A file without a name, and pieces of it that are in memory, by where they begin. What begins in a page is whole in it.
type Paged = (File, HashMap<usize, Vec<u8>>);
const PAGE: usize = 1 << 17;
const LONGEST: usize = 1 << 16;
const MOST_PAGES: usize = 64;

#[derive(Default)]
pub struct Kept {
    latest: Vec<u8>,
    /// How many stand in the file.
    before: usize,
    file: Option<Mutex<Paged>>,
    /// How many may be in memory.
    pub most: usize,
}

impl Kept {
    pub fn len(&self) -> usize {
        self.before + self.latest.len()
    }

    pub fn add(&mut self, bytes: &[u8]) {
        self.latest.extend_from_slice(bytes);
    }

    /// Return some bytes that were added at once, as many as there are.
    #[inline]
    pub fn get(&self, start: usize, length: usize) -> Cow<'_, [u8]> {
        let Some(from) = start.checked_sub(self.before) else { return Cow::Owned(self.read(start, length)) };
        Cow::Borrowed(&self.latest[from..(from + length).min(self.latest.len())])
    }

    #[cold]
    fn read(&self, start: usize, length: usize) -> Vec<u8> {
        let (file, pages) = &mut *self.file.as_ref().expect("there is a file").lock().expect("no thread has failed");
        if pages.len() > MOST_PAGES {
            pages.clear();
        }
        let first = start / PAGE * PAGE;
        let page = pages.entry(first).or_insert_with(|| {
            let mut page = vec![0; (PAGE + LONGEST).min(self.before - first)];
            // without what stands there, verdicts would be wrong: nothing goes on (`guarded`)
            file.seek(SeekFrom::Start(first as u64)).and_then(|_| file.read_exact(&mut page)).expect("the temporary file can be read");
            page
        });
        page[start - first..].iter().take(length).copied().collect()
    }

    /// Write all to the file, where there is too much; tell whether there was.
    pub fn relieve(&mut self) -> Result<bool> {
        if self.latest.len() <= self.most {
            return Ok(false);
        }
        let (mut file, _) = match self.file.take() {
            Some(known) => known.into_inner().expect("no thread has failed"),
            None => (tempfile()?, HashMap::new()),
        };
        file.seek(SeekFrom::Start(self.before as u64))?;
        file.write_all(&self.latest)?;
        self.before += self.latest.len();
        self.latest = vec![];
        self.file = Some(Mutex::new((file, HashMap::new()))); // of what was in memory, the last piece was not whole
        Ok(true)
    }
}
