//! Lines that are alike, counted: what makes them so is handed over by Python.
use hashbrown::HashMap;
use memchr::memmem::{rfind, Finder};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// A text in a line, the number of the one behind which it is looked for, and how: the first one, the last one, or none at all. 0 is where the line begins.
type GivenMark = (Vec<u8>, usize, String);
/// Bytes behind where a mark begins; one more than there are marks is where the line ends.
type Point = (usize, usize);
const STAMP: usize = 20;
type Stamp = [u8; STAMP];

/// One way to count lines: which of them (those that have the marks), what they have in common, and where times stand that matter; the latest lines by the
/// first of these are examples.
#[derive(FromPyObject)]
struct GivenView(usize, Vec<GivenMark>, Vec<(Point, Point)>, Vec<Point>);

struct View {
    given: GivenView,
    finders: Vec<Finder<'static>>,
}

impl View {
    /// Return where the marks of a line are; None where it has not all of them.
    fn places(&self, line: &[u8], places: &mut Vec<(usize, usize)>) -> Option<()> {
        places.clear();
        places.push((0, 0));
        for ((text, behind, how), finder) in self.given.1.iter().zip(&self.finders) {
            let from = places.get(*behind)?.1;
            let rest = line.get(from..)?;
            let found = if how == "last" { rfind(rest, text) } else { finder.find(rest) };
            if found.is_some() == (how == "none") {
                return None;
            }
            let place = found.map_or(from, |at| from + at);
            places.push((place, place + text.len()));
        }
        places.push((line.len(), line.len()));
        Some(())
    }
}

/// What lines have in common that are counted together.
#[derive(Default)]
struct Group {
    count: u64,
    /// The first and the last of each time.
    spans: Vec<(Stamp, Stamp)>,
    /// The times and ids of the latest, the last one first, and its line.
    latest: Vec<(Stamp, u64)>,
    line: Vec<u8>,
}

/// View, number, first and last times, times and ids of the latest, and the line of the last.
type ToldGroup<'py> = (usize, u64, Vec<(String, String)>, Vec<(String, u64)>, Bound<'py, PyBytes>);

#[pyclass(module = "esatls_core", frozen)]
pub struct Groups {
    views: Vec<View>,
    most: usize,
    known: Mutex<HashMap<Vec<u8>, Group>>,
}

#[pymethods]
impl Groups {
    /// Each line is counted once in each family, by the first view of it that fits; the number of its examples is `most`.
    #[new]
    fn new(views: Vec<GivenView>, most: usize) -> Self {
        let finders = |view: &GivenView| view.1.iter().map(|(text, ..)| Finder::new(text).into_owned()).collect();
        let views = views.into_iter().map(|given| View { finders: finders(&given), given }).collect();
        Groups { views, most, known: Mutex::default() }
    }

    /// Return what was counted, and forget it.
    fn take<'py>(&self, py: Python<'py>) -> Vec<ToldGroup<'py>> {
        let known = std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        let text = |stamp: Stamp| String::from_utf8_lossy(&stamp).into_owned();
        let told = |(key, group): (Vec<u8>, Group)| {
            let spans = group.spans.into_iter().map(|(first, last)| (text(first), text(last))).collect();
            let latest = group.latest.into_iter().map(|(time, id)| (text(time), id)).collect();
            (usize::from(key[0]), group.count, spans, latest, PyBytes::new(py, &group.line))
        };
        known.into_iter().map(told).collect()
    }
}

impl Groups {
    /// Count lines, given by where they stand among others, with their ids. Return those that fit no view of a family, for each family.
    pub fn add(&self, lines: &[u8], places: &[(Range<usize>, u64)]) -> Vec<Vec<u8>> {
        let families = self.views.iter().map(|view| view.given.0 + 1).max().unwrap_or(0);
        let mut rest = vec![vec![]; families];
        let (mut key, mut marks) = (vec![], vec![]);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, id) in places {
            let line = lines[place.clone()].trim_ascii_end();
            for (family, rest) in rest.iter_mut().enumerate() {
                let views = self.views.iter().enumerate().filter(|(_, view)| view.given.0 == family);
                if !views.into_iter().any(|(number, view)| self.count(number, view, line, *id, &mut known, &mut key, &mut marks).is_some()) {
                    rest.extend_from_slice(&lines[place.clone()]);
                }
            }
        }
        rest
    }

    #[allow(clippy::too_many_arguments)]
    fn count(
        &self,
        number: usize,
        view: &View,
        line: &[u8],
        id: u64,
        known: &mut HashMap<Vec<u8>, Group>,
        key: &mut Vec<u8>,
        places: &mut Vec<(usize, usize)>,
    ) -> Option<()> {
        view.places(line, places)?;
        let at = |&(mark, offset): &Point| places.get(mark).map(|place| place.0 + offset);
        key.clear();
        key.push(number as u8);
        for (from, to) in &view.given.2 {
            key.extend_from_slice(line.get(at(from)?..at(to)?)?);
            key.push(0); // stands in no line
        }
        let stamp = |point: &Point| line.get(at(point)?..)?.first_chunk::<STAMP>().copied();
        let stamps = view.given.3.iter().map(stamp).collect::<Option<Vec<Stamp>>>()?;
        let group = known.entry_ref(&key[..]).or_default();
        group.count += 1;
        if group.spans.is_empty() {
            group.spans = stamps.iter().map(|&stamp| (stamp, stamp)).collect();
        }
        for ((first, last), &stamp) in group.spans.iter_mut().zip(&stamps) {
            *first = stamp.min(*first);
            *last = stamp.max(*last);
        }
        let one = (stamps.first().copied().unwrap_or_default(), id);
        let place = group.latest.partition_point(|known| *known > one);
        if place == 0 {
            group.line.clear();
            group.line.extend_from_slice(line);
        }
        if place < self.most {
            group.latest.insert(place, one);
            group.latest.truncate(self.most);
        }
        Some(())
    }
}
