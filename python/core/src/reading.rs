//! Blocks of a log -> events as JSON, or facts. Python hands over which lines are events, what they say and how it is written, and reads every line that is
//! out of the ordinary.
use crate::facts::{number, Of};
use crate::heads::{Head, Heads};
use crate::json;
use crate::judging::NEVER;
use crate::matching::Matchers;
use memchr::{memchr, memchr3, memmem};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// What to do with an event.
#[derive(FromPyObject)]
pub enum Plan {
    /// Write it: constants, and a field for each value.
    Event(Vec<u8>, Vec<Field>),
    /// Keep it as a fact: kind of store, and code. The first value is the id; without values, it is only counted.
    Fact(usize, u8),
}

/// A field: what stands in front of its value, the type of a plain value (`text` or `number`), and the function that writes any other value.
#[derive(FromPyObject)]
pub struct Field(Vec<u8>, String, Py<PyAny>);

impl Field {
    /// Write the field if there is a value.
    fn write(&self, value: &[u8], out: &mut Vec<u8>) -> PyResult<()> {
        let Field(name, plain, write) = self;
        let quote: &[u8] = match plain.as_str() {
            _ if value.is_empty() => return Ok(()),
            "text" if json::is_plain(value) => b"\"",
            "number" if number(value).is_some() => b"",
            _ => return Python::attach(|py| json::told(out, &write.bind(py).call1((PyBytes::new(py, value),))?)),
        };
        for part in [name, quote, value, quote] {
            out.extend_from_slice(part);
        }
        Ok(())
    }
}

/// Keeps a fact: home, code, time and values. False: Python is to keep it.
pub type Keep<'a> = dyn FnMut(Of, u8, u32, &[Option<&[u8]>]) -> PyResult<bool> + 'a;

/// What was read of a block, up to the line that Python is to read next.
#[derive(Default, IntoPyObject)]
pub struct Taken {
    /// Where the first line begins that was not read, and the first one that was not looked at.
    first: usize,
    after: usize,
    lines: u64,
    events: u64,
    out: Vec<u8>,
    /// The span of times that Python may not have seen.
    span: Option<(u32, u32)>,
}

pub struct Reader {
    pub matchers: Matchers,
    pub heads: Heads,
    /// Lines with this text are for Python.
    pub odd: Vec<u8>,
    /// Lines of this length, in bytes, or longer are for Python.
    pub long: usize,
}

impl Reader {
    /// Read ordinary lines of a block, from a place on. The last one is left, because the next block may continue it. If there are `words`, only lines with
    /// one of them can be events.
    pub fn take(&mut self, bytes: &[u8], at: usize, words: &[Vec<u8>], ask: &Py<PyAny>, keep: &mut Keep<'_>) -> PyResult<Taken> {
        let (odd, words) = (memmem::Finder::new(&self.odd), words.iter().map(memmem::Finder::new).collect::<Vec<_>>());
        let is_wanted = |line: &[u8]| words.is_empty() || words.iter().any(|word| word.find(line).is_some());
        let is_ordinary =
            |text: &[u8]| memchr3(0, b'\r', 0x1b, text).is_none() && odd.find(text).is_none() && (text.is_ascii() || std::str::from_utf8(text).is_ok());
        // most blocks are ordinary as a whole; if Python has read a line of one, each line is checked
        let are_ordinary = at == 0 && is_ordinary(bytes);
        let (mut taken, mut span) = (Taken { first: at, after: at, ..Taken::default() }, NEVER);
        let (mut head, mut values): (Option<Head>, _) = (None, vec![]);
        while taken.after < bytes.len() {
            let start = taken.after;
            let end = memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |length| start + length);
            let line = &bytes[start..end];
            taken.after = bytes.len().min(end + 1);
            if line.len() >= self.long || !(are_ordinary || is_ordinary(line)) {
                break;
            }
            let next = match &head {
                Some(head) if line.starts_with(&head.text) => None,
                _ => match self.heads.of(line, ask, &mut span)? {
                    None => break,
                    next => next,
                },
            };
            if let Some(head) = &head {
                let line = &bytes[taken.first..start];
                if is_wanted(line) && !taken.give(line, head, &mut self.matchers, &mut values, keep)? {
                    break;
                }
                taken.lines += 1;
                taken.first = start;
            }
            head = next.or(head);
        }
        taken.span = (span != NEVER).then_some(span);
        Ok(taken)
    }
}

impl Taken {
    /// Read one line. False: Python is to read it.
    fn give<'a>(&mut self, line: &'a [u8], head: &Head, matchers: &mut Matchers, values: &mut Vec<Option<&'a [u8]>>, keep: &mut Keep<'_>) -> PyResult<bool> {
        let line = line.trim_ascii_end();
        if line.last().is_some_and(|end| !end.is_ascii_graphic()) {
            return Ok(false); // Python may take it for white space
        }
        let Some(plan) = matchers.find(line.get(head.text.len()..).unwrap_or_default(), values)? else { return Ok(true) };
        match plan {
            None => return Ok(false),
            Some(Plan::Event(constants, fields)) => {
                let Some(base) = &head.base else { return Ok(true) };
                self.out.extend_from_slice(base);
                self.out.extend_from_slice(constants);
                for (field, value) in fields.iter().zip(values) {
                    field.write(value.unwrap_or_default(), &mut self.out)?;
                }
                self.out.extend_from_slice(b"}\n");
            }
            Some(Plan::Fact(store, code)) => {
                if let Some((key, values)) = values.split_first() {
                    let Some(key) = key.and_then(number) else { return Ok(false) };
                    if !keep((head.store + store, key), *code, head.time, values)? {
                        return Ok(false);
                    }
                }
            }
        }
        self.events += 1;
        Ok(true)
    }
}
