//! Counting records that are alike; Python says with each shape what they have in common.
use pyo3::prelude::*;

/// A way of counting.
#[derive(FromPyObject, Clone, Copy)]
pub struct Family {
    /// What is counted: `LINKS`, `HALVES`, `WHOLE` or `TRIES`.
    pub of: usize,
    /// The seconds of a period; 0: one for all.
    pub period: u32,
    /// How many of the times matter.
    pub times: usize,
    /// The family by which records are alike if the sender has no domain; 0: this one.
    pub instead: usize,
    /// How many of the latest are kept as examples.
    pub latest: usize,
}

/// The first and the last time, and the latest times with their ids, newest first.
type Span = (u32, u32, Vec<(u32, u64)>);

/// A group for Python: its key, its size and its times.
pub type Counted = (Vec<u8>, u64, Vec<Span>);

/// Records that are counted together: how many, and their times.
#[derive(Default)]
pub struct Group {
    pub count: u64,
    pub spans: Vec<Span>,
}

impl Group {
    /// Count a record; `most` of the latest are kept.
    pub fn count(&mut self, times: &[u32], id: u64, most: usize) {
        self.count += 1;
        self.spans.resize(self.spans.len().max(times.len()), (u32::MAX, 0, vec![]));
        for ((first, last, latest), &time) in self.spans.iter_mut().zip(times) {
            (*first, *last) = (time.min(*first), time.max(*last));
            let place = latest.partition_point(|&known| known > (time, id));
            if place < most {
                latest.insert(place, (time, id));
                latest.truncate(most);
            }
        }
    }
}
