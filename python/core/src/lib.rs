//! Blocks of a log -> events as JSON, or facts. Which lines are events, what they say and how it is written is handed over by Python, which also reads
//! every line that is out of the ordinary.
mod facts;
mod groups;
mod json;
mod judging;
mod kept;
mod matching;
mod parts;

use facts::{number, Fact, Value, MOST_VALUES};
use groups::Groups;
use hashbrown::HashMap;
use judging::{GivenTable, Judge, Question, Table};
use matching::{Field, Found, GivenMatcher, Matchers, Todo};
use memchr::{memchr, memchr2, memchr_iter, memmem, memrchr};
use parts::{Part, View, MESSAGES};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// What the header of many lines says.
struct Head {
    /// Where the message text begins.
    end: usize,
    /// The fields that it gives an event; None where no event is wanted.
    base: Option<Vec<u8>>,
    appliance: usize,
    time: u32,
}

/// A header without the minutes and seconds of its stamp (`extraction.heads`): most of one log differ in nothing else.
struct Hour {
    before: Vec<u8>,
    after: Vec<u8>,
    base: Option<(Vec<u8>, Vec<u8>)>,
    appliance: usize,
    time: u32,
}

impl Hour {
    /// Return what the header of a line of this hour says.
    fn head(&self, line: &[u8]) -> Option<Head> {
        let rest = line.strip_prefix(&self.before[..])?;
        let ([b':', m, n, b':', s, t], rest) = rest.split_first_chunk()? else { return None };
        if !rest.starts_with(&self.after) || ![m, n, s, t].into_iter().all(u8::is_ascii_digit) || *m > b'5' || *s > b'5' {
            return None;
        }
        let number = |tens: &u8, ones: &u8| u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
        let time = self.time + number(m, n) * 60 + number(s, t);
        Some(Head { end: line.len() - rest.len() + self.after.len(), base: stamped(self.base.as_ref(), Some(time)), appliance: self.appliance, time })
    }
}

/// Return the fields that a header gives, with its time where that is not in them.
fn stamped(base: Option<&(Vec<u8>, Vec<u8>)>, time: Option<u32>) -> Option<Vec<u8>> {
    base.map(|(before, after)| {
        let mut found = before.clone();
        if let Some(time) = time {
            json::stamp(&mut found, time);
        }
        found.extend_from_slice(after);
        found
    })
}

/// What Python tells of a header: where it ends, the fields that it gives before and after its time, the appliance, the time, and where the minutes stand
/// that others of the hour have otherwise.
type Told = Option<(usize, Option<(Vec<u8>, Vec<u8>)>, usize, u32, Option<usize>)>;

/// Headers by their text. Lines of one log mostly have headers of the same length.
#[derive(Default)]
struct Heads {
    known: HashMap<Vec<u8>, Arc<Head>>,
    lengths: Vec<usize>,
    last: Option<(Vec<u8>, Arc<Head>)>,
    hour: Option<Hour>,
    /// The first and the last time that Python has not seen.
    span: Span,
}

const MOST_HEADS: usize = 20_000;
const MOST_LENGTHS: usize = 8;

impl Heads {
    /// Return what a line's header says, asking Python for one that is not known; None where the line has no whole one.
    fn of(&mut self, line: &[u8], ask: &Py<PyAny>) -> PyResult<Option<Arc<Head>>> {
        if let Some((text, head)) = &self.last {
            if line.starts_with(text) {
                return Ok(Some(head.clone()));
            }
        }
        if let Some(head) = self.hour.as_ref().and_then(|hour| hour.head(line)) {
            let (first, last) = self.span.unwrap_or((head.time, head.time));
            self.span = Some((first.min(head.time), last.max(head.time)));
            let head = Arc::new(head);
            self.last = Some((line[..head.end].to_vec(), head.clone()));
            return Ok(Some(head));
        }
        for at in 0..self.lengths.len() {
            let length = self.lengths[at];
            if let Some(head) = line.get(..length).and_then(|text| self.known.get(text)) {
                self.lengths.swap(0, at);
                self.last = Some((line[..length].to_vec(), head.clone()));
                return Ok(Some(head.clone()));
            }
        }
        let told: Told = Python::attach(|py| ask.bind(py).call1((PyBytes::new(py, line),))?.extract())?;
        let Some((end, base, appliance, time, minutes)) = told.filter(|told| 0 < told.0 && told.0 <= line.len()) else { return Ok(None) };
        let head = Head { end, base: stamped(base.as_ref(), minutes.map(|_| time)), appliance, time };
        if let Some(at) = minutes {
            let hour = Hour { before: line[..at].to_vec(), after: line[at + 6..end].to_vec(), base, appliance, time: 0 };
            let start = hour.head(line).and_then(|known| time.checked_sub(known.time));
            self.hour = start.map(|time| Hour { time, ..hour });
        }
        if self.known.len() >= MOST_HEADS {
            self.forget();
        }
        if !self.lengths.contains(&head.end) {
            self.lengths.insert(0, head.end);
            self.lengths.truncate(MOST_LENGTHS);
        }
        let (text, head) = (line[..head.end].to_vec(), Arc::new(head));
        self.known.insert(text.clone(), head.clone());
        self.last = Some((text, head.clone()));
        Ok(Some(head))
    }

    fn forget(&mut self) {
        self.known.clear();
        self.last = None;
        self.hour = None;
        self.span = None;
    }
}

/// What a block gave, up to the line that Python is to read next.
#[derive(Default)]
struct Taken {
    lines: u64,
    events: u64,
    out: Vec<u8>,
}

/// The first and the last time of which Python has not read, if there is any.
type Span = Option<(u32, u32)>;

/// Where the first line begins that was not taken, where the first one begins of which nothing is known, how many lines and events, these, and times.
type Took<'py> = (usize, usize, u64, u64, Bound<'py, PyBytes>, Span);

/// Where the last line begins, how many lines there are before it, how many events, these, and times.
type Sifted<'py> = (usize, u64, u64, Bound<'py, PyBytes>, Span);

#[pyclass(module = "esatls_core")]
struct Core {
    matchers: Matchers,
    codes: Vec<String>,
    marks: Vec<(u32, u32)>,
    longest_number: usize,
    /// What makes a line one for Python, wherever it stands in it. In a box, for its vectors need more alignment than Python gives an object.
    odd: Box<memmem::Finder<'static>>,
    /// Bytes from which on a line is one for Python.
    long: usize,
    heads: Heads,
    table: Table,
    /// What was read: here, and then by others.
    parts: Vec<Part>,
    /// Bytes of facts that are kept in memory, and the folder of the file that has the others.
    limit: (usize, PathBuf),
}

/// Code, time, id and values of a fact.
type GivenFact = (u32, u32, String, Vec<Option<Vec<u8>>>);

/// Records, or for each family those that are in no group; the place of the id after the last, places among them where those of a message belong that is for
/// Python, and what it is to tell.
type Judged<'py> = (Vec<Bound<'py, PyBytes>>, usize, Vec<(usize, usize, String)>, Option<Question>);

#[pymethods]
impl Core {
    #[new]
    fn new(
        matchers: Vec<GivenMatcher>,
        codes: Vec<String>,
        marks: Vec<(u32, u32)>,
        longest_number: usize,
        odd: &str,
        long: usize,
        table: GivenTable,
    ) -> PyResult<Self> {
        Ok(Core {
            matchers: Matchers::new(matchers)?,
            codes,
            marks,
            longest_number,
            odd: Box::new(memmem::Finder::new(odd).into_owned()),
            long,
            heads: Heads::default(),
            table: Table::new(table)?,
            parts: vec![Part::default()],
            limit: (usize::MAX, PathBuf::new()),
        })
    }

    /// Take lines of a block from a place on, as long as they are ordinary; the last one is left, for what follows may be its rest.
    /// Return where the first line begins that was not taken, where the first one begins of which nothing is known, and what was found.
    fn take<'py>(&mut self, block: &Bound<'py, PyBytes>, at: usize, ask: Py<PyAny>) -> PyResult<Took<'py>> {
        let (py, bytes) = (block.py(), block.as_bytes());
        let (first, after, taken) = guarded(|| {
            py.detach(|| {
                let taken = self.take_ordinary(bytes, at, &ask)?;
                self.part()?;
                Ok(taken)
            })
        })?;
        Ok((first, after, taken.lines, taken.events, PyBytes::new(py, &taken.out), self.heads.span.take()))
    }

    /// Take the lines of a block that hold a word, all but the last line. None where one line is not ordinary: then nothing was taken.
    fn sift<'py>(&mut self, block: &Bound<'py, PyBytes>, word: &[u8], rare: &[u8], ask: Py<PyAny>) -> PyResult<Option<Sifted<'py>>> {
        guarded(|| self.sift_word(block, word, rare, &ask))
    }

    /// Keep only so many bytes of facts in memory, the others in a file without a name in a folder.
    fn limit(&mut self, bytes: usize, folder: PathBuf) {
        self.limit = (bytes, folder);
    }

    /// Forget what headers say: the clock has changed.
    fn forget(&mut self) {
        self.heads.forget();
    }

    /// Add facts of Python's: code, time, id, values; false where one is not as the core has them.
    fn put(&mut self, appliance: usize, store: usize, facts: Vec<GivenFact>) -> PyResult<bool> {
        guarded(|| {
            for (code, time, key, given) in facts {
                let Some(key) = number(key.as_bytes()) else { return Ok(false) };
                let mut values = [0; MOST_VALUES];
                for (value, text) in values.iter_mut().zip(&given) {
                    *value = text.as_ref().map_or(Some(0), |text| self.parts[0].texts.value(text)).ok_or_else(full)?;
                }
                let Some(fact) = Fact::new(code, time, values, given.len()) else { return Ok(false) };
                if !self.parts[0].add(&self.table, appliance, store, key, &fact) {
                    return Err(full());
                }
            }
            Ok(true)
        })
    }

    /// Take over what another core has read; `appliances` are the numbers that its appliances have here.
    fn absorb(&mut self, mut other: PyRefMut<'_, Core>, appliances: Vec<usize>) {
        for mut part in std::mem::take(&mut other.parts) {
            let theirs = std::mem::take(&mut part.appliances);
            for (own, &number) in theirs.into_iter().zip(&appliances) {
                *part.appliance(number) = own;
            }
            self.parts.push(part);
        }
    }

    /// Tell whether all connections of an appliance are known here.
    fn is_plain(&self, appliance: usize) -> PyResult<bool> {
        guarded(|| Ok(self.view(appliance)?.is_plain()))
    }

    /// Return the ids of all messages of an appliance, of its connections of one side, or of several of these: ascending, and connections near the messages
    /// that name them.
    fn ids(&self, py: Python<'_>, appliance: usize, stores: Vec<usize>) -> PyResult<Ids> {
        guarded(|| {
            py.detach(|| {
                let view = self.view(appliance)?;
                let keys = |store: usize| view.keys(store, store < MESSAGES).into_iter().map(move |id| (store, id));
                let mut found: Vec<(usize, u64)> = stores.iter().flat_map(|&store| keys(store.min(MESSAGES))).collect();
                if stores.len() > 1 {
                    found.sort_by_cached_key(|&(store, id)| if store < MESSAGES { view.user(store, id) } else { id });
                }
                Ok(Ids(found))
            })
        })
    }

    /// Return the records of some of these from a place on, or count them in `groups`; `host` is its name as it stands in a record. Only those seen within
    /// some seconds are wanted.
    #[allow(clippy::too_many_arguments)]
    fn records<'py>(
        &self,
        py: Python<'py>,
        appliance: usize,
        ids: &Ids,
        host: &[u8],
        range: (i64, i64),
        at: usize,
        count: usize,
        ask: Py<PyAny>,
        groups: Option<Bound<'py, Groups>>,
    ) -> PyResult<Judged<'py>> {
        let groups = groups.as_ref().map(|groups| groups.get());
        let some = ids.0.get(at..(at + count).min(ids.0.len())).unwrap_or_default();
        let (out, done, odd, question) = guarded(|| {
            py.detach(|| {
                let mut judge = Judge::new(&self.table, self.view(appliance)?, range, &self.marks, host, &ask, groups);
                let (mut out, mut odd, mut done) = (vec![], vec![], 0);
                for &(store, id) in some {
                    if !(if store < MESSAGES { judge.link(store, id, &mut out)? } else { judge.record(id, &mut out)? }) {
                        if judge.question.is_some() {
                            break;
                        }
                        odd.push((out.len(), store, id.to_string()));
                    }
                    done += 1;
                }
                self.table.shaped.fetch_add(judge.shaped, Ordering::Relaxed);
                let (out, question) = judge.end(out);
                Ok((out, done, odd, question))
            })
        })?;
        Ok((out.iter().map(|out| PyBytes::new(py, out)).collect(), at + done, odd, question))
    }

    /// Judge by another table.
    fn judge_by(&mut self, table: GivenTable) -> PyResult<()> {
        self.table = Table::new(table)?;
        Ok(())
    }

    /// Tell whether Python has told of a shape.
    fn knows(&self, key: Vec<u32>) -> bool {
        self.table.knows(&key)
    }

    /// Take what Python tells of a shape.
    fn tell(&self, py: Python<'_>, key: Vec<u32>, part: judging::Part) {
        py.detach(|| self.table.tell(key, part));
    }

    /// How many messages and connections were judged here.
    fn shaped(&self) -> u64 {
        self.table.shaped.load(Ordering::Relaxed)
    }

    /// Return the messages that name an id: of a connection of one of the sides, or of a message.
    fn users(&self, appliance: usize, store: usize, key: u64, most: usize) -> PyResult<Vec<String>> {
        guarded(|| Ok(self.view(appliance)?.mentions(store.min(MESSAGES), key).iter().take(most).map(u64::to_string).collect()))
    }

    /// Return the facts of an id.
    fn facts<'py>(&self, py: Python<'py>, appliance: usize, store: usize, key: u64) -> PyResult<Bound<'py, PyList>> {
        guarded(|| self.told(py, &self.view(appliance)?, store.min(MESSAGES), key, &mut HashMap::new()))
    }

    /// Add all facts of one appliance to dicts of Python's, one for each store, and forget them.
    fn drain(&mut self, appliance: usize, stores: Vec<Bound<'_, PyDict>>) -> PyResult<()> {
        let Some(py) = stores.first().map(Bound::py) else { return Ok(()) };
        let mut texts = HashMap::new();
        guarded(|| {
            let view = self.view(appliance)?;
            for (store, into) in stores.iter().enumerate() {
                for key in view.keys(store, false) {
                    let id = PyString::new(py, &key.to_string());
                    let found = self.told(py, &view, store, key, &mut texts)?;
                    match into.get_item(&id)? {
                        Some(known) => known.call_method1("extend", (found,)).map(drop)?,
                        None => into.set_item(id, found)?,
                    }
                }
            }
            Ok(())
        })?;
        for part in &mut self.parts {
            *part.appliance(appliance) = Default::default();
        }
        Ok(())
    }
}

/// Ids of which there are records.
#[pyclass(module = "esatls_core", frozen)]
struct Ids(Vec<(usize, u64)>);

#[pymethods]
impl Ids {
    fn __len__(&self) -> usize {
        self.0.len()
    }
}

impl Core {
    fn view(&self, appliance: usize) -> PyResult<View<'_>> {
        View::new(&self.parts, appliance).ok_or_else(full)
    }

    /// Write facts to a file where there are too many.
    fn part(&mut self) -> PyResult<()> {
        let part = &mut self.parts[0];
        if part.held() > self.limit.0 {
            part.part(&self.limit.1)?;
        }
        Ok(())
    }

    fn take_ordinary(&mut self, bytes: &[u8], at: usize, ask: &Py<PyAny>) -> PyResult<(usize, usize, Taken)> {
        // of most blocks all of that is plain at once; where Python has read a line of one, each of the others is looked at
        let is_plain = at == 0 && bytes.is_ascii() && memchr2(0, b'\r', bytes).is_none() && self.odd.find(bytes).is_none();
        let (mut at, mut taken, mut held, mut first) = (at, Taken::default(), None, usize::MAX);
        while at < bytes.len() {
            let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length);
            let line = &bytes[at..end];
            let after = (end + 1).min(bytes.len());
            let head = if line.len() >= self.long || !(is_plain || self.is_ordinary(line)) { None } else { self.heads.of(line, ask)? };
            let Some(head) = head else {
                first = first.min(at);
                at = after;
                break;
            };
            if let Some((start, line, head)) = held.replace((at, line, head)) {
                if !self.give(line, &head, &mut taken)? {
                    first = start;
                    break;
                }
                taken.lines += 1;
            }
            at = after;
        }
        if let Some((start, _, _)) = held {
            first = first.min(start);
        }
        Ok((first.min(at), at, taken))
    }

    fn sift_word<'py>(&mut self, block: &Bound<'py, PyBytes>, word: &[u8], rare: &[u8], ask: &Py<PyAny>) -> PyResult<Option<Sifted<'py>>> {
        let bytes = block.as_bytes();
        let Some(last) = bytes.len().checked_sub(2).and_then(|end| memrchr(b'\n', &bytes[..=end])).map(|at| at + 1) else { return Ok(None) };
        if self.is_long_before(bytes, last) || memchr2(0, b'\r', bytes).is_some() || memmem::find(bytes, rare).is_some() || std::str::from_utf8(bytes).is_err()
        {
            return Ok(None);
        }
        let mut taken = Taken { lines: memchr_iter(b'\n', &bytes[..last]).count() as u64, ..Taken::default() };
        let finder = memmem::Finder::new(word);
        let mut at = 0;
        // the first line and the last, and each line after one that is picked
        for beside in [0, last] {
            if self.heads.of(line_at(bytes, beside), ask)?.is_none() {
                return Ok(None);
            }
        }
        while let Some(found) = finder.find(&bytes[at..last]) {
            let start = memrchr(b'\n', &bytes[..at + found]).map_or(0, |end| end + 1);
            let line = line_at(bytes, start);
            at = start + line.len() + 1;
            if self.is_long_before(bytes, start) || self.odd.find(line).is_some() || self.heads.of(line_at(bytes, at), ask)?.is_none() {
                return Ok(None);
            }
            let Some(head) = self.heads.of(line, ask)? else { return Ok(None) };
            if !self.give(line, &head, &mut taken)? {
                return Ok(None);
            }
        }
        Ok(Some((last, taken.lines, taken.events, PyBytes::new(block.py(), &taken.out), self.heads.span.take())))
    }

    /// Tell whether a line has nothing in it that is for Python.
    fn is_ordinary(&self, line: &[u8]) -> bool {
        memchr2(0, b'\r', line).is_none() && self.odd.find(line).is_none() && std::str::from_utf8(line).is_ok()
    }

    /// Tell whether the line before a place is long: what follows may be its rest.
    fn is_long_before(&self, bytes: &[u8], start: usize) -> bool {
        let end = start.saturating_sub(1);
        end - memrchr(b'\n', &bytes[..end]).map_or(0, |at| at + 1) >= self.long
    }

    /// Take one line; false where Python is to do so.
    fn give(&mut self, line: &[u8], head: &Head, taken: &mut Taken) -> PyResult<bool> {
        let line = stripped(line);
        if line.last().is_some_and(|end| !end.is_ascii()) {
            return Ok(false);
        }
        let text = line.get(head.end..).unwrap_or(b"");
        let (todo, groups) = match self.matchers.find(text)? {
            Found::Nothing => return Ok(true),
            Found::Unsure => return Ok(false),
            Found::One(todo, groups) => (todo, groups),
        };
        let group = |number: usize| groups.get(number).and_then(|(start, end)| text.get(start..end));
        match todo {
            Todo::Word(word) if word == "count" => taken.events += 1,
            Todo::Word(word) if word == "pass" => {}
            Todo::Word(_) => return Ok(false),
            Todo::Event(constants, fields) => {
                let Some(base) = &head.base else { return Ok(true) };
                let before = taken.out.len();
                taken.out.extend_from_slice(base);
                taken.out.extend_from_slice(constants);
                for field in fields {
                    let value = group(field.1).unwrap_or(b"");
                    if !value.is_empty() && !write(&mut taken.out, field, value, &self.marks, self.longest_number) {
                        taken.out.truncate(before);
                        return Ok(false);
                    }
                }
                taken.out.extend_from_slice(b"}\n");
                taken.events += 1;
            }
            Todo::Fact(store, code, numbers) => {
                let mut values: [Value; MOST_VALUES] = [0; MOST_VALUES];
                let Some(key) = numbers.first().and_then(|&key| group(key)).and_then(number) else { return Ok(false) };
                for (place, &number) in values.iter_mut().zip(&numbers[1..]) {
                    if let Some(text) = group(number) {
                        *place = self.parts[0].texts.value(text).ok_or_else(full)?;
                    }
                }
                let fact = Fact::new(*code, head.time, values, numbers.len() - 1).ok_or_else(full)?;
                if !self.parts[0].add(&self.table, head.appliance, *store, key, &fact) {
                    return Err(full());
                }
                taken.events += 1;
            }
        }
        Ok(true)
    }

    /// Return the facts of an id as Python has them.
    fn told<'py>(&self, py: Python<'py>, view: &View<'_>, store: usize, key: u64, texts: &mut PyTexts<'py>) -> PyResult<Bound<'py, PyList>> {
        let (id, found) = (PyString::new(py, &key.to_string()), PyList::empty(py));
        for fact in view.distinct(store, key).unwrap_or_else(|| view.facts(store, key).collect()).into_iter().rev() {
            let mut values: Vec<Bound<'_, PyAny>> = Vec::with_capacity(3 + fact.values().len());
            let code = PyString::intern(py, &self.codes[fact.code as usize]);
            values.extend([code.into_any(), fact.time.into_pyobject(py)?.into_any(), id.clone().into_any()]);
            for &value in fact.values() {
                values.push(match (value, facts::as_number(value)) {
                    (0, _) => py.None().into_bound(py),
                    (_, Some(number)) => PyString::new(py, &number.to_string()).into_any(),
                    _ => {
                        let text = || PyString::new(py, &String::from_utf8_lossy(&view.text(value).unwrap_or_default()));
                        texts.entry(value).or_insert_with(text).clone().into_any()
                    }
                });
            }
            found.append(PyTuple::new(py, values)?)?;
        }
        Ok(found)
    }
}

/// Texts that Python has already, by what stands for them.
type PyTexts<'py> = HashMap<Value, Bound<'py, PyString>>;

/// Do something of which no panic reaches Python.
fn guarded<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(PyRuntimeError::new_err("the compiled core failed; ESATLS_PURE=1 reads without it")))
}

fn full() -> PyErr {
    PyRuntimeError::new_err("too many facts for one process; give it less of the log, or more of them")
}

/// Add one field of an event; false where its value is not as ever.
fn write(out: &mut Vec<u8>, field: &Field, value: &[u8], marks: &[(u32, u32)], longest: usize) -> bool {
    let Field(name, _, reading, choices) = field;
    let before = out.len();
    out.extend_from_slice(name);
    match reading.as_str() {
        "text" => {
            out.push(b'"');
            let good = json::text(out, value, marks);
            out.push(b'"');
            good
        }
        "number" => json::number(out, value),
        "list" => match json::list(out, value, longest) {
            Some(any) => {
                if !any {
                    out.truncate(before);
                }
                true
            }
            None => false,
        },
        _ => {
            match choices.iter().find(|(one, _)| one == value) {
                Some((_, told)) => out.extend_from_slice(told),
                None => out.truncate(before),
            }
            true
        }
    }
}

/// Return a line without the white space at its end, as Python sees it.
fn stripped(line: &[u8]) -> &[u8] {
    let length = line.iter().rposition(|byte| !matches!(byte, b'\t'..=b'\r' | 0x1c..=0x20)).map_or(0, |at| at + 1);
    &line[..length]
}

fn line_at(bytes: &[u8], start: usize) -> &[u8] {
    let rest = bytes.get(start..).unwrap_or(b"");
    &rest[..memchr(b'\n', rest).unwrap_or(rest.len())]
}

#[pymodule]
fn esatls_core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    set_hook(Box::new(|_| {})); // the error that Python raises says it
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Groups>()?;
    module.add_class::<Ids>()?;
    module.add_class::<Core>()
}
