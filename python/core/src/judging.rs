//! Facts -> records of messages and of connections that are ordinary. Which ones are, and what their records say, is handed over by Python, which judges all others too.
use crate::facts::{self, as_number, Fact, Value};
use crate::groups::{Family, Groups, Known};
use crate::json;
use crate::parts::{ascending, View, MESSAGES};
use hashbrown::HashMap;
use memchr::memrchr;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;
use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};

/// What a value is to a shape (`verdicts.ordinary`).
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Nothing,
    Absent,
    Text,
    Once,
    Literal,
    Distinct,
    Sorted,
    Same,
    Delivery,
    Used,
    Parent,
    Owner,
    Number,
    Plain,
}

/// What an ordinary life has of one kind of fact: its order, how many at most, its values, some flags, and what its values are to a connection's own record,
/// each with a number for its name: facts that tell the same tell the same value.
pub struct Rule {
    order: u32,
    most: u32,
    kinds: Vec<Kind>,
    flags: u32,
    shown: Vec<Kind>,
    names: Vec<usize>,
}

const TIMED: u32 = 1;
const SEEN: u32 = 2;
const RECEIVED: u32 = 4;
const ENVELOPE: u32 = 8;
const STARTS: u32 = 16;
const ORIGIN: u32 = 32;
const INTERNAL: u32 = 64;
const OPENS: u32 = 128;
const BEGINS: u32 = 256;
const TRIES: u32 = 512;
const ACCEPTS: u32 = 1024;
const CLOSES: u32 = 2048;
const AT_ONCE: u32 = 4096;
const SENDS: u32 = 8192;
/// The sort of a text without a letter.
const EMPTY: u32 = u32::MAX - 2;
/// Instead of flags: what a connection's own record shows.
const SHOWN: u32 = u32::MAX;

/// Order, most, kinds, flags, and what is shown of a connection, with names.
type GivenRule = (u32, u32, Vec<String>, u32, Vec<String>, Vec<usize>);
/// What makes lives ordinary: a rule for each code, seconds, the first place of a message's own values, the most shapes.
pub type GivenTable = (Vec<Option<GivenRule>>, u32, u32, usize, usize);

/// Places of a part's texts: a text, and what stands behind it; then the rest of the text.
type GivenText = (Vec<(Vec<u8>, usize)>, Vec<u8>);
/// The texts of a part of a record, where the address of each recipient stands and that of the sender (`SENDER`), and the verdict on a delivery that is done,
/// or the mail flow of what was received; and what is counted together, for each family (`groups`): None for what is by itself. The last one stands for the
/// one before where the sender has no domain.
type GivenPart = (Vec<GivenText>, Vec<(u64, usize)>, Option<String>, Vec<Option<GivenText>>);

/// What Python tells of a shape: a part of a record; None where it is not ordinary.
pub type Part = Option<GivenPart>;

/// What makes lives ordinary, and what has been learned of them; several threads judge by it.
pub struct Table {
    rules: Vec<Option<Rule>>,
    /// Seconds: within which two openings are one, and after which an id is another's.
    same: u32,
    silence: u32,
    first_own: usize,
    most: usize,
    /// By code.
    classes: Vec<RwLock<HashMap<Vec<u8>, u32>>>,
    literals: RwLock<HashMap<Vec<u8>, u32>>,
    parts: RwLock<HashMap<Vec<u32>, Option<Arc<GivenPart>>>>,
    pub shaped: AtomicU64,
}

/// A shape of which Python is to tell: its key, which part of a record it is, of which message, and of which delivery; or of which connection, and what its
/// messages tell.
pub type Question = (Vec<u32>, u32, String, String);

const MOST_CLASSES: usize = 10_000;
/// As many as may stay in the processor's cache.
const MOST_LIVES: usize = 300;
const MOST_DEPTH: u32 = 4;
/// Values of most shapes.
const ROOM: usize = 64;
/// Ways in which mail passed a connection before and after what it said.
const MOST_ORDERS: usize = 8;
/// Places in front of the values of a delivery's connection, and of what is shown of a connection.
const TIME_PLACE: usize = 1;
const DOMAIN_PLACES: [usize; 2] = [3, 0];
/// Place of the domain of the sender, behind the first of a message's own.
const SENDERS_DOMAIN: usize = 4;
/// The place of the first address in a list is so much higher than that of the list, the next one's twice as much.
const LISTED: usize = 10_000;
/// The families that records are counted in.
const OF_CONNECTIONS: Range<usize> = 0..2;
const OF_MESSAGES: Range<usize> = 2..5;
/// Where the sender stands among the people of an envelope, and the mail flow of a message that was given up.
const SENDER: u64 = u64::MAX;
const GIVEN_UP: &str = "none";

impl Table {
    pub fn new((given, same, silence, first_own, most): GivenTable) -> PyResult<Self> {
        let kind = |word: &String| match word.as_str() {
            "nothing" => Ok(Kind::Nothing),
            "absent" => Ok(Kind::Absent),
            "text" => Ok(Kind::Text),
            "once" => Ok(Kind::Once),
            "literal" => Ok(Kind::Literal),
            "distinct" => Ok(Kind::Distinct),
            "sorted" => Ok(Kind::Sorted),
            "same" => Ok(Kind::Same),
            "delivery" => Ok(Kind::Delivery),
            "used" => Ok(Kind::Used),
            "parent" => Ok(Kind::Parent),
            "owner" => Ok(Kind::Owner),
            "number" => Ok(Kind::Number),
            "plain" => Ok(Kind::Plain),
            _ => Err(PyValueError::new_err(format!("no such kind: {word}"))),
        };
        let rule = |(order, most, kinds, flags, shown, names): GivenRule| {
            let kinds = kinds.iter().map(kind).collect::<PyResult<Vec<Kind>>>()?;
            let shown = shown.iter().map(kind).collect::<PyResult<Vec<Kind>>>()?;
            Ok(Rule { order, most, kinds, flags, shown, names })
        };
        let rules = given.into_iter().map(|one| one.map(rule).transpose()).collect::<PyResult<Vec<_>>>()?;
        let classes = rules.iter().map(|_| RwLock::default()).collect();
        let (literals, parts) = Default::default();
        Ok(Table { rules, same, silence, first_own, most, classes, literals, parts, shaped: AtomicU64::new(0) })
    }

    fn rule(&self, fact: &Fact) -> Option<&Rule> {
        self.rules.get(fact.code as usize)?.as_ref()
    }

    /// Return what a fact of a message names: in which store, the value, and whether mail passed then, or what it was made from was accepted.
    pub fn names<'a>(&'a self, fact: &'a Fact) -> impl Iterator<Item = (usize, Value, bool)> + 'a {
        let rule = self.rule(fact);
        let flags = rule.map_or(0, |rule| rule.flags);
        rule.into_iter().flat_map(|rule| rule.kinds.iter().zip(fact.values())).filter_map(move |(kind, &value)| match kind {
            Kind::Same => Some((0, value, flags & TRIES == 0)),
            Kind::Delivery | Kind::Used => Some((1, value, flags & TRIES == 0)),
            Kind::Parent => Some((MESSAGES, value, flags & INTERNAL == 0)),
            _ => None,
        })
    }

    /// Take what Python tells of the shape that it was asked of.
    pub fn tell(&self, key: Vec<u32>, part: Part) {
        put(&self.parts, key, part.map(Arc::new));
    }

    /// Tell whether it has done so.
    pub fn knows(&self, key: &[u32]) -> bool {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }
}

/// What is learned is looked up and added by all threads. None of them may hold a lock while it waits for Python.
fn get<K: std::hash::Hash + Eq, Q: std::hash::Hash + hashbrown::Equivalent<K> + ?Sized, V: Clone>(known: &RwLock<HashMap<K, V>>, key: &Q) -> Option<V> {
    known.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

fn put<K: std::hash::Hash + Eq, V>(known: &RwLock<HashMap<K, V>>, key: K, value: V) {
    known.write().unwrap_or_else(PoisonError::into_inner).insert(key, value);
}

/// Return some numbers in a vector that has room for most shapes.
fn roomy<const COUNT: usize>(first: [u32; COUNT]) -> Vec<u32> {
    let mut found = Vec::with_capacity(ROOM);
    found.extend(first);
    found
}

/// An id that a fact names: none, the one that is none, or one.
#[derive(Clone, Copy, PartialEq)]
pub enum Named {
    Nobody,
    Zero,
    One(u64),
}

/// None for what is no number as it is written.
pub fn named(value: Value) -> Option<Named> {
    match (value, as_number(value)) {
        (0, _) => Some(Named::Nobody),
        (_, Some(0)) => Some(Named::Zero),
        (_, id) => id.map(|id| Named::One(u64::from(id))),
    }
}

/// A delivery: its connection, whether it began, what ended it, the time of the last, to whom, and what was said.
struct Try {
    id: u64,
    begun: bool,
    ended: u32,
    time: u32,
    rids: Vec<u64>,
    response: Value,
}

pub struct Judge<'a> {
    pub table: &'a Table,
    pub view: View<'a>,
    /// Seconds: what is asked for was seen in these.
    pub range: (i64, i64),
    pub marks: &'a [(u32, u32)],
    pub host: &'a [u8],
    pub ask: &'a Py<PyAny>,
    /// What Python is to tell of.
    pub question: Option<Question>,
    /// What counts records, if they are only counted: with these, and the lines of those that are counted by themselves, for each family.
    groups: Option<&'a Groups>,
    known: Known,
    alone: Vec<Vec<u8>>,
    /// What is plain of messages and connections, and the halves of records, as long as others need them too.
    lives: HashMap<(usize, u64), Option<Rc<Life>>>,
    halves: HashMap<u64, Option<Rc<Halves>>>,
    /// What was looked up in the table (threads that look there at once hold each other up), or told by Python.
    literals: HashMap<Value, u32>,
    parts: HashMap<Vec<u32>, Option<Told>>,
    classes: HashMap<(u32, Value), u32>,
    delivered: HashMap<BTreeSet<String>, Rc<Vec<u8>>>,
    /// How many records were filled in.
    pub shaped: u64,
    /// Addresses in lists.
    lists: HashMap<Value, Vec<Vec<u8>>>,
}

/// A part of a record, counted here by itself.
type Told = Rc<Arc<GivenPart>>;

/// A part of a record with its values, the time of a delivery, and the domain.
type Portion<'p> = (&'p GivenPart, &'p [Value], Option<u32>, &'p [u8]);
/// What a record has of its own: id, first and last time.
type Own = (u64, u32, u32);

/// The parts of a record that tell how a message was received, and its envelope, and their values.
type Halves = ([Told; 2], [Vec<Value>; 2]);

/// The facts of a life that have an order, with when it was first and last seen, likewise by its own lines, when it was closed, whether any shows that it was
/// accepted, and whether it used a connection that its record does not show.
struct Life {
    facts: Vec<Fact>,
    first: u32,
    last: u32,
    seen: (u32, u32),
    closed: u32,
    accepted: bool,
    is_using: bool,
}

impl<'a> Judge<'a> {
    pub fn new(
        table: &'a Table,
        view: View<'a>,
        range: (i64, i64),
        marks: &'a [(u32, u32)],
        host: &'a [u8],
        ask: &'a Py<PyAny>,
        groups: Option<&'a Groups>,
    ) -> Judge<'a> {
        let (known, alone) = groups.map_or_else(Default::default, |groups| (groups.borrow(), vec![vec![]; groups.families.len()]));
        let (lives, halves, literals, parts, classes, delivered, lists) = Default::default();
        let (question, shaped) = (None, 0);
        Judge { table, view, range, marks, host, ask, question, groups, known, alone, lives, halves, literals, parts, classes, delivered, shaped, lists }
    }

    /// Return what was written: records, or those that are counted by themselves for each family; and what Python is to tell of.
    pub fn end(self, out: Vec<u8>) -> (Vec<Vec<u8>>, Option<Question>) {
        match self.groups {
            Some(groups) => {
                groups.give_back(self.known);
                (self.alone, self.question)
            }
            None => (vec![out], self.question),
        }
    }

    /// Count a record of some parts in some families: what else it has in common with others, its sender's domain, its times and those of its deliveries.
    fn count(&mut self, families: Range<usize>, parts: &[Portion], words: &[u8], domain: Option<&[u8]>, times: [&[u32]; 2], own: Own) {
        let Some(groups) = self.groups else { return };
        let (mut known, mut alone) = (std::mem::take(&mut self.known), std::mem::take(&mut self.alone));
        let mut key = Vec::with_capacity(4 * ROOM);
        for number in families {
            let Family(period, most, of_tries, instead, latest) = groups.families[number];
            let times = if of_tries { times[1] } else { &times[0][..most.min(times[0].len())] };
            if of_tries && times.is_empty() {
                continue;
            }
            key.clear();
            key.push(number as u8);
            if period > 0 {
                key.extend_from_slice(words);
                key.extend_from_slice(&times.first().map_or(0, |time| 1 + time / period).to_le_bytes());
            }
            let place = if domain.is_none_or(<[u8]>::is_empty) { instead } else { number };
            // which ones are the latest is told by their times
            let is_alike = (domain.is_some() || instead == number)
                && (latest == 0 || !times.is_empty())
                && parts.iter().all(|part| self.put(&mut key, part.0 .3.get(place).and_then(Option::as_ref), part, own));
            if is_alike {
                groups.count(&mut known, &key, times, own.0, latest, || self.line(parts, words, own));
            } else {
                alone[number].extend(self.line(parts, words, own));
            }
        }
        (self.known, self.alone) = (known, alone);
    }

    /// Add a text of a part; false where it has none.
    fn put(&self, out: &mut Vec<u8>, text: Option<&GivenText>, part: &Portion, own: Own) -> bool {
        let Some(text) = text else { return false };
        self.write(out, text, part.1, own, part.2, part.3);
        true
    }

    /// Return a message, or a connection, that is plainly one.
    fn plain(&mut self, store: usize, id: u64) -> Option<Rc<Life>> {
        if let Some(known) = self.lives.get(&(store, id)) {
            return known.clone();
        }
        if self.lives.len() >= MOST_LIVES {
            self.lives.clear();
        }
        let found = if store < MESSAGES { self.connection(store, id) } else { self.message(id) }.map(Rc::new);
        self.lives.insert((store, id), found.clone());
        found
    }

    fn rule(&self, fact: &Fact) -> Option<&'a Rule> {
        self.table.rule(fact)
    }

    fn flags(&self, fact: &Fact) -> u32 {
        self.rule(fact).map_or(0, |rule| rule.flags)
    }

    /// Return the facts of an id; None where the table does not have them.
    fn life(&self, store: usize, id: u64) -> Option<Life> {
        let facts = self.view.distinct(store, id)?;
        let mut life = Life { facts, first: u32::MAX, last: 0, seen: (0, 0), closed: u32::MAX, accepted: false, is_using: false };
        for fact in &life.facts {
            let rule = self.rule(fact)?;
            if fact.values().len() != rule.kinds.len() {
                return None;
            }
            if rule.flags & SEEN != 0 {
                life.first = life.first.min(fact.time);
                life.last = life.last.max(fact.time);
            }
            if rule.flags & CLOSES != 0 {
                life.closed = life.closed.min(fact.time);
            }
            life.accepted |= rule.flags & ACCEPTS != 0;
            life.is_using |= rule.kinds.contains(&Kind::Used);
        }
        life.seen = (life.first, life.last);
        life.facts.retain(|fact| self.rule(fact).is_some_and(|rule| rule.most > 0));
        let order = |fact: &Fact| self.rule(fact).map_or(0, |rule| rule.order);
        life.facts.reverse();
        life.facts.sort_by_key(order);
        let is_many = |same: &[Fact]| same.len() > self.rule(&same[0]).map_or(0, |rule| rule.most as usize);
        (!life.facts.chunk_by(|one, other| one.code == other.code).any(is_many)).then_some(life)
    }

    /// Likewise for a message: all of it is plainly of one.
    fn message(&self, mid: u64) -> Option<Life> {
        let life = self.life(2, mid)?;
        if life.first > life.last || life.last - life.first > self.table.silence {
            return None;
        }
        let made: Vec<u32> = life.facts.iter().filter(|fact| self.flags(fact) & (STARTS | ORIGIN) != 0).map(|fact| fact.time).collect();
        if let (Some(&early), Some(&late)) = (made.iter().min(), made.iter().max()) {
            if life.first + self.table.same < early || late - early > self.table.same {
                return None;
            }
        }
        if life.facts.iter().filter(|fact| self.flags(fact) & ORIGIN != 0).count() > 1 {
            return None;
        }
        let mut over: Option<Value> = None;
        let mut had = vec![];
        for fact in &life.facts {
            for (place, (&kind, &value)) in self.rule(fact)?.kinds.iter().zip(fact.values()).enumerate() {
                let is_odd = match kind {
                    Kind::Same => *over.get_or_insert(value) != value,
                    Kind::Parent => matches!(named(value), Some(Named::Zero)) || named(value) == Some(Named::One(mid)),
                    Kind::Absent => value != 0,
                    Kind::Once if value != 0 => had.contains(&(fact.code, place)),
                    Kind::Distinct => as_number(value).is_none() || had.contains(&(fact.code, value as usize)),
                    _ => false,
                };
                if is_odd {
                    return None;
                }
                match kind {
                    Kind::Once if value != 0 => had.push((fact.code, place)),
                    Kind::Distinct => had.push((fact.code, value as usize)),
                    _ => {}
                }
            }
        }
        let is_started = life.facts.iter().any(|fact| self.flags(fact) & STARTS != 0);
        (is_started || !matches!(named(over.unwrap_or(0))?, Named::One(_))).then_some(life)
    }

    /// Add what some facts tell of a shape, and their values; None where that is not ordinary.
    fn shape(&mut self, facts: &[Fact], wanted: u32, mid: u64, key: &mut Vec<u32>, values: &mut Vec<Value>) -> PyResult<Option<()>> {
        for fact in facts {
            let Some(rule) = self.rule(fact).filter(|rule| matches!(wanted, 0 | SHOWN) || rule.flags & wanted != 0) else { continue };
            key.push(fact.code);
            values.push(0);
            for (&kind, &value) in if wanted == SHOWN { &rule.shown } else { &rule.kinds }.iter().zip(fact.values()) {
                values.push(value);
                key.push(match kind {
                    Kind::Nothing | Kind::Used => 0,
                    Kind::Absent if value == 0 => 0,
                    Kind::Absent => return Ok(None),
                    Kind::Text | Kind::Once if value == 0 => 0,
                    Kind::Text | Kind::Once => 1 + u32::from(self.is_empty(value)),
                    Kind::Number if value != 0 && as_number(value).is_none() => return Ok(None),
                    Kind::Number => u32::from(value != 0),
                    Kind::Plain
                        if self.view.text(value).is_some_and(|text| text.ends_with(b".") || text.iter().any(|b| !b.is_ascii() || b.is_ascii_uppercase())) =>
                    {
                        return Ok(None);
                    }
                    Kind::Plain => u32::from(value != 0),
                    Kind::Literal | Kind::Distinct => self.literal(value),
                    // what a line says that makes messages of others is asked by the envelope alone
                    Kind::Sorted if wanted == RECEIVED && rule.flags & ENVELOPE != 0 => 0,
                    Kind::Sorted if self.is_empty(value) => EMPTY,
                    Kind::Sorted => self.class(fact.code, value)?,
                    Kind::Owner => u32::from(named(value) == Some(Named::One(mid))),
                    Kind::Same | Kind::Delivery | Kind::Parent => match named(value) {
                        None => return Ok(None),
                        Some(Named::Nobody) => 0,
                        Some(Named::Zero) => 1,
                        Some(Named::One(_)) => 2,
                    },
                });
            }
        }
        key.push(u32::MAX);
        Ok(Some(()))
    }

    /// Tell whether a value is there, and is no more than that: a record does not show it.
    fn is_empty(&self, value: Value) -> bool {
        self.view.text(value).is_some_and(|text| text.is_empty())
    }

    fn class(&mut self, code: u32, value: Value) -> PyResult<u32> {
        if value == 0 {
            return Ok(0);
        }
        if let Some(&known) = self.classes.get(&(code, value)) {
            return Ok(known);
        }
        let text = self.words(value);
        let classes = &self.table.classes[code as usize];
        let found = match get(classes, text.as_bytes()) {
            Some(known) => known,
            None => {
                let found = Python::attach(|py| self.ask.bind(py).call_method1("sort", (code, &text))?.extract())?;
                let mut classes = classes.write().unwrap_or_else(PoisonError::into_inner);
                if classes.len() >= MOST_CLASSES {
                    classes.clear();
                }
                classes.insert(text.into_bytes(), found);
                found
            }
        };
        self.classes.insert((code, value), found);
        Ok(found)
    }

    /// Return the one number of a text, whichever value stands for it; of a number, its value.
    fn literal(&mut self, value: Value) -> u32 {
        if let Some(&known) = self.literals.get(&value) {
            return known;
        }
        let Some(text) = self.view.text(value) else { return value };
        let found = self.literal_of(&text);
        self.literals.insert(value, found);
        found
    }

    fn literal_of(&self, text: &[u8]) -> u32 {
        get(&self.table.literals, text).unwrap_or_else(|| {
            let mut literals = self.table.literals.write().unwrap_or_else(PoisonError::into_inner);
            let number = literals.len() as u32 + 1;
            *literals.entry_ref(text).or_insert(number)
        })
    }

    fn words(&self, value: Value) -> String {
        match as_number(value) {
            Some(number) => number.to_string(),
            None => String::from_utf8_lossy(&self.view.text(value).unwrap_or_default()).into_owned(),
        }
    }

    /// Return what is said of a connection that is plainly one.
    fn connection(&self, side: usize, id: u64) -> Option<Life> {
        let mut life = self.life(side, id)?;
        if let Some(met) = self.view.met(side, id) {
            life.first = life.first.min(met.first);
            life.last = life.last.max(met.last);
        }
        let opened = life.facts.iter().find(|fact| self.flags(fact) & OPENS != 0).map_or(0, |fact| fact.time);
        (life.last.saturating_sub(life.first) <= self.table.silence && life.first + self.table.same >= opened).then_some(life)
    }

    /// Add when a connection said what matters by its time: in which order, and before, within or after the second in which mail passed, if any did.
    fn order(&self, life: &Life, moment: Option<u32>, key: &mut Vec<u32>) -> Option<()> {
        let timed: Vec<(u32, u32)> = life.facts.iter().filter(|fact| self.flags(fact) & TIMED != 0).map(|fact| (fact.time, fact.code)).collect();
        for (number, one) in timed.iter().enumerate() {
            if timed[..number].contains(one) {
                return None;
            }
            let is_at_once = self.table.rules[one.1 as usize].as_ref().is_some_and(|rule| rule.flags & AT_ONCE != 0);
            key.extend(moment.map(|moment| if is_at_once { u32::from(one.0 > moment) } else { one.0.cmp(&moment) as u32 }));
            key.push(timed.iter().filter(|other| other.0 < one.0).count() as u32);
        }
        Some(())
    }

    /// Add what a connection tells of the shape of a message whose mail passed at a time.
    fn side(&mut self, side: usize, id: u64, time: u32, mid: u64, key: &mut Vec<u32>, values: &mut Vec<Value>) -> PyResult<Option<()>> {
        let Some(life) = self.plain(side, id) else { return Ok(None) };
        if self.order(&life, Some(time), key).is_none() {
            return Ok(None);
        }
        self.shape(&life.facts, 0, mid, key, values)
    }

    /// Add what tells one part of a record, with what the message was made from; None where that is not ordinary.
    fn part(&mut self, wanted: u32, mid: u64, life: &Life, key: &mut Vec<u32>, values: &mut Vec<Value>, depth: u32) -> PyResult<Option<()>> {
        if wanted == RECEIVED {
            key.push(u32::from(life.accepted || self.view.met(MESSAGES, mid).is_some_and(|met| met.passed)));
        }
        if self.shape(&life.facts, wanted, mid, key, values)?.is_none() {
            return Ok(None);
        }
        let origin = life.facts.iter().find(|fact| self.flags(fact) & ORIGIN != 0);
        let start = life.facts.iter().find(|fact| self.flags(fact) & STARTS != 0);
        if let (Some(start), RECEIVED) = (start, wanted) {
            if let Some(Named::One(id)) = named(start.values()[0]) {
                if self.side(0, id, start.time, mid, key, values)?.is_none() {
                    return Ok(None);
                }
            } else if origin.is_none() && start.values()[1..].iter().all(|&value| value == 0) {
                let sender = life.facts.iter().find(|fact| self.flags(fact) & SENDS != 0).map_or(0, |fact| fact.values()[1]);
                let (host, sender) = (String::from_utf8_lossy(self.host).into_owned(), (sender != 0).then(|| self.words(sender)));
                key.push(Python::attach(|py| self.ask.bind(py).call_method1("is_own", (host, sender))?.extract::<bool>())?.into());
            }
        }
        let Some(origin) = origin.filter(|origin| self.flags(origin) & INTERNAL == 0) else { return Ok(Some(())) };
        let Some(Named::One(parent)) = named(origin.values()[0]) else { return Ok(None) };
        if !self.view.has(MESSAGES, parent) {
            key.push(u32::MAX - 1);
            return Ok(Some(()));
        }
        match self.plain(MESSAGES, parent).filter(|life| life.first <= origin.time && depth < MOST_DEPTH) {
            Some(life) => self.part(wanted, parent, &life, key, values, depth + 1),
            None => Ok(None),
        }
    }

    /// Return the part of a record that has a shape; None where it is not ordinary, or not known: then it is asked.
    fn know(&mut self, key: Vec<u32>, kind: u32, id: u64, told: impl FnOnce() -> String) -> Option<Told> {
        if let Some(part) = self.parts.get(&key) {
            return part.clone();
        }
        if let Some(part) = get(&self.table.parts, &key) {
            let part = part.map(Rc::new);
            self.parts.insert(key, part.clone());
            return part;
        }
        if self.table.parts.read().unwrap_or_else(PoisonError::into_inner).len() < self.table.most {
            self.question = Some((key, kind, id.to_string(), told()));
        }
        None
    }

    /// Return how a message was received and its envelope; None where one is not known, or not ordinary.
    fn halves(&mut self, mid: u64, life: &Life) -> PyResult<Option<Rc<Halves>>> {
        if let Some(known) = self.halves.get(&mid) {
            return Ok(known.clone());
        }
        if self.halves.len() >= MOST_LIVES {
            self.halves.clear();
        }
        let found = self.half_by_half(mid, life)?.map(Rc::new);
        self.halves.insert(mid, found.clone());
        Ok(found)
    }

    fn half_by_half(&mut self, mid: u64, life: &Life) -> PyResult<Option<Halves>> {
        let (mut key, mut values) = (roomy([0, u32::from(!self.host.is_empty())]), roomy([]));
        if self.part(RECEIVED, mid, life, &mut key, &mut values, 0)?.is_none() {
            return Ok(None);
        }
        let Some(received) = self.know(key, 0, mid, String::new) else { return Ok(None) };
        let (mut key, mut others) = (roomy([1]), roomy([]));
        if self.part(ENVELOPE, mid, life, &mut key, &mut others, 0)?.is_none() {
            return Ok(None);
        }
        let Some(envelope) = self.know(key, 1, mid, String::new) else { return Ok(None) };
        for place in envelope.0.iter().flat_map(|text| &text.0).map(|(_, place)| *place).filter(|place| (LISTED..self.table.first_own).contains(place)) {
            let list = others.get(place % LISTED).copied().unwrap_or(0);
            if !self.lists.contains_key(&list) {
                let told: Vec<Vec<u8>> = Python::attach(|py| self.ask.bind(py).call_method1("listed", (self.words(list),))?.extract())?;
                self.lists.insert(list, told);
            }
        }
        Ok(Some(([received, envelope], [values, others])))
    }

    /// Return the deliveries of a message in their order; None where they are not plainly that many.
    fn tries(&self, life: &Life) -> Option<Vec<Try>> {
        let (mut found, mut all_begun): (Vec<Try>, Vec<Try>) = (vec![], vec![]);
        for fact in &life.facts {
            let rule = self.rule(fact)?;
            if !rule.kinds.contains(&Kind::Delivery) {
                continue;
            }
            let id = match named(fact.values()[0])? {
                Named::One(id) => id,
                _ => 0,
            };
            let response = if rule.flags & TRIES != 0 { fact.values()[2] } else { 0 };
            if id == 0 && rule.flags & TRIES == 0 {
                return None;
            }
            let (begun, again) = (rule.flags & BEGINS != 0, rule.flags & TRIES != 0);
            let one = Try { id, begun, ended: if begun { 0 } else { fact.code + 1 }, time: fact.time, rids: self.rids(fact.values()[1])?, response };
            let others = if begun { &mut all_begun } else { &mut found };
            match others.iter_mut().find(|other| other.id == id && self.end_alike(other, &one) && other.time == one.time) {
                Some(other) if again => other.rids = ascending(other.rids.iter().chain(&one.rids).copied()),
                Some(_) => return None,
                None => others.push(one),
            }
        }
        for one in all_begun {
            let all = found.iter().filter(|end| end.id == one.id).flat_map(|end| &end.rids).collect::<Vec<_>>();
            let is_over = found.iter().any(|end| end.id == one.id);
            if is_over && !one.rids.iter().all(|rid| all.contains(&rid)) {
                return None;
            }
            found.iter_mut().filter(|end| end.id == one.id).for_each(|end| end.begun = true);
            if !is_over {
                found.push(one);
            }
        }
        found.sort_by_cached_key(|one| (one.time, one.id, one.ended, self.view.text(one.response)));
        let are_plain = |one: &Try, other: &Try| match self.end_alike(one, other) {
            // the same again, of the same recipients
            true => one.rids == other.rids && one.response != 0,
            false => !self.is_empty(one.response) && !self.is_empty(other.response),
        };
        found.iter().enumerate().all(|(at, one)| found[..at].iter().all(|other| one.id != other.id || are_plain(one, other))).then_some(found)
    }

    /// Tell whether two deliveries ended alike.
    fn end_alike(&self, one: &Try, other: &Try) -> bool {
        one.ended == other.ended && self.view.is_same(one.response, other.response)
    }

    /// Return the numbers of the recipients of a delivery, ascending.
    fn rids(&self, rid: Value) -> Option<Vec<u64>> {
        if let Some(rid) = as_number(rid) {
            return Some(vec![u64::from(rid)]);
        }
        let number = |rid: &str| rid.bytes().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')));
        let found: Option<Vec<u64>> = self.words(rid).split([',', ' ']).filter(|rid| !rid.is_empty() && rid.len() <= 18).map(number).collect();
        Some(ascending(found?.into_iter()))
    }

    /// Add the domains of the recipients of a delivery; None where that is not ordinary.
    fn domains(&self, rids: &[u64], people: &[(u64, usize)], values: &[Value], found: &mut Vec<Vec<u8>>) -> Option<()> {
        rids.iter().try_for_each(|&rid| self.domain_of(rid, people, values, found))
    }

    /// Add the domain of one of the people of an envelope, if it has that; None where it is not ordinary.
    fn domain_of(&self, who: u64, people: &[(u64, usize)], values: &[Value], found: &mut Vec<Vec<u8>>) -> Option<()> {
        let Some(&(_, place)) = people.iter().find(|(one, _)| *one == who) else { return Some(()) };
        let own = || self.view.text(values[place]).unwrap_or_default();
        let address = self.address(values, place).map_or_else(own, Cow::Borrowed);
        if !address.is_ascii() {
            return None;
        }
        let domain = memrchr(b'@', &address).map_or(&b""[..], |at| &address[at + 1..]);
        if !found.iter().any(|known| known.eq_ignore_ascii_case(domain)) {
            found.push(domain.to_ascii_lowercase());
        }
        Some(())
    }

    /// Return which facts of a connection tell the same, nothing where all do; None where it is not plain which one comes first then.
    fn names(&self, life: &Life) -> Option<Vec<u32>> {
        let mut names: Vec<(usize, Value, (u32, u32, u32))> = vec![];
        for fact in &life.facts {
            let rule = self.rule(fact)?;
            // an example has its opening first, then what may come at any time
            let rank = if rule.flags & OPENS != 0 { 0 } else { 1 + u32::from(rule.flags & TIMED != 0) };
            let told = rule.names.iter().zip(fact.values()).filter(|&(&name, &value)| name > 0 && value != 0);
            names.extend(told.map(|(&name, &value)| (name, value, (rank, fact.time, fact.code))));
        }
        let first = |one: &(usize, Value, _)| names.iter().position(|other| other.0 == one.0 && self.view.is_same(other.1, one.1)).unwrap_or(0);
        let differ = |one: &(usize, Value, _), other: &(usize, Value, _)| one.0 == other.0 && !self.view.is_same(one.1, other.1);
        let mut found = vec![];
        for (number, one) in names.iter().enumerate() {
            for other in names[..number].iter().filter(|other| differ(one, other)) {
                let (early, late) = if one.2 .0 < other.2 .0 { (one.2, other.2) } else { (other.2, one.2) };
                if early.0 < 2 && (early.0 == late.0 || (early.1, early.2) >= (late.1, late.2)) {
                    return None;
                }
                found = names.iter().map(|one| first(one) as u32).collect();
            }
        }
        Some(found)
    }

    /// Return an address that stands in a list.
    fn address(&self, values: &[Value], place: usize) -> Option<&[u8]> {
        let number = (place / LISTED).checked_sub(1)?;
        Some(self.lists.get(values.get(place % LISTED)?).and_then(|list| list.get(number)).map_or(b"", |address| address))
    }

    /// Return the one domain there is; none where there are several.
    fn shared(domains: &[Vec<u8>]) -> &[u8] {
        match domains {
            [one] => one,
            _ => b"",
        }
    }

    fn is_wanted(&self, first: u32, last: u32) -> bool {
        i64::from(last) >= self.range.0 && i64::from(first) < self.range.1
    }

    /// Add the record of a connection of one side; false where it is for Python.
    pub fn link(&mut self, side: usize, id: u64, out: &mut Vec<u8>) -> PyResult<bool> {
        let told = self.linked(side, id, out)?.is_some();
        self.shaped += u64::from(told);
        Ok(told)
    }

    fn linked(&mut self, side: usize, id: u64, out: &mut Vec<u8>) -> PyResult<Option<()>> {
        let Some(life) = self.plain(side, id) else { return Ok(None) };
        let (closed, (mut first, mut last)) = (life.closed, life.seen);
        let opened = life.facts.iter().find(|fact| self.flags(fact) & OPENS != 0).map_or(0, |fact| fact.time);
        let Some(names) = self.names(&life) else { return Ok(None) };
        let (mut moments, mut passed, mut flows, mut domains, mut messages) = (vec![], 0_u32, Vec::<String>::new(), vec![], 0_u32);
        let mut user = 0;
        for mid in self.view.mentions(side, id) {
            let Some(own) = self.plain(MESSAGES, mid) else { return Ok(None) };
            let Some(halves) = self.halves(mid, &own)? else { return Ok(None) };
            let ([received, envelope], values) = &*halves;
            let flow = received.2.as_deref().unwrap_or("");
            let is_given_up = side == 0 && flow == GIVEN_UP;
            let mut passes = false;
            let is_named = |fact: &Fact| fact.values().first().is_some_and(|&value| named(value) == Some(Named::One(id)));
            let is_using = |fact: &Fact| self.rule(fact).is_some_and(|rule| rule.kinds[0] == Kind::Used);
            let used: Vec<Fact> = if side == 1 && own.is_using { self.view.facts(MESSAGES, mid).filter(is_using).collect() } else { vec![] };
            for fact in own.facts.iter().chain(&used).filter(|fact| is_named(fact)) {
                let Some(rule) = self.rule(fact) else { return Ok(None) };
                match rule.kinds[0] {
                    Kind::Same if side == 0 && rule.flags & STARTS != 0 => {}
                    Kind::Delivery | Kind::Used if side == 1 => {
                        let Some(rids) = self.rids(fact.values()[1]) else { return Ok(None) };
                        if self.domains(&rids, &envelope.1, &values[1], &mut domains).is_none() {
                            return Ok(None);
                        }
                    }
                    _ => continue,
                }
                (first, last) = (first.min(fact.time), last.max(fact.time));
                if !is_given_up && rule.flags & TRIES == 0 {
                    passes = true;
                    moments.push(fact.time);
                }
            }
            if is_given_up {
                continue;
            }
            if side == 0 && self.domain_of(SENDER, &envelope.1, &values[1], &mut domains).is_none() {
                return Ok(None);
            }
            user = mid;
            messages += 1;
            passed += u32::from(passes);
            if !flows.iter().any(|known| known == flow) {
                flows.push(flow.to_owned());
            }
        }
        let own_lines = life.facts.iter().any(|fact| self.rule(fact).is_some_and(|rule| rule.kinds.contains(&Kind::Owner)));
        if own_lines && messages > 1 {
            return Ok(None);
        }
        let domain = Self::shared(&domains);
        let flow = if flows.len() == 1 { flows.swap_remove(0) } else { String::new() };
        let state = u32::from(messages > 0) + u32::from(passed > 0);
        let flow_word = self.literal_of(flow.as_bytes());
        let mut key = vec![4 + side as u32, u32::from(!self.host.is_empty()), state, u32::from(!domain.is_empty()), flow_word, u32::from(closed < u32::MAX)];
        let mut values = vec![0, facts::of_number(u64::from(passed)).unwrap_or(0)];
        let mut orders: Vec<(Vec<u32>, u32)> = vec![];
        for moment in moments.into_iter().map(Some).chain((passed == 0).then_some(None)) {
            let mut order = vec![];
            if self.order(&life, moment, &mut order).is_none() {
                return Ok(None);
            }
            if !orders.iter().any(|(known, _)| *known == order) {
                orders.push((order, moment.unwrap_or(0)));
            }
        }
        if orders.len() > MOST_ORDERS {
            return Ok(None);
        }
        orders.sort_unstable();
        key.push(orders.len() as u32);
        orders.iter().for_each(|(order, _)| key.extend(order));
        if self.shape(&life.facts, SHOWN, user, &mut key, &mut values)?.is_none() {
            return Ok(None);
        }
        let told = || orders.iter().fold(format!("{state} {} {user} {flow}:", u32::from(!domain.is_empty())), |told, (_, moment)| format!("{told} {moment}"));
        key.extend(names);
        let Some(part) = self.know(key, 4 + side as u32, id, told) else { return Ok(None) };
        if self.is_wanted(first, last) {
            let shown = |place: usize| part.0[0].0.iter().any(|&(_, one)| one == self.table.first_own + place);
            let times: Vec<u32> = [(2, opened), (3, closed)].into_iter().filter(|&(place, _)| shown(place)).map(|(_, time)| time).collect();
            let (parts, own) = ([(&**part, &values[..], None, domain)], (id, opened, closed));
            match self.groups {
                Some(_) => self.count(OF_CONNECTIONS, &parts, b"", Some(domain), [&times, &[]], own),
                None => out.extend(self.line(&parts, b"", own)),
            }
        }
        Ok(Some(()))
    }

    /// Add the record of a message; false where it is for Python.
    pub fn record(&mut self, mid: u64, out: &mut Vec<u8>) -> PyResult<bool> {
        let told = self.told(mid, out)?.is_some();
        self.shaped += u64::from(told);
        Ok(told)
    }

    fn told(&mut self, mid: u64, out: &mut Vec<u8>) -> PyResult<Option<()>> {
        let Some(life) = self.plain(MESSAGES, mid) else { return Ok(None) };
        let Some(tries) = self.tries(&life) else { return Ok(None) };
        let Some(both) = self.halves(mid, &life)? else { return Ok(None) };
        let (halves, all) = &*both;
        let mut deliveries = vec![];
        for (number, one) in tries.iter().enumerate() {
            let mut domains = vec![];
            if self.domains(&one.rids, &halves[1].1, &all[1], &mut domains).is_none() {
                return Ok(None);
            }
            let domain = Self::shared(&domains).to_vec();
            let passed = one.begun || self.view.met(1, one.id).is_some_and(|met| met.passed);
            let flags = u32::from(one.begun) | u32::from(one.response != 0) << 1 | u32::from(!domain.is_empty()) << 2 | u32::from(passed) << 3;
            let (mut key, mut values) = (roomy([2, flags, one.ended, one.rids.len() as u32]), roomy([0, 0, one.response, 0]));
            for &rid in &one.rids {
                let Some(rid) = facts::of_number(rid) else { return Ok(None) };
                values.push(rid);
            }
            if one.id != 0 {
                values[0] = facts::of_number(one.id).unwrap_or(0);
                if self.side(1, one.id, one.time, mid, &mut key, &mut values)?.is_none() {
                    return Ok(None);
                }
            }
            let Some(part) = self.know(key, 2 + u32::from(passed), mid, || number.to_string()) else { return Ok(None) };
            deliveries.push((part, values, one.time, domain));
        }
        let done: BTreeSet<String> = deliveries.iter().filter_map(|(part, ..)| part.2.clone()).collect();
        let words = match self.delivered.get(&done) {
            Some(words) => words.clone(),
            None => {
                let words: Vec<u8> = Python::attach(|py| self.ask.bind(py).call_method1("delivered", (&done,))?.extract())?;
                let words = Rc::new(words);
                self.delivered.insert(done, words.clone());
                words
            }
        };
        let own = (mid, life.first, life.last);
        if !self.is_wanted(life.first, life.last) {
            return Ok(Some(()));
        }
        let mut domains = vec![];
        let is_plain = self.groups.is_some() && self.domain_of(SENDER, &halves[1].1, &all[1], &mut domains).is_some();
        let domain = Self::shared(&domains);
        let mut parts: Vec<Portion> = vec![(&halves[0], &all[0], None, b""), (&halves[1], &all[1], None, domain)];
        parts.extend(deliveries.iter().map(|(part, values, time, domain)| (&***part, &values[..], Some(*time), &domain[..])));
        if self.groups.is_some() {
            let times: Vec<u32> = tries.iter().map(|one| one.time).collect();
            self.count(OF_MESSAGES, &parts, &words, is_plain.then_some(domain), [&[life.first, life.last], &times], own);
        } else {
            out.extend(self.line(&parts, &words, own));
        }
        Ok(Some(()))
    }

    /// Return a whole record: of a connection, or of a message, with the words in front of its deliveries.
    fn line(&self, parts: &[Portion], words: &[u8], own: Own) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 * ROOM);
        out.push(b'{');
        match parts {
            [received, envelope, tries @ ..] => {
                for (part, number) in [(Some(received), 0), (Some(envelope), 0), (None, 0), (Some(received), 1), (Some(envelope), 1)] {
                    let start = out.len();
                    match part {
                        Some(part) => {
                            self.put(&mut out, part.0 .0.get(number), part, own);
                        }
                        None => {
                            out.extend_from_slice(words);
                            for (at, part) in tries.iter().enumerate() {
                                if at > 0 {
                                    out.push(b',');
                                }
                                self.put(&mut out, part.0 .0.first(), part, own);
                            }
                            out.push(b']');
                        }
                    }
                    if out.len() > start {
                        out.push(b',');
                    }
                }
                out.pop();
            }
            _ => {
                parts.iter().all(|part| self.put(&mut out, part.0 .0.first(), part, own));
            }
        }
        out.extend_from_slice(b"}\n");
        out
    }

    /// Add one text of a part of a record: of a delivery at a time, or of a connection or a message by itself.
    fn write(&self, out: &mut Vec<u8>, text: &GivenText, values: &[Value], own: Own, time: Option<u32>, domain: &[u8]) {
        for (text, place) in &text.0 {
            out.extend_from_slice(text);
            match (place.checked_sub(self.table.first_own), time) {
                (Some(0), _) => drop(write!(out, "{}", own.0)),
                (Some(1), _) => out.extend_from_slice(self.host),
                (Some(2), _) => json::stamp(out, own.1),
                (Some(SENDERS_DOMAIN), _) => drop(json::text(out, domain, self.marks)),
                (Some(_), _) => json::stamp(out, own.2),
                (None, Some(time)) if *place == TIME_PLACE => json::stamp(out, time),
                _ if !domain.is_empty() && *place == DOMAIN_PLACES[usize::from(time.is_none())] => drop(json::text(out, domain, self.marks)),
                _ if (LISTED..self.table.first_own).contains(place) => drop(json::text(out, self.address(values, *place).unwrap_or(b""), self.marks)),
                _ => {
                    let value = values.get(*place).copied().unwrap_or(0);
                    match as_number(value) {
                        Some(number) => drop(write!(out, "{number}")),
                        None => drop(json::text(out, &self.view.text(value).unwrap_or_default(), self.marks)),
                    }
                }
            }
        }
        out.extend_from_slice(&text.1);
    }
}
