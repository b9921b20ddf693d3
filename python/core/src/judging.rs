//! Facts -> what is said of messages and connections that are ordinary. Which ones are, and what their records say, is told by Python, which judges all others too.
mod records;

use crate::facts::{number, Fact, View, MENTION, MESSAGES};
use crate::groups::{absorb, told, Family, Known, Span};
use crate::json;
use hashbrown::HashMap;
use memchr::memrchr;
use pyo3::call::PyCallArgs;
use pyo3::conversion::FromPyObjectOwned;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

/// What an ordinary life has of one kind of fact.
#[derive(FromPyObject)]
pub struct Rule {
    /// How many; 0: any number.
    most: usize,
    flags: u32,
    /// The store of the id that the first value is.
    names: Option<usize>,
    /// Of which values it matters how they stand, beside whether they are there.
    literal: Vec<bool>,
    /// For each value a number for what it tells of a connection, 0 for nothing: facts that tell the same tell the same value.
    tells: Vec<usize>,
}

const TIMED: u32 = 1;
const AT_ONCE: u32 = 2;
const SEEN: u32 = 4;
const STARTS: u32 = 8;
const BEGINS: u32 = 16;
const INHERITS: u32 = 32;
const ACCEPTS: u32 = 64;
const CLOSES: u32 = 128;
const SENDS: u32 = 256;
const PASSES: u32 = 512;
const OWNS: u32 = 1024;

/// Why there is no record: what is not ordinary is for Python, or Python has failed.
pub enum Not {
    Ordinary,
    Possible(PyErr),
}

impl From<PyErr> for Not {
    fn from(error: PyErr) -> Self {
        Not::Possible(error)
    }
}

type Plain<T> = Result<T, Not>;

/// Go on only where something holds of what is ordinary.
fn only(holds: bool) -> Plain<()> {
    holds.then_some(()).ok_or(Not::Ordinary)
}

/// Return what is ordinary, None where it is not.
pub fn ordinary<T>(found: Plain<T>) -> PyResult<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Not::Ordinary) => Ok(None),
        Err(Not::Possible(error)) => Err(error),
    }
}

/// What makes lives ordinary: a rule for each code, and seconds, within which two openings are one, and after which an id is another's.
pub struct Table {
    pub rules: Vec<Option<Rule>>,
    pub same: u32,
    pub silence: u32,
}

impl Table {
    pub fn rule(&self, code: u8) -> Option<&Rule> {
        self.rules.get(usize::from(code))?.as_ref()
    }

    /// Return what a fact of a message names: in which store, and whether mail passed then, or what it was made from was accepted.
    pub fn names(&self, code: u8) -> Option<(usize, bool)> {
        self.rule(code).and_then(|rule| Some((rule.names?, rule.flags & PASSES != 0)))
    }
}

/// A text of a part of a record: pieces, each with the place of the value behind it, and the rest.
type Text = (Vec<(Vec<u8>, usize)>, Vec<u8>);

/// What Python tells of a shape: a part of a record.
#[derive(FromPyObject)]
pub struct Part {
    texts: Vec<Text>,
    /// Where the address of each recipient stands, and that of the sender (`SENDER`).
    people: Vec<(u64, usize)>,
    /// Texts that list addresses, and where these begin behind all values.
    lists: Vec<(usize, usize)>,
    /// A bit for the verdict on a delivery that is done, or for the mail flow of what was received.
    mark: u32,
    /// What is counted together, for each family (`groups`); None for what is by itself.
    keys: Vec<Option<Text>>,
}

/// A delivery: which of the facts of deliveries has its connection, its time and its response; what its shape is (`records`); to whom.
type Try = (usize, u32, Vec<u64>);

/// A number for what a fact is to each part of a record: of a message (`RECEIVED`, `ENVELOPE`, `DELIVERY`), or of a connection (`BESIDE` a message, `ALONE`).
type Classes = [u32; 3];
const RECEIVED: usize = 0;
const ENVELOPE: usize = 1;
const DELIVERY: usize = 2;
const BESIDE: usize = 0;
const ALONE: usize = 1;
/// No part of it, and not ordinary there.
const NONE: u32 = 0;
const ODD: u32 = u32::MAX;

/// What one thread has learned from Python, and counted.
#[pyclass(module = "esatls_core")]
#[derive(Default)]
pub struct Learned {
    classes: HashMap<Vec<u8>, Option<Classes>>,
    parts: HashMap<Vec<u32>, Option<Arc<Part>>>,
    tries: HashMap<Vec<u32>, Option<Arc<Vec<Try>>>>,
    words: HashMap<u32, Arc<Vec<u8>>>,
    /// What is counted of records, if they are only counted.
    families: Vec<Family>,
    known: Known,
}

#[pymethods]
impl Learned {
    #[new]
    fn new(families: Vec<Family>) -> Self {
        Learned { families, ..Learned::default() }
    }

    /// Return what this thread and others have counted, and forget it.
    fn take<'py>(&mut self, py: Python<'py>, others: Vec<PyRefMut<'py, Learned>>) -> Vec<(usize, u64, Vec<Span>, Bound<'py, PyBytes>)> {
        let mut known = std::mem::take(&mut self.known);
        others.into_iter().for_each(|mut other| absorb(&mut known, std::mem::take(&mut other.known), &self.families));
        told(known, py)
    }
}

/// Answers of Python's that are kept; it knows them still, or will not have more.
const MOST_LEARNED: usize = 50_000;
/// As many as may stay in the processor's cache.
const MOST_LIVES: usize = 300;
const MOST_DEPTH: u32 = 4;
/// Numbers and values of most shapes. Of more values, a vector would be too large for what the allocator has at hand.
const ROOM: usize = 40;
/// The sender, among the people of an envelope.
const SENDER: u64 = u64::MAX;
/// Where the domain of a partner stands, behind a record's other own values: id, host, two times.
const DOMAIN: usize = 4;

/// A span of time that holds none.
const NEVER: (u32, u32) = (u32::MAX, 0);

type Values<'a> = Vec<Cow<'a, [u8]>>;

/// A part of a record with its values.
struct Filled<'a> {
    part: Arc<Part>,
    values: Values<'a>,
}

/// What the facts of an id say, and what those say that mention it.
struct Life<'a> {
    facts: Vec<Fact<'a>>,
    flags: u32,
    /// When it was seen, when by its own facts, and when what it begins with.
    all: (u32, u32),
    seen: (u32, u32),
    begun: (u32, u32),
    closed: u32,
    /// Whether mail passed, or a copy was made of what was accepted.
    passed: bool,
    /// The messages that mention it.
    users: Vec<u64>,
    /// Of a message: how it was received, and its envelope.
    halves: OnceCell<Option<Rc<[Filled<'a>; 2]>>>,
}

impl<'a> Life<'a> {
    fn find(&self, table: &Table, flag: u32) -> Option<&Fact<'a>> {
        self.facts.iter().find(|fact| table.rule(fact.code).is_some_and(|rule| rule.flags & flag != 0))
    }
}

pub struct Judge<'a> {
    pub table: &'a Table,
    pub view: View<'a>,
    /// Seconds: what is asked for was seen in these.
    pub range: (i64, i64),
    pub host: &'a [u8],
    pub ask: &'a Py<PyAny>,
    pub learned: &'a mut Learned,
    /// Lines of records; of those that are counted by themselves, for each family.
    pub out: Vec<Vec<u8>>,
    /// What others may need soon.
    lives: HashMap<(usize, u64), Option<Rc<Life<'a>>>>,
    /// Where keys are made.
    room: Vec<u8>,
}

impl<'a> Judge<'a> {
    pub fn new(table: &'a Table, view: View<'a>, range: (i64, i64), host: &'a [u8], ask: &'a Py<PyAny>, learned: &'a mut Learned) -> Judge<'a> {
        let out = vec![vec![]; learned.families.len().max(1)];
        Judge { table, view, range, host, ask, learned, out, lives: HashMap::new(), room: vec![] }
    }

    fn ask<T: for<'py> FromPyObjectOwned<'py>>(&self, name: &str, arguments: impl for<'py> PyCallArgs<'py>) -> PyResult<T> {
        Python::attach(|py| self.ask.bind(py).call_method1(name, arguments)?.extract().map_err(Into::into))
    }

    fn flags(&self, fact: &Fact) -> u32 {
        self.table.rule(fact.code).map_or(0, |rule| rule.flags)
    }

    /// Return the id of one kind that a fact of a message names.
    fn named(&self, fact: &Fact, store: usize) -> Option<u64> {
        self.table.names(fact.code).filter(|(named, _)| *named == store).and_then(|_| fact.number(0))
    }

    /// Return what is said of a message, or of a connection.
    fn plain(&mut self, store: usize, id: u64) -> Plain<Rc<Life<'a>>> {
        if let Some(known) = self.lives.get(&(store, id)) {
            return known.clone().ok_or(Not::Ordinary);
        }
        if self.lives.len() >= MOST_LIVES {
            self.lives.clear();
        }
        let found = ordinary(self.life(store, id))?.map(Rc::new);
        self.lives.insert((store, id), found.clone());
        found.ok_or(Not::Ordinary)
    }

    fn life(&mut self, store: usize, id: u64) -> Plain<Life<'a>> {
        let (facts, mut over) = (self.view.facts(store, id), None);
        let (flags, all, seen, begun, closed, passed, users, halves) = (0, NEVER, NEVER, NEVER, u32::MAX, false, vec![], OnceCell::new());
        let mut life = Life { facts, flags, all, seen, begun, closed, passed, users, halves };
        let own = life.facts.partition_point(|fact| fact.code != MENTION);
        for fact in life.facts.drain(own..) {
            life.users.extend(fact.mid());
            life.passed |= fact.text(1).is_some();
            widen(&mut life.all, fact.time, store < MESSAGES);
        }
        for fact in &mut life.facts {
            let rule = self.table.rule(fact.code).filter(|rule| rule.literal.len() == fact.count()).ok_or(Not::Ordinary)?;
            fact.classes = self.classes(rule, fact)?.ok_or(Not::Ordinary)?;
            life.flags |= rule.flags;
            widen(&mut life.all, fact.time, rule.flags & SEEN != 0);
            widen(&mut life.seen, fact.time, rule.flags & SEEN != 0);
            widen(&mut life.begun, fact.time, rule.flags & BEGINS != 0);
            if rule.flags & CLOSES != 0 {
                life.closed = life.closed.min(fact.time);
            }
            only(rule.names != Some(0) || *over.get_or_insert_with(|| fact.value(0)) == fact.value(0))?;
        }
        let ((first, last), (early, late), same) = (life.all, life.begun, self.table.same);
        let is_many = |same: &[Fact]| self.table.rule(same[0].code).is_some_and(|rule| (1..same.len()).contains(&rule.most));
        only(!life.facts.chunk_by(|one, other| one.code == other.code).any(is_many))?;
        only((first <= last && last - first <= self.table.silence) || life.facts.is_empty())?;
        only(early > late || (first.saturating_add(same) >= early && late - early <= same))?;
        Ok(life)
    }

    /// Return what a fact is to the parts of a record; None where it is not ordinary.
    fn classes(&mut self, rule: &Rule, fact: &Fact) -> PyResult<Option<Classes>> {
        let mut key = std::mem::take(&mut self.room);
        key.clear();
        key.push(fact.code);
        for (place, &is_literal) in rule.literal.iter().enumerate() {
            let text = fact.text(place);
            key.push(state(text));
            if let Some(text) = text.filter(|_| is_literal) {
                key.extend_from_slice(&text.len().to_le_bytes());
                key.extend_from_slice(text);
            }
        }
        let found = match self.learned.classes.get(&key) {
            Some(known) => *known,
            None => {
                let texts: Vec<Option<&[u8]>> = fact.texts().collect();
                let told = self.ask("classes", (fact.code, texts))?;
                with_room(&mut self.learned.classes).insert(key.clone(), told);
                told
            }
        };
        self.room = key;
        Ok(found)
    }

    /// Add what facts tell of the shape of a part of a record, and their values.
    fn shape(&self, life: &Life<'a>, part: usize, mid: u64, key: &mut Vec<u32>, values: &mut Values<'a>) -> Plain<()> {
        for fact in life.facts.iter().filter(|fact| fact.classes[part] != NONE) {
            only(fact.classes[part] != ODD)?;
            key.push(fact.classes[part]);
            if self.flags(fact) & OWNS != 0 {
                key.push(u32::from(fact.number(0) == Some(mid)));
            }
            values.push(Cow::default()); // in place of its time
            values.extend((0..fact.count()).map(|place| fact.value(place).unwrap_or_default()));
        }
        key.push(u32::MAX);
        Ok(())
    }

    /// Add when a connection said what matters by its time: in which order, and before, within or after the second in which mail passed, if any did.
    fn order(&self, life: &Life, moment: Option<u32>, key: &mut Vec<u32>) -> Plain<()> {
        let timed = life.facts.iter().filter(|fact| self.flags(fact) & TIMED != 0);
        for (place, one) in timed.clone().enumerate() {
            only(!timed.clone().take(place).any(|other| (one.time, one.code) == (other.time, other.code)))?;
            let is_at_once = self.flags(one) & AT_ONCE != 0;
            key.extend(moment.map(|moment| if is_at_once { u32::from(one.time > moment) } else { one.time.cmp(&moment) as u32 }));
        }
        ranks(key, timed.map(|fact| fact.time));
        Ok(())
    }

    /// Add what a connection tells of the shape of a message whose mail passed at a time.
    fn beside(&mut self, side: usize, id: u64, time: u32, mid: u64, key: &mut Vec<u32>, values: &mut Values<'a>) -> Plain<()> {
        let life = self.plain(side, id)?;
        self.order(&life, Some(time), key)?;
        self.shape(&life, BESIDE, mid, key, values)
    }

    /// Add what tells one part of a record, with what the message was made from.
    fn part(&mut self, part: usize, mid: u64, life: &Life<'a>, key: &mut Vec<u32>, values: &mut Values<'a>, depth: u32) -> Plain<()> {
        self.shape(life, part, mid, key, values)?;
        if part == RECEIVED {
            let is_over = life.facts.iter().any(|fact| self.named(fact, 0) > Some(0));
            key.extend([u32::from(life.flags & ACCEPTS != 0 || life.passed), u32::from(is_over)]);
            if let Some(start) = life.find(self.table, STARTS) {
                match start.number(0).filter(|&id| id > 0) {
                    Some(id) => self.beside(0, id, start.time, mid, key, values)?,
                    None => key.push(self.ask("is_own", (life.find(self.table, SENDS).and_then(|fact| fact.text(1)),))?),
                }
            }
        }
        let Some(origin) = life.find(self.table, INHERITS) else { return Ok(()) };
        let parent = origin.number(0).ok_or(Not::Ordinary)?;
        let life = self.plain(MESSAGES, parent)?;
        if life.facts.is_empty() {
            key.push(u32::MAX - 1);
            return Ok(());
        }
        only(life.all.0 <= origin.time && depth < MOST_DEPTH)?;
        self.part(part, parent, &life, key, values, depth + 1)
    }

    /// Return the part of a record that has a shape, asking Python for one that is not known.
    fn know(&mut self, kind: usize, mut key: Vec<u32>, id: u64, told: impl FnOnce() -> Vec<u64>) -> Plain<Arc<Part>> {
        key.extend([kind as u32, u32::from(!self.host.is_empty())]);
        if let Some(part) = self.learned.parts.get(&key) {
            return part.clone().ok_or(Not::Ordinary);
        }
        let part: Option<Part> = self.ask("learn", (kind, id, told(), &key[..]))?;
        with_room(&mut self.learned.parts).entry(key).insert(part.map(Arc::new)).get().clone().ok_or(Not::Ordinary)
    }

    /// Return the values that a record has of its own, which one part of it shows: id, host, two times, and room for a domain.
    fn own(&self, shown: Option<(u64, (u32, u32))>) -> Values<'a> {
        let mut values = Vec::with_capacity(ROOM);
        if let Some((id, (first, last))) = shown {
            values.extend([Cow::Owned(id.to_string().into()), Cow::Borrowed(self.host), stamp(first), stamp(last)]);
        }
        values.resize(DOMAIN + 1, Cow::default());
        values
    }

    /// Return how a message was received and its envelope.
    fn halves(&mut self, mid: u64, life: &Life<'a>) -> Plain<Rc<[Filled<'a>; 2]>> {
        if life.halves.get().is_none() {
            let both = self.half(RECEIVED, mid, life).and_then(|received| Ok([received, self.half(ENVELOPE, mid, life)?]));
            let _ = life.halves.set(ordinary(both)?.map(Rc::new));
        }
        life.halves.get().cloned().flatten().ok_or(Not::Ordinary)
    }

    fn half(&mut self, part: usize, mid: u64, life: &Life<'a>) -> Plain<Filled<'a>> {
        let own = if part == RECEIVED { Some((mid, life.all)) } else { None };
        let (mut key, mut values) = (Vec::with_capacity(ROOM), self.own(own));
        self.part(part, mid, life, &mut key, &mut values, 0)?;
        let part = self.know(part, key, mid, Vec::new)?;
        for &(place, start) in &part.lists {
            let listed: Vec<Vec<u8>> = self.ask("listed", (&values[place][..],))?;
            values.resize(start, Cow::default());
            values.extend(listed.into_iter().map(Cow::Owned));
        }
        let (mut found, mut domain) = (Filled { part, values }, None);
        if !self.learned.families.is_empty() {
            // one that is not ASCII has no domain here, and is counted by itself
            let is_plain = found.share([SENDER], &mut domain).is_ok();
            found.values[DOMAIN] = if is_plain { Cow::Owned(domain.unwrap_or_default()) } else { Cow::Borrowed(b"\0") };
        }
        Ok(found)
    }

    /// Return the deliveries of a message in their order, by the facts that tell of them.
    fn tries(&mut self, mid: u64, facts: &[&Fact]) -> Plain<Arc<Vec<Try>>> {
        let mut key: Vec<u32> = facts.iter().map(|fact| fact.classes[DELIVERY]).collect();
        ranks(&mut key, facts.iter().map(|fact| fact.time));
        ranks(&mut key, facts.iter().map(|fact| fact.number(0)));
        ranks(&mut key, facts.iter().map(|fact| fact.text(2)));
        if let Some(known) = self.learned.tries.get(&key) {
            return known.clone().ok_or(Not::Ordinary);
        }
        let found: Option<Vec<Try>> = self.ask("tries", (mid, &key[..]))?;
        with_room(&mut self.learned.tries).entry(key).insert(found.map(Arc::new)).get().clone().ok_or(Not::Ordinary)
    }
}

impl Filled<'_> {
    /// Look at the domains of some people of an envelope: the one that they share with those of before is `found`, or nothing.
    fn share(&self, who: impl IntoIterator<Item = u64>, found: &mut Option<Vec<u8>>) -> Plain<()> {
        who.into_iter().try_for_each(|who| {
            let Some(&(_, place)) = self.part.people.iter().find(|(one, _)| *one == who) else { return Ok(()) };
            let address = &self.values[place];
            let domain = memrchr(b'@', address).map_or(&b""[..], |at| &address[at + 1..]);
            match found {
                Some(known) if !known.eq_ignore_ascii_case(domain) => known.clear(),
                Some(_) => {}
                None => *found = Some(domain.to_ascii_lowercase()),
            }
            only(address.is_ascii())
        })
    }
}

/// Return what may matter of a value that matters by no more than that.
fn state(text: Option<&[u8]>) -> u8 {
    match text {
        None => 0,
        Some(b"") => 1,
        Some(b"0") => 2,
        Some(text) if number(text).is_some() => 3,
        Some(text) if !text.ends_with(b".") && text.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) => 4,
        Some(_) => 5,
    }
}

/// Forget what was learned, if it is too much.
fn with_room<K, V>(learned: &mut HashMap<K, V>) -> &mut HashMap<K, V> {
    if learned.len() >= MOST_LEARNED {
        learned.clear();
    }
    learned
}

fn stamp(time: u32) -> Cow<'static, [u8]> {
    let mut text = Vec::with_capacity(20);
    json::stamp(&mut text, time);
    Cow::Owned(text)
}

/// Add the rank of each of some.
fn ranks<T: Ord>(key: &mut Vec<u32>, all: impl Iterator<Item = T> + Clone) {
    key.extend(all.clone().map(|one| all.clone().filter(|other| *other < one).count() as u32));
}

/// Have a span of time hold another time, if it counts.
fn widen(span: &mut (u32, u32), time: u32, counts: bool) {
    if counts {
        *span = (span.0.min(time), span.1.max(time));
    }
}
