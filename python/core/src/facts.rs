//! Facts, compact: each text once, each fact a few numbers, those of one id in a chain.
use crate::kept::Kept;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::borrow::Cow;
use std::hash::BuildHasher;
use std::path::Path;

/// A value of a fact: 0 is none, with the highest bit it is a number, else one more than the number of a text.
pub type Value = u32;
const IS_NUMBER: Value = 1 << 31;

/// Texts by number. Those that are in a file have another number when they come again.
#[derive(Default)]
pub struct Texts {
    bytes: Kept,
    ends: Vec<usize>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Texts {
    /// Return the value that stands for a text of a log; None where there are too many.
    pub fn value(&mut self, text: &[u8]) -> Option<Value> {
        number(text).and_then(of_number).or_else(|| self.intern(text))
    }

    fn intern(&mut self, text: &[u8]) -> Option<Value> {
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        let hash = hasher.hash_one(text);
        if let Some(&known) = self.table.find(hash, |&one| slice(bytes, ends, one).as_ref() == text) {
            return Some(known + 1);
        }
        let number = u32::try_from(self.ends.len()).ok().filter(|&number| number < IS_NUMBER - 1)?;
        self.bytes.add(text);
        self.ends.push(self.bytes.len());
        let (bytes, ends) = (&self.bytes, &self.ends);
        self.table.insert_unique(hash, number, |&one| hasher.hash_one(slice(bytes, ends, one).as_ref()));
        Some(number + 1)
    }

    /// Return the text that a value stands for; None for no value, and for a number.
    pub fn text(&self, value: Value) -> Option<Cow<'_, [u8]>> {
        (value != 0 && value & IS_NUMBER == 0).then(|| slice(&self.bytes, &self.ends, value - 1))
    }

    /// Return the one value of all that stand for the same text.
    pub fn one(&mut self, value: Value) -> Value {
        let text = if self.bytes.is_parted() { self.text(value).map(Cow::into_owned) } else { None };
        text.and_then(|text| self.intern(&text)).unwrap_or(value)
    }

    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes are in memory that may be in a file.
    pub fn held(&self) -> usize {
        self.bytes.held() + 16 * self.table.len()
    }

    /// Write them to a file.
    pub fn part(&mut self, folder: &Path) -> std::io::Result<()> {
        self.table = HashTable::new();
        self.bytes.part(folder)
    }
}

fn slice<'a>(bytes: &'a Kept, ends: &[usize], number: u32) -> Cow<'a, [u8]> {
    let number = number as usize;
    bytes.get(if number == 0 { 0 } else { ends[number - 1] }, ends[number])
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

#[derive(Clone, Copy, PartialEq)]
pub struct Fact {
    pub code: u32,
    pub time: u32,
    values: [Value; MOST_VALUES],
    count: usize,
}

impl Fact {
    /// Return a fact; None where it has too many values.
    pub fn new(code: u32, time: u32, values: &[Value]) -> Option<Fact> {
        let mut own = [0; MOST_VALUES];
        own.get_mut(..values.len())?.copy_from_slice(values);
        Some(Fact { code, time, values: own, count: values.len() })
    }

    pub fn values(&self) -> &[Value] {
        &self.values[..self.count]
    }
}

/// The facts of one kind of id of one appliance.
#[derive(Default)]
pub struct Store {
    latest: HashMap<u64, u32>,
    /// For each fact, in numbers of four bytes: one more than the place of the one before it, its code and the number of its values, its time, its values.
    arena: Kept,
}

/// More facts of one id are not asked for the same one: a fact that is there twice changes nothing.
const LOOKED_AT: usize = 64;
const WORD: usize = 4;
const HEAD: usize = 3;

impl Store {
    /// Add a fact; false where there is no room.
    pub fn add(&mut self, key: u64, fact: &Fact) -> bool {
        let Ok(place) = u32::try_from(self.arena.len() / WORD + 1) else { return false };
        if self.of(key).take(LOOKED_AT).any(|known| known == *fact) {
            return true;
        }
        let before = self.latest.insert(key, place).unwrap_or(0);
        for word in [before, fact.code | (fact.count as u32) << 16, fact.time].iter().chain(fact.values()) {
            self.arena.add(&word.to_le_bytes());
        }
        true
    }

    /// Add the facts of an id from another part of the log; false where there is no room. `known` are the values here of its texts.
    pub fn absorb(&mut self, key: u64, other: &Store, texts: &mut Texts, theirs: &Texts, known: &mut [Option<Value>]) -> bool {
        let mut facts: Vec<Fact> = other.of(key).collect();
        facts.reverse();
        for mut fact in facts {
            for value in &mut fact.values {
                let Some(text) = theirs.text(*value) else { continue };
                let place = &mut known[*value as usize];
                match place.or_else(|| texts.value(&text)) {
                    Some(found) => *value = *place.insert(found),
                    None => return false,
                }
            }
            if !self.add(key, &fact) {
                return false;
            }
        }
        true
    }

    /// Return all ids, ascending.
    pub fn keys(&self) -> Vec<u64> {
        let mut keys: Vec<u64> = self.latest.keys().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// Return the facts of one id, the latest first.
    pub fn of(&self, key: u64) -> Facts<'_> {
        Facts { arena: &self.arena, place: self.latest.get(&key).copied().unwrap_or(0) }
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

pub struct Facts<'a> {
    arena: &'a Kept,
    place: u32,
}

impl Iterator for Facts<'_> {
    type Item = Fact;

    fn next(&mut self) -> Option<Fact> {
        let place = self.place.checked_sub(1)? as usize;
        let bytes = self.arena.get(place * WORD, (place + HEAD + MOST_VALUES) * WORD);
        let word = |at: usize| bytes.get(at * WORD..(at + 1) * WORD).and_then(|word| word.try_into().ok()).map_or(0, u32::from_le_bytes);
        self.place = word(0);
        let (code, count) = (word(1) & 0xffff, ((word(1) >> 16) as usize).min(MOST_VALUES));
        let mut values = [0; MOST_VALUES];
        values.iter_mut().take(count).enumerate().for_each(|(at, value)| *value = word(HEAD + at));
        Some(Fact { code, time: word(2), values, count })
    }
}
