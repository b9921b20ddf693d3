//! Facts, compact: a text that comes over and over stands there once, each fact is a few numbers, those of one id are in a chain.
use crate::kept::Kept;
use hashbrown::{DefaultHashBuilder, HashMap};
use std::borrow::Cow;
use std::hash::BuildHasher;
use std::path::Path;

/// A value of a fact: 0 is none, with the highest bit it is a number, else one more than the place of a text.
pub type Value = u32;
const IS_NUMBER: Value = 1 << 31;
const WORD: usize = 4;

/// Texts: the length of each, and its bytes up to a whole number of words. One that has not come for long has another place when it comes again.
#[derive(Default)]
pub struct Texts {
    bytes: Kept,
    /// The latest, by their hash, with the rest of it.
    recent: Vec<(u32, Value)>,
    hasher: DefaultHashBuilder,
}

const RECENT: usize = 1 << 12;

impl Texts {
    /// Return the value that stands for a text of a log; None where there are too many.
    pub fn value(&mut self, text: &[u8]) -> Option<Value> {
        number(text).and_then(of_number).or_else(|| self.intern(text))
    }

    fn intern(&mut self, text: &[u8]) -> Option<Value> {
        self.recent.resize(RECENT, (0, 0));
        let hash = self.hasher.hash_one(text);
        let (slot, rest) = (hash as usize % RECENT, (hash >> 32) as u32);
        let (known_rest, known) = self.recent[slot];
        if known_rest == rest && self.text(known).is_some_and(|known| known == text) {
            return Some(known);
        }
        let value = u32::try_from(self.end()).ok().filter(|&value| value < IS_NUMBER)?;
        self.bytes.add_words(&[u32::try_from(text.len()).ok()?]);
        self.bytes.add(text);
        self.bytes.add(&[0; WORD][..(WORD - text.len() % WORD) % WORD]);
        self.recent[slot] = (rest, value);
        Some(value)
    }

    /// Return the text that a value stands for; None for no value, and for a number.
    pub fn text(&self, value: Value) -> Option<Cow<'_, [u8]>> {
        (value != 0 && value & IS_NUMBER == 0).then(|| text_at(&self.bytes, value))
    }

    /// Return one more than the greatest value of a text.
    pub fn end(&self) -> usize {
        self.bytes.len() / WORD + 1
    }

    /// How many bytes are in memory that may be in a file.
    pub fn held(&self) -> usize {
        self.bytes.held()
    }

    /// Write them to a file.
    pub fn part(&mut self, folder: &Path) -> std::io::Result<()> {
        self.recent.clear();
        self.bytes.part(folder)
    }
}

fn text_at(bytes: &Kept, value: Value) -> Cow<'_, [u8]> {
    let place = value as usize - 1;
    let [length] = words(bytes, place);
    let start = (place + 1) * WORD;
    bytes.get(start, start + length as usize)
}

/// Return the number that a value is.
pub fn as_number(value: Value) -> Option<u32> {
    (value & IS_NUMBER != 0).then_some(value & !IS_NUMBER)
}

/// Return the value of a number; None for one that is too large.
pub fn of_number(number: u64) -> Option<Value> {
    (number < u64::from(IS_NUMBER)).then_some(number as Value | IS_NUMBER)
}

/// Return the number that a text is, if that is how the number is written.
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || (text[0] == b'0' && text.len() > 1) || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// The most values of a fact.
pub const MOST_VALUES: usize = 8;

#[derive(Clone, Copy)]
pub struct Fact {
    pub code: u32,
    pub time: u32,
    values: [Value; MOST_VALUES],
    count: u32,
}

impl Fact {
    /// Return a fact with the first of some values; None where it has too many.
    pub fn new(code: u32, time: u32, values: [Value; MOST_VALUES], count: usize) -> Option<Fact> {
        (count <= MOST_VALUES).then_some(Fact { code, time, values, count: count as u32 })
    }

    pub fn values(&self) -> &[Value] {
        &self.values[..self.count as usize]
    }

    /// Change what stands for a text.
    pub fn map(mut self, change: impl Fn(Value) -> Value) -> Fact {
        self.values[..self.count as usize].iter_mut().filter(|value| **value != 0 && **value & IS_NUMBER == 0).for_each(|value| *value = change(*value));
        self
    }
}

/// One more than where the latest fact of an id stands, and where the latest message stands that names it.
#[derive(Clone, Copy, Default, PartialEq)]
struct Entry {
    fact: u32,
    mention: u32,
}

/// When messages name an id, and whether mail passed then; of a message, whether another one that was made from it shows that it was accepted.
#[derive(Clone, Copy, PartialEq)]
pub struct Met {
    pub first: u32,
    pub last: u32,
    pub passed: bool,
}

impl Met {
    /// Return both as one.
    pub fn and(self, other: Met) -> Met {
        Met { first: self.first.min(other.first), last: self.last.max(other.last), passed: self.passed || other.passed }
    }
}

/// Ids in a row, whose entries stand together: most ids of a log follow each other.
const ROW: u64 = 16;

/// The facts of one kind of id of one appliance.
#[derive(Default)]
pub struct Store {
    /// By the number of the row, its place among the entries.
    rows: HashMap<u64, u32>,
    entries: Vec<[Entry; ROW as usize]>,
    /// In numbers of four bytes. For each fact one more than the place of the one before it, its code and how many values it has and keeps, its time, its values;
    /// for each message that names an id, one more than the place of the one before it, its own id, and when this and those before it do (`Met`).
    arena: Kept,
}

pub enum Added {
    New,
    Known,
    /// There is no room.
    Not,
}

/// More facts of one id are not asked for the same one: a fact that is there twice changes nothing.
const LOOKED_AT: usize = 4;
const HEAD: usize = 3;

impl Store {
    /// Add a fact.
    pub fn add(&mut self, key: u64, fact: &Fact) -> Added {
        let Some(place) = self.place() else { return Added::Not };
        let entry = entry_mut(&mut self.rows, &mut self.entries, key);
        let latest = entry.fact;
        // none of the last values need not be kept
        let kept = fact.values().iter().rposition(|&value| value != 0).map_or(0, |last| last + 1);
        let mut own = [latest, fact.code | fact.count << 16 | (kept as u32) << 24, fact.time, 0, 0, 0, 0, 0, 0, 0, 0];
        own[HEAD..].copy_from_slice(&fact.values);
        let own = &own[..HEAD + kept];
        let mut known = latest;
        for _ in 0..LOOKED_AT {
            let Some(at) = known.checked_sub(1) else { break };
            let [before, head] = words(&self.arena, at as usize);
            if head == own[1] && words::<{ HEAD + MOST_VALUES }>(&self.arena, at as usize)[1..HEAD + kept] == own[1..] {
                return Added::Known;
            }
            known = before;
        }
        self.arena.add_words(own);
        entry.fact = place;
        Added::New
    }

    /// Note that a message names an id; false where there is no room.
    pub fn meet(&mut self, key: u64, mid: u64, met: Met) -> bool {
        let Some(place) = self.place() else { return false };
        let entry = entry_mut(&mut self.rows, &mut self.entries, key);
        let latest = entry.mention;
        let known = Mentions { arena: &self.arena, place: latest }.next();
        let all = known.map_or(met, |(_, known)| known.and(met));
        let own = [latest, mid as u32, (mid >> 32) as u32 | u32::from(all.passed) << 31, all.first, all.last];
        match known {
            Some((known, before)) if known == mid && (before == all || self.arena.set_words(latest as usize, &own[1..])) => {}
            _ => {
                self.arena.add_words(&own);
                entry.mention = place;
            }
        }
        true
    }

    fn entry(&self, key: u64) -> Entry {
        self.rows.get(&(key / ROW)).map_or(Entry::default(), |&row| self.entries[row as usize][(key % ROW) as usize])
    }

    fn place(&self) -> Option<u32> {
        u32::try_from(self.arena.len() / WORD + 1).ok()
    }

    /// Return all ids that have facts, or that messages name.
    pub fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        let ids = |(&row, &place): (&u64, &u32)| (row * ROW..=row * ROW + (ROW - 1)).zip(self.entries[place as usize]);
        self.rows.iter().flat_map(ids).filter(|(_, entry)| *entry != Entry::default()).map(|(id, _)| id)
    }

    /// Return the facts of one id, the latest first.
    pub fn of(&self, key: u64) -> Facts<'_> {
        Facts { arena: &self.arena, place: self.entry(key).fact }
    }

    /// Tell whether an id has facts.
    pub fn has(&self, key: u64) -> bool {
        self.entry(key).fact != 0
    }

    /// Return the messages that name an id, the latest first.
    pub fn mentions(&self, key: u64) -> impl Iterator<Item = u64> + '_ {
        self.mentioned(key).map(|(mid, _)| mid)
    }

    fn mentioned(&self, key: u64) -> Mentions<'_> {
        Mentions { arena: &self.arena, place: self.entry(key).mention }
    }

    /// Return when they do, if any does.
    pub fn met(&self, key: u64) -> Option<Met> {
        self.mentioned(key).next().map(|(_, met)| met)
    }

    /// How many bytes are in memory that may be in a file.
    pub fn held(&self) -> usize {
        self.arena.held()
    }

    /// Write the facts to a file.
    pub fn part(&mut self, folder: &Path) -> std::io::Result<()> {
        self.arena.part(folder)
    }
}

/// Return the entry of an id, with its row where there is none.
fn entry_mut<'a>(rows: &mut HashMap<u64, u32>, entries: &'a mut Vec<[Entry; ROW as usize]>, key: u64) -> &'a mut Entry {
    let row = *rows.entry(key / ROW).or_insert_with(|| {
        entries.push(Default::default());
        entries.len() as u32 - 1
    });
    &mut entries[row as usize][(key % ROW) as usize]
}

/// Numbers from a place on, as far as there are any.
fn words<const COUNT: usize>(arena: &Kept, place: usize) -> [u32; COUNT] {
    let bytes = arena.get(place * WORD, (place + COUNT) * WORD);
    let mut found = [0; COUNT];
    for (word, bytes) in found.iter_mut().zip(bytes.chunks_exact(WORD)) {
        *word = u32::from_le_bytes(bytes.try_into().unwrap_or_default());
    }
    found
}

pub struct Facts<'a> {
    arena: &'a Kept,
    place: u32,
}

impl Iterator for Facts<'_> {
    type Item = Fact;

    fn next(&mut self) -> Option<Fact> {
        let place = self.place.checked_sub(1)? as usize;
        let [before, head, time, mut values @ ..] = words::<{ HEAD + MOST_VALUES }>(self.arena, place);
        self.place = before;
        values.iter_mut().skip((head >> 24) as usize).for_each(|value| *value = 0);
        Some(Fact { code: head & 0xffff, time, values, count: (head >> 16 & 0xff).min(MOST_VALUES as u32) })
    }
}

struct Mentions<'a> {
    arena: &'a Kept,
    place: u32,
}

impl Iterator for Mentions<'_> {
    type Item = (u64, Met);

    fn next(&mut self) -> Option<(u64, Met)> {
        let [before, low, high, first, last] = words(self.arena, self.place.checked_sub(1)? as usize);
        self.place = before;
        Some((u64::from(low) | u64::from(high & !(1 << 31)) << 32, Met { first, last, passed: high >> 31 == 1 }))
    }
}
