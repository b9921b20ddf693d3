//! Bytes to which more can only be added; the older ones go to a file if there are too many.
use hashbrown::HashMap;
use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::sync::Mutex;
use tempfile::tempfile;

/// A temporary file, and pages of it by place. A page goes on beyond its end, so that whatever begins in it is whole.
type Paged = (File, HashMap<usize, Vec<u8>>);
const PAGE: usize = 1 << 17;
const LONGEST: usize = 1 << 16;
const MOST_PAGES: usize = 64;

#[derive(Default)]
pub struct Kept {
    latest: Vec<u8>,
    /// Bytes in the file.
    before: usize,
    file: Option<Mutex<Paged>>,
    /// Bytes that may be in memory.
    pub most: usize,
}

impl Kept {
    pub fn len(&self) -> usize {
        self.before + self.latest.len()
    }

    pub fn add(&mut self, bytes: &[u8]) {
        self.latest.extend_from_slice(bytes);
    }

    /// Return bytes that were added together; fewer if there are no more.
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
            // verdicts would be wrong without it: stop here (`guarded`)
            file.seek(SeekFrom::Start(first as u64)).and_then(|_| file.read_exact(&mut page)).expect("the temporary file can be read");
            page
        });
        page[start - first..].iter().take(length).copied().collect()
    }

    /// Move all to the file if there is too much; return whether there was.
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
        self.file = Some(Mutex::new((file, HashMap::new()))); // the last page was not whole
        Ok(true)
    }
}
