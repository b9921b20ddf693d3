//! Records that are alike, counted: what they have in common is told by Python with each shape.
use hashbrown::HashMap;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Mutex, PoisonError};

/// One thing that is counted of records: seconds of the spans of time that are counted apart (0: none are), how many of a record's own times matter, or whether
/// those of its deliveries do, which family's texts stand for its own where the sender has no domain, and how many of the latest are told.
#[derive(FromPyObject, Clone, Copy)]
pub struct Family(pub u32, pub usize, pub bool, pub usize, pub usize);

/// The first and the last of a time, and the latest of them with their ids, the last one first.
#[derive(Clone)]
struct Span(u32, u32, Vec<(u32, u64)>);

/// What records have in common that are counted together: how many there are, their times, and one of them.
pub struct Group {
    count: u64,
    spans: Vec<Span>,
    line: Box<[u8]>,
}

/// Groups by what they have in common.
pub type Known = HashMap<Vec<u8>, Group>;

/// Family, number, spans, and the line of one.
type ToldGroup<'py> = (usize, u64, Vec<(u32, u32, Vec<(u32, u64)>)>, Bound<'py, PyBytes>);

#[pyclass(module = "esatls_core", frozen)]
pub struct Groups {
    pub families: Vec<Family>,
    /// What was counted, and is counted on by one thread at a time.
    known: Mutex<Vec<Known>>,
}

#[pymethods]
impl Groups {
    #[new]
    fn new(families: Vec<Family>) -> Self {
        Groups { families, known: Mutex::default() }
    }

    /// Return what was counted, and forget it.
    fn take<'py>(&self, py: Python<'py>) -> Vec<ToldGroup<'py>> {
        let mut all = std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        let mut found = all.pop().unwrap_or_default();
        for (key, group) in all.into_iter().flatten() {
            match found.get_mut(&key) {
                Some(known) => {
                    known.count += group.count;
                    known
                        .spans
                        .iter_mut()
                        .zip(&group.spans)
                        .for_each(|(known, span)| known.widen(span.0, span.1, &span.2, self.families[usize::from(key[0])].4));
                }
                None => drop(found.insert(key, group)),
            }
        }
        let told = |span: Span| (span.0, span.1, span.2);
        let told =
            |(key, group): (Vec<u8>, Group)| (usize::from(key[0]), group.count, group.spans.into_iter().map(told).collect(), PyBytes::new(py, &group.line));
        found.into_iter().map(told).collect()
    }
}

impl Groups {
    /// Return groups to count with.
    pub fn borrow(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Take them back.
    pub fn give_back(&self, known: Known) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).push(known);
    }

    /// Count one record; so many of the latest are kept.
    pub fn count(&self, known: &mut Known, key: &[u8], times: &[u32], id: u64, most: usize, line: impl FnOnce() -> Vec<u8>) {
        let spans = times.iter().map(|&time| Span(time, time, if most > 0 { vec![(time, id)] } else { vec![] }));
        match known.get_mut(key) {
            Some(group) => {
                group.count += 1;
                group.spans.iter_mut().zip(times).for_each(|(span, &time)| span.widen(time, time, &[(time, id)][..most.min(1)], most));
            }
            None => drop(known.insert(key.to_vec(), Group { count: 1, spans: spans.collect(), line: line().into() })),
        }
    }
}

impl Span {
    fn widen(&mut self, first: u32, last: u32, latest: &[(u32, u64)], most: usize) {
        (self.0, self.1) = (self.0.min(first), self.1.max(last));
        for one in latest {
            let place = self.2.partition_point(|known| known > one);
            if place < most {
                self.2.insert(place, *one);
                self.2.truncate(most);
            }
        }
    }
}
