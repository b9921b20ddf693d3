//! What was read, in parts: each thread has its own, and nothing is copied when they are judged together.
use crate::facts::{as_number, Added, Fact, Facts, Met, Store, Texts, Value};
use crate::judging::{named, Named, Table};
use std::borrow::Cow;
use std::path::Path;

pub const MESSAGES: usize = 2;
/// Facts of one id that are compared with each other.
const MOST_FACTS: usize = 200;

/// The facts of one appliance: of its connections of either side, and of its messages.
#[derive(Default)]
pub struct Appliance {
    pub stores: [Store; 3],
    /// Whether a message names a connection that is not a number as it is written: it is not known here.
    pub is_odd: bool,
}

#[derive(Default)]
pub struct Part {
    pub texts: Texts,
    pub appliances: Vec<Appliance>,
}

impl Part {
    pub fn appliance(&mut self, number: usize) -> &mut Appliance {
        if number >= self.appliances.len() {
            self.appliances.resize_with(number + 1, Default::default);
        }
        &mut self.appliances[number]
    }

    /// Add a fact, and note what it names; false where there is no room.
    pub fn add(&mut self, table: &Table, appliance: usize, store: usize, key: u64, fact: &Fact) -> bool {
        let own = self.appliance(appliance);
        match own.stores[store.min(MESSAGES)].add(key, fact) {
            Added::Not => return false,
            Added::New if store == MESSAGES => {}
            Added::New | Added::Known => return true,
        }
        for (side, value, passed) in table.names(fact) {
            let met = Met { first: fact.time, last: fact.time, passed };
            match named(value) {
                Some(Named::One(id)) if !own.stores[side].meet(id, key, met) => return false,
                None if side < MESSAGES => own.is_odd = true,
                _ => {}
            }
        }
        true
    }

    /// How many bytes are in memory that may be in a file.
    pub fn held(&self) -> usize {
        self.texts.held() + self.appliances.iter().flat_map(|own| &own.stores).map(Store::held).sum::<usize>()
    }

    /// Write facts to files.
    pub fn part(&mut self, folder: &Path) -> std::io::Result<()> {
        self.texts.part(folder)?;
        self.appliances.iter_mut().flat_map(|own| &mut own.stores).try_for_each(|store| store.part(folder))
    }
}

/// What all parts know of one appliance. Values are those of the parts, with the number of the part in front.
pub struct View<'a> {
    parts: Vec<(&'a Texts, Option<&'a Appliance>)>,
    shift: u32,
}

impl<'a> View<'a> {
    /// None where there are more texts than values.
    pub fn new(parts: &'a [Part], appliance: usize) -> Option<View<'a>> {
        let shift = 31 - parts.len().next_power_of_two().trailing_zeros();
        let has_room = |part: &Part| (part.texts.end() - 1) >> shift == 0;
        let parts = parts.iter().map(|part| has_room(part).then(|| (&part.texts, part.appliances.get(appliance)))).collect::<Option<_>>()?;
        Some(View { parts, shift })
    }

    fn stores(&self, store: usize) -> impl Iterator<Item = &'a Store> + '_ {
        self.parts.iter().filter_map(move |(_, own)| own.map(|own| &own.stores[store]))
    }

    /// Return the facts of an id, the latest first.
    pub fn facts(&self, store: usize, key: u64) -> FactsOf<'_, 'a> {
        FactsOf { view: self, store, key, left: self.parts.len(), facts: None }
    }

    /// Likewise each once; None where there are too many to tell.
    pub fn distinct(&self, store: usize, key: u64) -> Option<Vec<Fact>> {
        let mut found: Vec<Fact> = Vec::with_capacity(20);
        for (count, fact) in self.facts(store, key).enumerate() {
            if count >= MOST_FACTS {
                return None;
            }
            if !found.iter().any(|known| self.are_same(known, &fact)) {
                found.push(fact);
            }
        }
        Some(found)
    }

    /// Tell whether an id has facts.
    pub fn has(&self, store: usize, key: u64) -> bool {
        self.stores(store).any(|store| store.has(key))
    }

    /// Return when messages name an id, if any does.
    pub fn met(&self, store: usize, key: u64) -> Option<Met> {
        self.stores(store).filter_map(|store| store.met(key)).reduce(Met::and)
    }

    /// Return the messages that name an id, ascending.
    pub fn mentions(&self, store: usize, key: u64) -> Vec<u64> {
        ascending(self.stores(store).flat_map(|store| store.mentions(key)))
    }

    /// Return the message that names an id last; 0 where none does.
    pub fn user(&self, store: usize, key: u64) -> u64 {
        self.stores(store).filter_map(|store| store.mentions(key).next()).max().unwrap_or(0)
    }

    /// Return all ids that have facts, ascending; those of connections that are only named too, if these are `wanted`.
    pub fn keys(&self, store: usize, wanted: bool) -> Vec<u64> {
        ascending(self.stores(store).flat_map(|own| own.keys().filter(move |&key| if wanted { key != 0 } else { own.has(key) })))
    }

    /// Tell whether all connections that messages name are known here.
    pub fn is_plain(&self) -> bool {
        !self.parts.iter().any(|(_, own)| own.is_some_and(|own| own.is_odd))
    }

    /// Return the text that a value stands for; None for no value, and for a number.
    pub fn text(&self, value: Value) -> Option<Cow<'a, [u8]>> {
        if value == 0 || as_number(value).is_some() {
            return None;
        }
        self.parts.get((value >> self.shift) as usize)?.0.text(value & ((1 << self.shift) - 1))
    }

    /// Tell whether two values stand for the same.
    pub fn is_same(&self, one: Value, other: Value) -> bool {
        one == other || self.text(one).is_some_and(|text| self.text(other) == Some(text))
    }

    /// Tell whether two facts say the same.
    pub fn are_same(&self, one: &Fact, other: &Fact) -> bool {
        (one.code, one.time, one.values().len()) == (other.code, other.time, other.values().len())
            && one.values().iter().zip(other.values()).all(|(&one, &other)| self.is_same(one, other))
    }
}

pub struct FactsOf<'v, 'a> {
    view: &'v View<'a>,
    store: usize,
    key: u64,
    left: usize,
    facts: Option<Facts<'a>>,
}

impl Iterator for FactsOf<'_, '_> {
    type Item = Fact;

    fn next(&mut self) -> Option<Fact> {
        loop {
            if let Some(fact) = self.facts.as_mut().and_then(Iterator::next) {
                let part = (self.left as u32) << self.view.shift;
                return Some(fact.map(|value| value | part));
            }
            self.left = self.left.checked_sub(1)?;
            self.facts = self.view.parts[self.left].1.map(|own| own.stores[self.store].of(self.key));
        }
    }
}

/// Return numbers in their order, each once.
pub fn ascending(ids: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut found: Vec<u64> = ids.collect();
    found.sort_unstable();
    found.dedup();
    found
}
