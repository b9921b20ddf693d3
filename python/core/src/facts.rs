//! Facts, compact: what one says stands there once as long as it comes again soon, and those of one id are in a chain.
use crate::kept::Kept;
use hashbrown::{DefaultHashBuilder, HashMap};
use std::borrow::Cow;
use std::hash::BuildHasher;
use std::ops::Range;

pub const MESSAGES: usize = 2;
/// The code of what is no fact of an id itself, but says that a message names it: its values are the message, and whether mail passed then.
pub const MENTION: u8 = u8::MAX;
/// Ids in a row, which stand together: most ids of a log follow each other.
const ROW: u64 = 16;
const RECENT: usize = 1 << 12;
const WORD: usize = 4;
/// Facts of most ids. Of more, a vector would be too large for what the allocator has at hand.
const MOST: usize = 18;
/// More facts of one id are not asked for the same one: a fact that is there twice changes nothing.
const LOOKED_AT: usize = 4;
/// In the end of a value: it is not there.
const ABSENT: u16 = 1 << 15;

/// Return the number that a text is, if that is how the number is written.
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || (text[0] == b'0' && text.len() > 1) || !text.iter().all(u8::is_ascii_digit) {
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
    /// What it is to the parts of a record (`judging`).
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
    pub fn texts(&self) -> impl Iterator<Item = Option<&[u8]>> {
        (0..self.count()).map(|place| self.text(place))
    }

    /// Return a value for as long as the facts are there.
    pub fn value(&self, number: usize) -> Option<Cow<'a, [u8]>> {
        self.range(number).map(|range| match &self.body {
            Cow::Borrowed(body) => Cow::Borrowed(&body[range]),
            Cow::Owned(body) => Cow::Owned(body[range].to_vec()),
        })
    }

    /// Return the message of a mention.
    pub fn mid(&self) -> Option<u64> {
        Some(u64::from_le_bytes(self.text(0)?.try_into().ok()?))
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
    pub kept: Kept,
    /// The latest bodies, by their hash: the rest of that, and the place.
    recent: Vec<(u32, u32)>,
    hasher: DefaultHashBuilder,
    /// Where bodies are made.
    room: Vec<u8>,
    /// By appliance, store and row of ids: one more than the place of the latest fact of each.
    latest: Vec<[HashMap<u64, [u32; ROW as usize]>; 3]>,
}

impl Part {
    /// Add a fact of an id; tell whether it is new. None where there is no room.
    pub fn add(&mut self, appliance: usize, store: usize, id: u64, code: u8, time: u32, values: &[Option<&[u8]>]) -> Option<bool> {
        let place = self.body(code, values)?;
        if appliance >= self.latest.len() {
            self.latest.resize_with(appliance + 1, Default::default);
        }
        let latest = &mut self.latest[appliance][store.min(MESSAGES)].entry(id / ROW).or_default()[(id % ROW) as usize];
        let mut known = *latest;
        for _ in 0..LOOKED_AT {
            let Some(at) = known.checked_sub(1) else { break };
            let [before, its_time, its_place] = words(&self.kept, at);
            if (its_time, its_place) == (time, place) {
                return Some(false);
            }
            known = before;
        }
        let own = u32::try_from(self.kept.len() / WORD + 1).ok()?;
        [*latest, time, place].iter().for_each(|word| self.kept.add(&word.to_le_bytes()));
        *latest = own;
        Some(true)
    }

    fn body(&mut self, code: u8, values: &[Option<&[u8]>]) -> Option<u32> {
        let mut body = std::mem::take(&mut self.room);
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
        self.recent.resize(RECENT, (0, u32::MAX));
        let hash = self.hasher.hash_one(&body);
        let (slot, rest) = (hash as usize % RECENT, (hash >> 32) as u32);
        let (its_rest, known) = self.recent[slot];
        let is_known = its_rest == rest && known != u32::MAX && *self.kept.get(known as usize * WORD, body.len()) == body[..];
        let place = if is_known { known } else { u32::try_from(self.kept.len() / WORD).ok()? };
        if !is_known {
            self.recent[slot] = (rest, place);
            body.resize(body.len().next_multiple_of(WORD), 0);
            self.kept.add(&body);
        }
        self.room = body;
        Some(place)
    }

    /// Write facts to a file, where there are too many.
    pub fn relieve(&mut self) -> std::io::Result<()> {
        if self.kept.relieve()? {
            self.recent.clear(); // what is looked up often is to be near
        }
        Ok(())
    }

    /// Number the appliances as others do.
    pub fn renumber(&mut self, numbers: &[usize]) {
        let mut theirs = std::mem::take(&mut self.latest);
        self.latest.resize_with(numbers.iter().max().map_or(0, |most| most + 1), Default::default);
        theirs.drain(..).zip(numbers).for_each(|(own, &number)| self.latest[number] = own);
    }
}

fn words<const COUNT: usize>(kept: &Kept, place: u32) -> [u32; COUNT] {
    let bytes = kept.get(place as usize * WORD, COUNT * WORD);
    let mut found = [0; COUNT];
    found.iter_mut().zip(bytes.chunks_exact(WORD)).for_each(|(word, bytes)| *word = u32::from_le_bytes(bytes.try_into().unwrap_or_default()));
    found
}

/// What all threads have read of one appliance.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub parts: &'a [Part],
    pub appliance: usize,
}

impl<'a> View<'a> {
    fn stores(self, store: usize) -> impl Iterator<Item = (&'a Part, &'a HashMap<u64, [u32; ROW as usize]>)> {
        self.parts.iter().filter_map(move |part| part.latest.get(self.appliance).map(|own| (part, &own[store])))
    }

    /// Return the facts of an id as they stand, the latest of each part first.
    fn chain(self, store: usize, id: u64) -> impl Iterator<Item = Fact<'a>> {
        self.stores(store).flat_map(move |(part, latest)| {
            let mut place = latest.get(&(id / ROW)).map_or(0, |row| row[(id % ROW) as usize]);
            std::iter::from_fn(move || {
                let [before, time, body] = words(&part.kept, place.checked_sub(1)?);
                place = before;
                let start = body as usize * WORD;
                let length = part.kept.get(start, 2);
                let body = part.kept.get(start + 2, usize::from(u16::from_le_bytes([length[0], length[1]])));
                Some(Fact { code: body[0], time, body, classes: [0; 3] })
            })
        })
    }

    /// Return the facts of an id, each once, in an order that says no more than they do; those that only mention it stand behind its own.
    pub fn facts(self, store: usize, id: u64) -> Vec<Fact<'a>> {
        let mut found = Vec::with_capacity(MOST);
        found.extend(self.chain(store, id));
        found.sort_unstable_by(|one, other| (one.code, one.time).cmp(&(other.code, other.time)).then_with(|| one.texts().cmp(other.texts())));
        found.dedup();
        found
    }

    /// Return the messages that name an id, the latest of each part first.
    pub fn users(self, store: usize, id: u64) -> impl Iterator<Item = u64> + 'a {
        self.chain(store, id).filter(|fact| fact.code == MENTION).filter_map(|fact| fact.mid())
    }

    /// Return all ids that have facts, ascending; those that are only named too, if these are `wanted`.
    pub fn ids(self, store: usize, wanted: bool) -> Vec<u64> {
        let of_row = |(&row, places): (&u64, &[u32; ROW as usize])| {
            let ids: Vec<u64> = (row * ROW..).zip(places).filter(|(_, &place)| place > 0).map(|(id, _)| id).collect();
            ids
        };
        let is_own = |&id: &u64| if wanted { id != 0 } else { self.chain(store, id).any(|fact| fact.code != MENTION) };
        ascending(self.stores(store).flat_map(|(_, latest)| latest.iter().flat_map(of_row)).filter(is_own))
    }
}

/// Return numbers in their order, each once.
pub fn ascending(ids: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut found: Vec<u64> = ids.collect();
    found.sort_unstable();
    found.dedup();
    found
}
