//! Facts, compact: what one says stands there once as long as it comes again soon, and those of one id are in a chain.
use crate::kept::Kept;
use crate::told::LONGEST_NUMBER;
use hashbrown::{DefaultHashBuilder, HashMap};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::ops::Range;

/// Where facts are: the store, of one appliance and one kind of id, and the id.
pub type Of = (usize, u64);

/// The code of what is no fact of an id itself, but says that a message names it: its values are the message, and whether mail passed then.
pub const MENTION: u8 = u8::MAX;
/// Ids in a row, which stand together: most ids of a log follow each other.
const ROW: u64 = 16;
const RECENT: usize = 1 << 12;
const WORD: usize = 4;
/// Facts of most ids. Of more, a vector would be too large for what the allocator has at hand.
const MOST: usize = 18;
/// More facts of one id are not asked for the same one: a fact that is there twice changes nothing.
const LOOKED_AT: usize = 2;
/// In the end of a value: it is not there.
const ABSENT: u16 = 1 << 15;

/// Return the number that a text is, if that is how the number is written.
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
    /// The code, how many values there are, where each of them ends behind that, and these.
    body: Cow<'a, [u8]>,
    /// What it is in a life, and to the parts of a record (`judging`).
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

    /// Return a value for as long as the facts are there; an empty one in place of one that is not.
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
    /// Bodies of facts, each with its length in front; and of each fact one more than the place of the one before it of the same id, its time and its body.
    /// Places are counted in words.
    kept: Kept,
    /// The latest bodies by their hash: the rest of that, and the place.
    recent: Vec<(u32, u32)>,
    hasher: DefaultHashBuilder,
    /// Where bodies are made.
    room: Vec<u8>,
    /// By store and row of ids: one more than the place of the latest fact of each.
    latest: HashMap<Of, [u32; ROW as usize]>,
}

impl Part {
    /// Keep what a fact says; return its place, None where there is no room.
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

    /// Return the place before each of some facts of an id, its time and the place of its body, the latest one first.
    fn chain(kept: &Kept, mut place: u32) -> impl Iterator<Item = [u32; 3]> + '_ {
        std::iter::from_fn(move || {
            let bytes: [u8; 3 * WORD] = (*kept.get(place.checked_sub(1)? as usize * WORD, 3 * WORD)).try_into().ok()?;
            let found = [0, 1, 2].map(|word| u32::from_le_bytes(std::array::from_fn(|byte| bytes[word * WORD + byte])));
            place = found[0];
            Some(found)
        })
    }

    /// Return the fact at a place, and those before it of the same id.
    fn facts(&self, place: u32) -> impl Iterator<Item = Fact<'_>> {
        Part::chain(&self.kept, place).map(|[_, time, body]| {
            let start = body as usize * WORD;
            let length = self.kept.get(start, 2);
            let body = self.kept.get(start + 2, usize::from(u16::from_le_bytes([length[0], length[1]])));
            Fact { code: body[0], time, body, flags: 0, classes: [0; 3] }
        })
    }
}

/// What some threads have read: the own part first.
pub struct Facts(pub Vec<Part>);

impl Facts {
    /// Keep only so many bytes in memory.
    pub fn new(most: usize) -> Facts {
        let mut part = Part::default();
        part.kept.most = most;
        Facts(vec![part])
    }

    /// Add a fact of an id; tell whether it is new. None where there is no room.
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

    /// Write facts to a file, where there are too many.
    pub fn relieve(&mut self) -> std::io::Result<()> {
        if self.0[0].kept.relieve()? {
            self.0[0].recent.clear(); // what is looked up often is to be near
        }
        Ok(())
    }

    /// Return the facts of an id as they stand, the latest of each part first.
    fn all(&self, of: Of) -> impl Iterator<Item = Fact<'_>> {
        self.0.iter().flat_map(move |part| part.facts(part.latest.get(&(of.0, of.1 / ROW)).map_or(0, |row| row[(of.1 % ROW) as usize])))
    }

    /// Return the facts of an id, each once, in an order that says no more than they do; those that only mention it stand behind its own.
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

    /// Return the ids of a store that have facts or are named, ascending, each with a number that says when that was last.
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
