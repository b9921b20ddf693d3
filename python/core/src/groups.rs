//! Records that are alike, counted: what they have in common is told by Python with each shape.
use pyo3::prelude::*;

/// One thing that is counted: whether of connections, seconds of the spans of time that are counted apart (0: none are), how many of a record's own times
/// matter, or whether those of its deliveries do, which family's texts stand for its own where the sender has no domain, and how many of the latest are told.
#[derive(FromPyObject, Clone, Copy)]
pub struct Family(pub bool, pub u32, pub usize, pub bool, pub usize, pub usize);

/// The first and the last of a time, and the latest of them with their ids, the last one first.
type Span = (u32, u32, Vec<(u32, u64)>);

/// What was counted together: what is alike, how many, their times, and one of them.
pub type Counted = (Vec<u8>, u64, Vec<Span>, Vec<u8>);

/// What records have in common that are counted together: how many there are, their times, and one of them.
#[derive(Default)]
pub struct Group {
    pub count: u64,
    pub spans: Vec<Span>,
    pub line: Vec<u8>,
}

impl Group {
    /// Count one record; so many of the latest are kept.
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
