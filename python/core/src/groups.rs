//! Counting records that are alike; Python says with each shape what they have in common.
use pyo3::prelude::*;

/// A way of counting: whether it counts connections; the seconds of a period (0: one for all); how many of a record's own times matter, or whether those of its
/// deliveries do; the family whose keys are used if the sender has no domain; how many of the latest are kept as examples.
#[derive(FromPyObject, Clone, Copy)]
pub struct Family(pub bool, pub u32, pub usize, pub bool, pub usize, pub usize);

/// The first and the last time, and the latest times with their ids, newest first.
type Span = (u32, u32, Vec<(u32, u64)>);

/// A group for Python: its key, its size, its times, and one of its records.
pub type Counted = (Vec<u8>, u64, Vec<Span>, Vec<u8>);

/// Records that are counted together: how many, their times, and one of them.
#[derive(Default)]
pub struct Group {
    pub count: u64,
    pub spans: Vec<Span>,
    pub line: Vec<u8>,
}

impl Group {
    /// Count a record; `most` of the latest are kept.
    pub fn count(&mut self, times: &[u32], id: u64, most: usize) {
        self.count += 1;
        self.spans.resize(times.len(), (u32::MAX, 0, vec![]));
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
