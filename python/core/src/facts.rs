//! Facts, compact: each text once, each fact a few numbers, those of one id in a chain.
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::hash::BuildHasher;

/// A value of a fact: 0 is none, with the highest bit it is a number, else one more than the number of a text.
pub type Value = u32;
const IS_NUMBER: Value = 1 << 31;

/// Texts by number.
#[derive(Default)]
pub struct Texts {
    bytes: Vec<u8>,
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
        if let Some(&known) = self.table.find(hash, |&one| slice(bytes, ends, one) == text) {
            return Some(known + 1);
        }
        let number = u32::try_from(self.ends.len()).ok().filter(|&number| number < IS_NUMBER - 1)?;
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        let (bytes, ends) = (&self.bytes, &self.ends);
        self.table.insert_unique(hash, number, |&one| hasher.hash_one(slice(bytes, ends, one)));
        Some(number + 1)
    }

    /// Return the text that a value stands for; None for no value, and for a number.
    pub fn text(&self, value: Value) -> Option<&[u8]> {
        (value != 0 && value & IS_NUMBER == 0).then(|| slice(&self.bytes, &self.ends, value - 1))
    }

    pub fn count(&self) -> usize {
        self.ends.len()
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], number: u32) -> &'a [u8] {
    let number = number as usize;
    &bytes[if number == 0 { 0 } else { ends[number - 1] }..ends[number]]
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

#[derive(Clone, Copy)]
pub struct Fact<'a> {
    pub code: u32,
    pub time: u32,
    pub values: &'a [Value],
}

/// The facts of one kind of id of one appliance.
#[derive(Default)]
pub struct Store {
    latest: HashMap<u64, u32>,
    /// For each fact: one more than the place of the one before it, its code and the number of its values, its time, its values.
    arena: Vec<u32>,
}

/// More facts of one id are not asked for the same one: a fact that is there twice changes nothing.
const LOOKED_AT: usize = 64;

impl Store {
    /// Add a fact; false where there is no room.
    pub fn add(&mut self, key: u64, fact: Fact<'_>) -> bool {
        let Ok(place) = u32::try_from(self.arena.len() + 1) else { return false };
        if self.of(key).take(LOOKED_AT).any(|known| known.code == fact.code && known.time == fact.time && known.values == fact.values) {
            return true;
        }
        let before = self.latest.insert(key, place).unwrap_or(0);
        self.arena.extend_from_slice(&[before, fact.code | (fact.values.len() as u32) << 16, fact.time]);
        self.arena.extend_from_slice(fact.values);
        true
    }

    /// Add the facts of another part of the log; false where there is no room. `known` are the values here of its texts.
    pub fn absorb(&mut self, other: &Store, texts: &mut Texts, theirs: &Texts, known: &mut [Option<Value>]) -> bool {
        let mut values: Vec<Value> = vec![];
        for key in other.keys() {
            let mut facts: Vec<Fact<'_>> = other.of(key).collect();
            facts.reverse();
            for fact in facts {
                values.clear();
                for &value in fact.values {
                    let Some(text) = theirs.text(value) else {
                        values.push(value);
                        continue;
                    };
                    let place = &mut known[value as usize];
                    match place.or_else(|| texts.value(text)) {
                        Some(found) => values.push(*place.insert(found)),
                        None => return false,
                    }
                }
                if !self.add(key, Fact { values: &values, ..fact }) {
                    return false;
                }
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
}

pub struct Facts<'a> {
    arena: &'a [u32],
    place: u32,
}

impl<'a> Iterator for Facts<'a> {
    type Item = Fact<'a>;

    fn next(&mut self) -> Option<Fact<'a>> {
        let place = self.place.checked_sub(1)? as usize;
        let (head, rest) = self.arena.get(place..)?.split_at(3);
        self.place = head[0];
        let (code, count) = (head[1] & 0xffff, (head[1] >> 16) as usize);
        Some(Fact { code, time: head[2], values: &rest[..count] })
    }
}
