//! Blocks of a log -> events as JSON, or facts -> records. Which lines are events, what they say, which lives are ordinary and how all of it is written is
//! handed over by Python, which also reads every line and judges every life that is out of the ordinary.
mod facts;
mod groups;
mod heads;
mod json;
mod judging;
mod kept;
mod matching;
mod reading;

use facts::{ascending, number, Part, View, MENTION, MESSAGES};
use heads::Heads;
use judging::{ordinary, Judge, Learned, Rule, Table};
use matching::{GivenMatcher, Matchers};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use reading::{Reader, Taken};
use std::fs::File;
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};

#[pyclass(module = "esatls_core")]
struct Core {
    reader: Reader,
    codes: Vec<String>,
    table: Table,
    /// What was read: here, and then by others.
    parts: Vec<Part>,
    /// Whether a message names a connection that is not a number as it is written: it is not known here.
    #[pyo3(get)]
    is_odd: bool,
}

/// Code, time, id and values of a fact.
type GivenFact = (u8, u32, u64, Vec<Option<Vec<u8>>>);

/// Lines of records, or for each family those that are in no group; and which connections and messages are for Python, with the places where their records belong.
type Judged<'py> = (Vec<Bound<'py, PyBytes>>, Vec<(usize, usize, u64)>);

/// Where the store stands in front of an id.
const STORE: u32 = 62;

#[pymethods]
impl Core {
    #[new]
    fn new(matchers: Vec<GivenMatcher>, odd: Vec<u8>, long: usize, codes: Vec<String>, rules: Vec<Option<Rule>>, same: u32, silence: u32) -> Self {
        let reader = Reader { matchers: Matchers::new(matchers), heads: Heads::default(), odd, long };
        Core { reader, codes, table: Table { rules, same, silence }, parts: vec![Part::default()], is_odd: false }
    }

    /// Take lines of a block from a place on, as long as they are ordinary; with words, events are wanted of those lines alone that have one of them.
    fn take(&mut self, py: Python<'_>, block: &[u8], at: usize, words: Vec<Vec<u8>>, ask: Py<PyAny>) -> PyResult<Taken> {
        guarded(py, || {
            let Core { reader, table, parts, is_odd, .. } = self;
            let taken = reader.take(block, at, &words, &ask, &mut |of, code, time, values| keep(&mut parts[0], table, is_odd, of, code, time, values))?;
            Ok(parts[0].relieve().map(|()| taken)?)
        })
    }

    /// Keep only so many bytes of facts in memory, the others in a file.
    fn limit(&mut self, bytes: usize, path: &str) -> PyResult<()> {
        self.parts[0].kept.limit(bytes, File::options().read(true).write(true).open(path)?);
        Ok(())
    }

    /// Forget what headers say: the clock has changed.
    fn forget(&mut self) {
        self.reader.heads = Heads::default();
    }

    /// Add facts of Python's: code, time, id, values.
    fn put(&mut self, py: Python<'_>, appliance: usize, store: usize, facts: Vec<GivenFact>) -> PyResult<()> {
        guarded(py, || {
            facts.iter().try_for_each(|(code, time, id, values)| {
                let values: Vec<Option<&[u8]>> = values.iter().map(Option::as_deref).collect();
                keep(&mut self.parts[0], &self.table, &mut self.is_odd, (appliance, store, *id), *code, *time, &values)
            })
        })
    }

    /// Take over what another core has read; `appliances` are the numbers that its appliances have here.
    fn absorb(&mut self, mut other: PyRefMut<'_, Core>, appliances: Vec<usize>) {
        self.is_odd |= other.is_odd;
        for mut part in std::mem::take(&mut other.parts) {
            part.renumber(&appliances);
            self.parts.push(part);
        }
    }

    /// Forget all facts.
    fn clear(&mut self) {
        self.parts = vec![Part::default()];
    }

    /// Return the ids of an appliance that have facts, of one store.
    fn keys(&self, py: Python<'_>, appliance: usize, store: usize) -> PyResult<Vec<u64>> {
        guarded(py, || Ok(self.view(appliance).ids(store, false)))
    }

    /// Return the ids of all messages of an appliance, of its connections of one side, or of several of these, eight bytes each: ascending, and connections
    /// near the messages that name them.
    fn ids<'py>(&self, py: Python<'py>, appliance: usize, stores: Vec<usize>) -> PyResult<Bound<'py, PyBytes>> {
        let found: Vec<u8> = guarded(py, || {
            let view = self.view(appliance);
            let ids = |&store: &usize| view.ids(store, store < MESSAGES).into_iter().map(move |id| (store, id));
            let mut found: Vec<(usize, u64)> = stores.iter().flat_map(ids).collect();
            if stores.len() > 1 {
                found.sort_by_cached_key(|&(store, id)| if store < MESSAGES { view.users(store, id).next().unwrap_or(0) } else { id });
            }
            Ok(found.into_iter().flat_map(|(store, id)| (id | (store as u64) << STORE).to_le_bytes()).collect())
        })?;
        Ok(PyBytes::new(py, &found))
    }

    /// Return the records of some of these, or count them; `host` is the appliance's name. Only those seen within some seconds are wanted.
    #[allow(clippy::too_many_arguments)]
    fn records<'py>(
        &self,
        py: Python<'py>,
        appliance: usize,
        ids: &[u8],
        host: &[u8],
        range: (i64, i64),
        ask: Py<PyAny>,
        mut learned: PyRefMut<'py, Learned>,
    ) -> PyResult<Judged<'py>> {
        let learned = &mut *learned;
        let (out, odd) = guarded(py, || {
            let mut judge = Judge::new(&self.table, self.view(appliance), range, host, &ask, learned);
            let mut odd = vec![];
            for id in ids.chunks_exact(8).map(|id| u64::from_le_bytes(id.try_into().unwrap_or_default())) {
                let (store, id) = ((id >> STORE) as usize, id & !(3 << STORE));
                if ordinary(if store < MESSAGES { judge.link(store, id) } else { judge.record(id) })?.is_none() {
                    odd.push((judge.out[0].len(), store, id));
                }
            }
            Ok((judge.out, odd))
        })?;
        Ok((out.iter().map(|out| PyBytes::new(py, out)).collect(), odd))
    }

    /// Return the messages that name an id: of a connection of one of the sides, or of a message.
    fn users(&self, py: Python<'_>, appliance: usize, store: usize, id: u64, most: usize) -> PyResult<Vec<u64>> {
        guarded(py, || Ok(ascending(self.view(appliance).users(store, id)).into_iter().take(most).collect()))
    }

    /// Return the facts of an id as Python has them.
    fn facts<'py>(&self, py: Python<'py>, appliance: usize, store: usize, id: u64) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let key = PyString::new(py, &id.to_string());
        let facts = guarded(py, || Ok(self.view(appliance).facts(store, id)))?;
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

impl Core {
    fn view(&self, appliance: usize) -> View<'_> {
        View { parts: &self.parts, appliance }
    }
}

/// Add a fact of an appliance, a store and an id, and note what it names.
fn keep(part: &mut Part, table: &Table, is_odd: &mut bool, of: (usize, usize, u64), code: u8, time: u32, values: &[Option<&[u8]>]) -> PyResult<()> {
    let full = || PyRuntimeError::new_err("too many facts for one process; give it less of the log, or more of them");
    let (appliance, store, id) = of;
    let is_new = part.add(appliance, store, id, code, time, values).ok_or_else(full)?;
    if let (true, MESSAGES, Some((named, passed)), Some(Some(text))) = (is_new, store, table.names(code), values.first()) {
        match number(text) {
            Some(0) => {}
            Some(other) => {
                part.add(appliance, named, other, MENTION, time, &[Some(&id.to_le_bytes()), passed.then_some(b"")]).ok_or_else(full)?;
            }
            None => *is_odd |= named < MESSAGES,
        }
    }
    Ok(())
}

/// Do something beside the interpreter of which no panic reaches Python.
fn guarded<T>(py: Python<'_>, work: impl FnOnce() -> PyResult<T> + Send) -> PyResult<T>
where
    T: Send,
{
    let failed = || PyRuntimeError::new_err("the compiled core failed; ESATLS_PURE=1 reads without it");
    py.detach(|| catch_unwind(AssertUnwindSafe(work))).unwrap_or_else(|_| Err(failed()))
}

#[pymodule]
fn esatls_core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    set_hook(Box::new(|_| {})); // the error that Python raises says it
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Learned>()?;
    module.add_class::<Core>()
}
