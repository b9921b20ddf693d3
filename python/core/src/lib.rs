//! Blocks of a log -> events as JSON, or facts -> records. Python hands over which lines are events, what they say, which lives are ordinary and how it is
//! all written. It also reads every line and judges every life that is out of the ordinary.
mod facts;
mod groups;
mod heads;
mod json;
mod judging;
mod kept;
mod matching;
mod reading;
mod told;

use facts::{number, Facts, Of, MENTION};
use heads::Heads;
use judging::{ordinary, Judge, Learned, Table};
use matching::{GivenMatcher, Matchers};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use reading::{Reader, Taken};
use std::env::temp_dir;
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use told::{KIND, MESSAGES, STORES};

#[pyclass(module = "esatls_core")]
struct Core {
    reader: Reader,
    codes: Vec<String>,
    table: Table,
    facts: Facts,
}

/// Code, time, id and values of a fact.
type GivenFact = (u8, u32, u64, Vec<Option<Vec<u8>>>);

/// Records, one a line (when counting, for each family those in no group); and the connections and messages left to Python, with the place of each record.
type Judged<'py> = (Vec<Bound<'py, PyBytes>>, Vec<(usize, usize, u64)>);

#[pymethods]
impl Core {
    /// Keep at most this many bytes of facts in memory, and the others in a file.
    #[new]
    fn new(matchers: Vec<GivenMatcher>, odd: Vec<u8>, long: usize, codes: Vec<String>, table: Table, most: usize) -> Self {
        let reader = Reader { matchers: Matchers::new(matchers), heads: Heads::default(), odd, long };
        Core { reader, codes, table, facts: Facts::new(most) }
    }

    /// Read ordinary lines of a block, from a place on. If there are `words`, only lines with one of them can be events.
    fn take(&mut self, py: Python<'_>, block: &[u8], at: usize, words: Vec<Vec<u8>>, ask: Py<PyAny>) -> PyResult<Taken> {
        guarded(py, || {
            let Core { reader, table, facts, .. } = self;
            let taken = reader.take(block, at, &words, &ask, &mut |of, code, time, values| keep(facts, table, of, code, time, values))?;
            let failed = |error| PyOSError::new_err(format!("the temporary file for --memory, in {}: {error}", temp_dir().display()));
            facts.relieve().map(|()| taken).map_err(failed)
        })
    }

    /// Forget all headers: the clock has changed.
    fn forget(&mut self) {
        self.reader.heads = Heads::default();
    }

    /// Add facts that Python has read.
    fn put(&mut self, py: Python<'_>, store: usize, facts: Vec<GivenFact>) -> PyResult<()> {
        guarded(py, || {
            facts.iter().try_for_each(|(code, time, id, values)| {
                let values: Vec<Option<&[u8]>> = values.iter().map(Option::as_deref).collect();
                keep(&mut self.facts, &self.table, (store, *id), *code, *time, &values).map(drop)
            })
        })
    }

    /// Take over the facts of another core.
    fn absorb(&mut self, mut other: PyRefMut<'_, Core>) {
        self.facts.0.append(&mut other.facts.0);
    }

    /// Return the ids of some kinds of an appliance, eight bytes each, with the kind in the upper bits: ascending, or for several kinds in the order in
    /// which they were last seen, so that what belongs together is judged together.
    fn ids<'py>(&self, py: Python<'py>, first: usize, kinds: Vec<usize>) -> PyResult<Bound<'py, PyBytes>> {
        let found: Vec<u8> = guarded(py, || {
            let ids = |&kind: &usize| self.facts.ids(first + kind).into_iter().map(move |(id, last)| (last, id | (kind as u64) << KIND));
            let mut found: Vec<(u64, u64)> = kinds.iter().flat_map(ids).collect();
            if kinds.len() > 1 {
                found.sort_unstable();
            }
            Ok(found.into_iter().flat_map(|(_, id)| id.to_le_bytes()).collect())
        })?;
        Ok(PyBytes::new(py, &found))
    }

    /// Return the records of these ids, or count them.
    fn records<'py>(&self, py: Python<'py>, ids: &[u8], ask: Py<PyAny>, mut learned: PyRefMut<'py, Learned>) -> PyResult<Judged<'py>> {
        let (of, learned) = (ask.extract(py)?, &mut *learned);
        let (out, odd) = guarded(py, || {
            let mut judge = Judge::new(&self.table, &self.facts, &of, &ask, learned);
            let mut odd = vec![];
            for id in ids.chunks_exact(8).map(|id| u64::from_le_bytes(id.try_into().unwrap_or_default())) {
                let (kind, id) = ((id >> KIND) as usize, id & !(3 << KIND));
                if ordinary(match (kind, id) {
                    (MESSAGES, _) => judge.record(id),
                    (_, 0) => Ok(()),
                    _ => judge.link(kind, id),
                })?
                .is_none()
                {
                    odd.push((judge.out[0].len(), kind, id));
                }
            }
            Ok((judge.out, odd))
        })?;
        Ok((out.iter().map(|out| PyBytes::new(py, out)).collect(), odd))
    }

    /// Return the messages that name an id.
    fn users(&self, py: Python<'_>, store: usize, id: u64, most: usize) -> PyResult<Vec<u64>> {
        guarded(py, || Ok(self.facts.users((store, id)).into_iter().take(most).collect()))
    }

    /// Return the facts of an id as Python has them.
    fn of<'py>(&self, py: Python<'py>, store: usize, id: u64) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let key = PyString::new(py, &id.to_string());
        let facts = guarded(py, || Ok(self.facts.of((store, id))))?;
        let told = facts.iter().filter(|fact| fact.code != MENTION).map(|fact| {
            let mut values = vec![PyString::intern(py, &self.codes[usize::from(fact.code)]).into_any(), fact.time.into_pyobject(py)?.into_any()];
            values.push(key.clone().into_any());
            for text in fact.texts() {
                values.push(text.map(|text| PyString::new(py, &String::from_utf8_lossy(text))).into_pyobject(py)?.into_any());
            }
            PyTuple::new(py, values)
        });
        told.collect()
    }
}

/// Add a fact, and mention it at the id that it names. False: that id is not a number, and is unknown here.
fn keep(facts: &mut Facts, table: &Table, of: Of, code: u8, time: u32, values: &[Option<&[u8]>]) -> PyResult<bool> {
    let full = || PyRuntimeError::new_err("too many facts for one process; give it less of the log, or more of them");
    let is_new = facts.add(of, code, time, values).ok_or_else(full)?;
    let (Some((kind, passed)), Some(Some(text))) = (table.names(code), values.first()) else { return Ok(true) };
    let named = number(text);
    if let Some(id) = named.filter(|&id| is_new && id > 0) {
        facts.add((of.0 / STORES * STORES + kind, id), MENTION, time, &[Some(&of.1.to_le_bytes()), passed.then_some(b"")]).ok_or_else(full)?;
    }
    Ok(named.is_some())
}

/// Work without the interpreter's lock, and let no panic reach Python.
fn guarded<T: Send>(py: Python<'_>, work: impl FnOnce() -> PyResult<T> + Send) -> PyResult<T> {
    let failed = || PyRuntimeError::new_err("the compiled core failed; ESATLS_PURE=1 reads without it");
    py.detach(|| catch_unwind(AssertUnwindSafe(work))).unwrap_or_else(|_| Err(failed()))
}

#[pymodule]
fn esatls_core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    set_hook(Box::new(|_| {})); // Python raises an error instead
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Learned>()?;
    module.add_class::<Core>()
}
