//! Records that are alike, counted: what they have in common is told by Python with each shape.
use hashbrown::HashMap;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// One thing that is counted of records: seconds of the spans of time that are counted apart (0: none are), how many of a record's own times matter, or whether
/// those of its deliveries do, which family's texts stand for its own where the sender has no domain, and how many of the latest are told.
#[derive(FromPyObject, Clone, Copy)]
pub struct Family(pub u32, pub usize, pub bool, pub usize, pub usize);

/// The first and the last of a time, and the latest of them with their ids, the last one first.
pub type Span = (u32, u32, Vec<(u32, u64)>);

/// What records have in common that are counted together: how many there are, their times, and one of them.
pub struct Group {
    count: u64,
    spans: Vec<Span>,
    line: Vec<u8>,
}

/// Groups by what they have in common.
pub type Known = HashMap<Vec<u8>, Group>;

/// Add what was counted elsewhere.
pub fn absorb(known: &mut Known, others: Known, families: &[Family]) {
    for (key, group) in others {
        let most = families[usize::from(key[0])].4;
        match known.get_mut(&key) {
            Some(known) => {
                known.count += group.count;
                known.spans.iter_mut().zip(&group.spans).for_each(|(known, span)| widen(known, span.0, span.1, &span.2, most));
            }
            None => drop(known.insert(key, group)),
        }
    }
}

/// Return what was counted: family, number, spans, and the record of one.
pub fn told(known: Known, py: Python<'_>) -> Vec<(usize, u64, Vec<Span>, Bound<'_, PyBytes>)> {
    known.into_iter().map(|(key, group)| (usize::from(key[0]), group.count, group.spans, PyBytes::new(py, &group.line))).collect()
}

/// Count one record; so many of the latest are kept.
pub fn count(known: &mut Known, key: &[u8], times: &[u32], id: u64, most: usize, line: impl FnOnce(&mut Vec<u8>) -> PyResult<()>) -> PyResult<()> {
    match known.get_mut(key) {
        Some(group) => {
            group.count += 1;
            group.spans.iter_mut().zip(times).for_each(|(span, &time)| widen(span, time, time, &[(time, id)][..most.min(1)], most));
        }
        None => {
            let spans = times.iter().map(|&time| (time, time, [(time, id)][..most.min(1)].to_vec())).collect();
            let mut group = Group { count: 1, spans, line: vec![] };
            line(&mut group.line)?;
            known.insert(key.to_vec(), group);
        }
    }
    Ok(())
}

fn widen(span: &mut Span, first: u32, last: u32, latest: &[(u32, u64)], most: usize) {
    (span.0, span.1) = (span.0.min(first), span.1.max(last));
    for one in latest {
        let place = span.2.partition_point(|known| known > one);
        if place < most {
            span.2.insert(place, *one);
            span.2.truncate(most);
        }
    }
}
