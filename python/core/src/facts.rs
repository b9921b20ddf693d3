//! Facts in little memory: equal ones share one body if they come soon after each other, and those of one id form a chain.
use crate::kept::Kept;
use crate::told::LONGEST_NUMBER;
use hashbrown::{DefaultHashBuilder, HashMap};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::ops::Range;

/// The home of facts: a store (one for each appliance and kind of id) and an id.
pub type Of = (usize, u64);

/// The code of a mention: a message names this id. Its values are the message, and whether mail passed.
pub const MENTION: u8 = u8::MAX;
/// Neighbouring ids that are kept together: most ids of a log follow each other.
const ROW: u64 = 16;
const RECENT: usize = 1 << 12;
const WORD: usize = 4;
/// Room for the facts of most ids; larger vectors are slower to allocate.
const MOST: usize = 18;
/// Facts of an id that a new one is compared with. A repeated fact changes nothing, so that a few are enough.
const LOOKED_AT: usize = 2;
/// A bit in the end of a value: there is no value.
const ABSENT: u16 = 1 << 15;

/// Return a number in its plain form: no sign, no leading zeros.
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > LONGEST_NUMBER || (text[0] == b'0' && text.len() > 1) || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// What a line says of an id.
#[derive(PartialEq)]
pub struct Fact<'a> {
    pub code: u8,
    pub time: u32,
    /// The code, the number of values, the end of each, and the values.
    body: Cow<'a, [u8]>,
    /// Set in `judging`: the flags of its rule, and what it means to the parts of records.
    pub flags: u32,
    pub classes: [u32; 3],
}

impl<'a> Fact<'a> {
    pub fn count(&self) -> usize {
        usize::from(self.body[1])
    }

    fn range(&self, number: usize) -> Option<Range<usize>> {
        let end = |number: usize| u16::from_le_bytes([self.body[2 + 2 * number], self.body[3 + 2 * number]]);
        if number >= self.count() || end(number) & ABSENT != 0 {
            return None;
        }
        let (values, from) = (2 + 2 * self.count(), number.checked_sub(1).map_or(0, end) & !ABSENT);
        Some(values + usize::from(from)..values + usize::from(end(number)))
    }

    /// Return a value.
    pub fn text(&self, number: usize) -> Option<&[u8]> {
        self.range(number).map(|range| &self.body[range])
    }

    /// Return all values.
    pub fn texts(&self) -> impl Iterator<Item = Option<&[u8]>> + Clone {
        (0..self.count()).map(|place| self.text(place))
    }

    /// Return a value that lives as long as the facts; empty if there is none.
    pub fn value(&self, number: usize) -> Cow<'a, [u8]> {
        match (self.range(number), &self.body) {
            (None, _) => Cow::default(),
            (Some(range), Cow::Borrowed(body)) => Cow::Borrowed(&body[range]),
            (Some(range), Cow::Owned(body)) => Cow::Owned(body[range].to_vec()),
        }
    }

    /// Return a value that is a number.
    pub fn number(&self, place: usize) -> Option<u64> {
        self.text(place).and_then(number)
    }
}

/// What was read by one thread.
#[derive(Default)]
pub struct Part {
    /// Bodies, each behind its length; and for each fact the place of the previous one of its id (plus one), its time, and the place of its body. Places
    /// are counted in words.
    kept: Kept,
    /// The latest bodies by hash: the upper half of the hash, and the place.
    recent: Vec<(u32, u32)>,
    hasher: DefaultHashBuilder,
    /// Scratch space for bodies.
    room: Vec<u8>,
    /// By store and row of ids: the place of the latest fact of each id (plus one).
    latest: HashMap<Of, [u32; ROW as usize]>,
}

impl Part {
    /// Keep a body and return its place; None: there is no room.
    fn body(&mut self, code: u8, values: &[Option<&[u8]>]) -> Option<u32> {
        let body = &mut self.room;
        body.clear();
        body.extend([0, 0, code, u8::try_from(values.len()).ok()?]);
        let mut end = 0;
        for value in values {
            end += value.map_or(0, <[u8]>::len);
            let end = u16::try_from(end).ok().filter(|end| end & ABSENT == 0)?;
            body.extend((end | if value.is_none() { ABSENT } else { 0 }).to_le_bytes());
        }
        values.iter().flatten().for_each(|value| body.extend_from_slice(value));
        let length = u16::try_from(body.len() - 2).ok()?;
        body[..2].copy_from_slice(&length.to_le_bytes());
        self.recent.resize(RECENT, (0, 0));
        let hash = self.hasher.hash_one(&body);
        let (recent, rest) = (&mut self.recent[hash as usize % RECENT], (hash >> 32) as u32);
        if recent.0 == rest && *self.kept.get(recent.1 as usize * WORD, body.len()) == body[..] {
            return Some(recent.1);
        }
        let place = u32::try_from(self.kept.len() / WORD).ok()?;
        *recent = (rest, place);
        body.resize(body.len().next_multiple_of(WORD), 0);
        self.kept.add(body);
        Some(place)
    }

    /// Return the place of the previous fact, the time and the place of the body of each fact in a chain, the latest one first.
    fn chain(kept: &Kept, mut place: u32) -> impl Iterator<Item = [u32; 3]> + '_ {
        std::iter::from_fn(move || {
            let bytes: [u8; 3 * WORD] = (*kept.get(place.checked_sub(1)? as usize * WORD, 3 * WORD)).try_into().ok()?;
            let found = [0, 1, 2].map(|word| u32::from_le_bytes(std::array::from_fn(|byte| bytes[word * WORD + byte])));
            place = found[0];
            Some(found)
        })
    }

    /// Return the facts of a chain, the latest one first.
    fn facts(&self, place: u32) -> impl Iterator<Item = Fact<'_>> {
        Part::chain(&self.kept, place).map(|[_, time, body]| {
            let start = body as usize * WORD;
            let length = self.kept.get(start, 2);
            let body = self.kept.get(start + 2, usize::from(u16::from_le_bytes([length[0], length[1]])));
            Fact { code: body[0], time, body, flags: 0, classes: [0; 3] }
        })
    }
}

/// What all threads have read; the own part comes first.
pub struct Facts(pub Vec<Part>);

impl Facts {
    /// Keep at most this many bytes in memory.
    pub fn new(most: usize) -> Facts {
        let mut part = Part::default();
        part.kept.most = most;
        Facts(vec![part])
    }

    /// Add a fact of an id; return whether it is new. None: there is no room.
    pub fn add(&mut self, of: Of, code: u8, time: u32, values: &[Option<&[u8]>]) -> Option<bool> {
        let part = &mut self.0[0];
        let place = part.body(code, values)?;
        let latest = &mut part.latest.entry((of.0, of.1 / ROW)).or_default()[(of.1 % ROW) as usize];
        if Part::chain(&part.kept, *latest).take(LOOKED_AT).any(|[_, its_time, its_place]| (its_time, its_place) == (time, place)) {
            return Some(false);
        }
        let own = u32::try_from(part.kept.len() / WORD + 1).ok()?;
        [*latest, time, place].iter().for_each(|word| part.kept.add(&word.to_le_bytes()));
        *latest = own;
        Some(true)
    }

    /// Move facts to a file if there are too many.
    pub fn relieve(&mut self) -> std::io::Result<()> {
        if self.0[0].kept.relieve()? {
            self.0[0].recent.clear(); // bodies that are looked up often belong in memory
        }
        Ok(())
    }

    /// Return the facts of an id as they were kept.
    fn all(&self, of: Of) -> impl Iterator<Item = Fact<'_>> {
        self.0.iter().flat_map(move |part| part.facts(part.latest.get(&(of.0, of.1 / ROW)).map_or(0, |row| row[(of.1 % ROW) as usize])))
    }

    /// Return the facts of an id, each once, in an order that does not depend on the input's; mentions come last.
    pub fn of(&self, of: Of) -> Vec<Fact<'_>> {
        let mut found = Vec::with_capacity(MOST);
        found.extend(self.all(of));
        found.sort_unstable_by(|one, other| (one.code, one.time).cmp(&(other.code, other.time)).then_with(|| one.texts().cmp(other.texts())));
        found.dedup();
        found
    }

    /// Return the messages that name an id.
    pub fn users(&self, of: Of) -> BTreeSet<u64> {
        self.all(of).filter_map(|fact| user(&fact)).collect()
    }

    /// Return the ids of a store, ascending, each with a number that grows with its latest fact or mention.
    pub fn ids(&self, store: usize) -> Vec<(u64, u64)> {
        let mut found = vec![];
        for (part, number) in self.0.iter().zip(0..) {
            for (&(_, row), places) in part.latest.iter().filter(|((own, _), _)| *own == store) {
                let places = (row * ROW..).zip(places).filter(|(_, &place)| place > 0);
                found.extend(places.map(|(id, &place)| (id, number << 32 | u64::from(place))));
            }
        }
        found.sort_unstable();
        found.dedup_by_key(|(id, _)| *id);
        found
    }
}

/// Return the message of a mention.
pub fn user(fact: &Fact) -> Option<u64> {
    let text = fact.text(0).filter(|_| fact.code == MENTION)?;
    Some(u64::from_le_bytes(text.try_into().ok()?))
}
