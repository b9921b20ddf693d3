//! Blocks of a log -> events as JSON, or facts. Which lines are events, what they say and how it is written is handed over by Python, which also reads
//! every line that is out of the ordinary.
mod facts;
mod groups;
mod heads;
mod judging;
mod kept;
mod matching;
mod parts;
mod reading;

#[path = "json.rs"]
#[allow(dead_code)]
mod new_json;
mod json {
    pub use crate::new_json::{is_plain, stamp, told};
    use std::io::Write;

    /// Add a text. `marks` are the ranges of characters that are written as escapes beside the control characters.
    /// False where it is no text.
    pub fn text(out: &mut Vec<u8>, value: &[u8], marks: &[(u32, u32)]) -> bool {
        // without a way out of the loop, many bytes are looked at at once
        if value.iter().fold(true, |plain, &b| plain & (0x20..0x7f).contains(&b) & (b != b'"') & (b != b'\\')) {
            out.extend_from_slice(value);
            return true;
        }
        let Ok(value) = std::str::from_utf8(value) else { return false };
        for c in value.chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\x08' => out.extend_from_slice(b"\\b"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\x0c' => out.extend_from_slice(b"\\f"),
                '\r' => out.extend_from_slice(b"\\r"),
                _ => {
                    let code = c as u32;
                    if code < 0x20 || (code > 0x7e && marks.iter().any(|&(first, last)| (first..=last).contains(&code))) {
                        let _ = write!(out, "\\u{code:04x}");
                    } else {
                        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
            }
        }
        true
    }
}

use facts::{number, Fact, Value, MOST_VALUES};
use groups::Groups;
use hashbrown::HashMap;
use heads::Heads;
use judging::{GivenTable, Judge, Question, Table};
use matching::{GivenMatcher, Matchers};
use parts::{Part, View, MESSAGES};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use reading::{Reader, Taken};
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

#[pyclass(module = "esatls_core")]
struct Core {
    reader: Reader,
    codes: Vec<String>,
    marks: Vec<(u32, u32)>,
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
    fn new(matchers: Vec<GivenMatcher>, odd: Vec<u8>, long: usize, codes: Vec<String>, marks: Vec<(u32, u32)>, table: GivenTable) -> PyResult<Self> {
        Ok(Core {
            reader: Reader { matchers: Matchers::new(matchers), heads: Heads::default(), odd, long },
            codes,
            marks,
            table: Table::new(table)?,
            parts: vec![Part::default()],
            limit: (usize::MAX, PathBuf::new()),
        })
    }

    /// Take lines of a block from a place on, as long as they are ordinary; with words, events are wanted of those lines alone that have one of them.
    fn take(&mut self, py: Python<'_>, block: &[u8], at: usize, words: Vec<Vec<u8>>, ask: Py<PyAny>) -> PyResult<Taken> {
        guarded(|| {
            py.detach(|| {
                let Core { reader, table, parts, .. } = self;
                let taken = reader.take(block, at, &words, &ask, &mut |appliance, store, code, time, key, given| {
                    let mut values = [0; MOST_VALUES];
                    for (value, text) in values.iter_mut().zip(given) {
                        *value = text.map_or(Some(0), |text| parts[0].texts.value(text)).ok_or_else(full)?;
                    }
                    let fact = Fact::new(code, time, values, given.len()).ok_or_else(full)?;
                    if parts[0].add(table, appliance, store, key, &fact) {
                        Ok(true)
                    } else {
                        Err(full())
                    }
                })?;
                self.part()?;
                Ok(taken)
            })
        })
    }

    /// Keep only so many bytes of facts in memory, the others in a file without a name in a folder.
    fn limit(&mut self, bytes: usize, folder: PathBuf) {
        self.limit = (bytes, folder);
    }

    /// Forget what headers say: the clock has changed.
    fn forget(&mut self) {
        self.reader.heads = Heads::default();
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

#[pymodule]
fn esatls_core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    set_hook(Box::new(|_| {})); // the error that Python raises says it
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Groups>()?;
    module.add_class::<Ids>()?;
    module.add_class::<Core>()
}
