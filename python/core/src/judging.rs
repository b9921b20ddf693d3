//! Facts -> records of ordinary messages and connections. Python says which ones are ordinary and what their records look like, and judges all others itself.
mod records;

use crate::facts::{number, user, Fact, Facts, MENTION};
use crate::groups::{Counted, Family, Group};
use crate::told::*;
use hashbrown::HashMap;
use memchr::memrchr;
use pyo3::call::PyCallArgs;
use pyo3::conversion::FromPyObjectOwned;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

create_exception!(esatls_core, Odd, PyException, "Not ordinary: left to Python.");

fn odd() -> PyErr {
    Odd::new_err(())
}

/// Leave it to Python unless a condition holds.
fn require(holds: bool) -> PyResult<()> {
    holds.then_some(()).ok_or_else(odd)
}

/// Turn `Odd` into None.
pub fn ordinary<T>(found: PyResult<T>) -> PyResult<Option<T>> {
    match found {
        Err(error) if Python::attach(|py| error.is_instance_of::<Odd>(py)) => Ok(None),
        found => found.map(Some),
    }
}

/// What an ordinary life may have of the facts of one code.
#[derive(FromPyObject)]
pub struct Rule {
    /// How many facts; 0: any number.
    most: usize,
    flags: u32,
    /// What matters about each value: only whether it is there, its look (`LOOK`), or the value itself (`LITERAL`).
    matters: Vec<u8>,
    /// For each value, which property of the connection it states (0: none).
    tells: Vec<usize>,
}

/// What makes a life ordinary: a rule for each code; the seconds within which two openings are one; the seconds of silence after which an id is a new one.
#[derive(FromPyObject)]
pub struct Table {
    rules: Vec<Option<Rule>>,
    same: u32,
    silence: u32,
}

impl Table {
    fn rule(&self, code: u8) -> Option<&Rule> {
        self.rules.get(usize::from(code))?.as_ref()
    }

    /// Return the kind of the id that facts of this code name, and whether mail passed.
    pub fn names(&self, code: u8) -> Option<(usize, bool)> {
        let flags = self.rule(code)?.flags;
        Some(((0..STORES).find(|kind| flags & NAMES << kind != 0)?, flags & PASSES != 0))
    }
}

/// A template: pieces, each followed by the value at a place, and the rest.
type Text = (Vec<(Vec<u8>, usize)>, Vec<u8>);

/// What Python says of a shape: how this part of the record is written.
#[derive(FromPyObject)]
pub struct Part {
    /// Of the record, then by family (`groups`) what records that are counted together have in common. Of a message's halves, the second text stands behind
    /// the deliveries.
    forms: Vec<Vec<Text>>,
    /// The place of each recipient's address, by RID, and of the sender's (`SENDER`).
    people: Vec<(u64, usize)>,
    /// Values that are lists of addresses, and the place from which on these are appended.
    lists: Vec<(usize, usize)>,
    /// A bit for the verdict of a completed delivery, or for the mail flow of a received message.
    mark: u32,
}

/// A delivery: the number of the fact with its connection, time and response; the bits of its shape; the RIDs.
type Try = (usize, u32, Vec<u64>);

/// What a fact means to the parts of records, as numbers. Of a message: `RECEIVED_PART`, `ENVELOPE_PART` and `DELIVERY`. Of a connection: in the record of a
/// message (`BESIDE`), and in its own (`ALONE`).
type Classes = [u32; 3];
const DELIVERY: usize = 2;
const BESIDE: usize = 0;
const ALONE: usize = 1;

/// Answers of Python, by question; None: not ordinary.
type Answers<T> = HashMap<Vec<u32>, Option<T>>;

/// What one thread has learned from Python, and what it has counted.
#[pyclass(module = "esatls_core")]
#[derive(Default)]
pub struct Learned {
    classes: Answers<Classes>,
    parts: Answers<Arc<Part>>,
    tries: Answers<Arc<Vec<Try>>>,
    origins: Answers<u32>,
    words: Answers<Arc<Vec<u8>>>,
    /// How records are counted; empty: they are written.
    families: Vec<Family>,
    known: HashMap<Vec<u8>, Group>,
}

#[pymethods]
impl Learned {
    #[new]
    fn new(families: Vec<Family>) -> Self {
        Learned { families, ..Learned::default() }
    }

    /// Return what was counted, and forget it.
    fn take(&mut self) -> Vec<Counted> {
        self.known.drain().map(|(key, group)| (key, group.count, group.spans)).collect()
    }
}

/// Answers kept of each kind; Python keeps them too.
const MOST_LEARNED: usize = 50_000;
/// Lives kept: as many as fit into the processor's cache.
const MOST_LIVES: usize = 300;
const MOST_DEPTH: u32 = 4;
/// Room for the numbers and values of most shapes; larger vectors are slower to allocate.
const ROOM: usize = 40;
/// An empty span of time.
pub const NEVER: (u32, u32) = (u32::MAX, 0);

/// A value of a record; formatted only if the record shows it.
#[derive(Clone)]
enum Value<'a> {
    Text(Cow<'a, [u8]>),
    Number(u64),
    Time(u32),
}

const NOTHING: Value = Value::Text(Cow::Borrowed(b""));

impl Value<'_> {
    fn text(&self) -> &[u8] {
        match self {
            Value::Text(text) => text,
            _ => b"",
        }
    }
}

/// The key of a shape, and the values that its part of the record may show.
struct Shape<'a> {
    key: Vec<u32>,
    values: Vec<Value<'a>>,
}

impl<'a> Shape<'a> {
    /// Start with the record's own values.
    fn new(own: impl IntoIterator<Item = Value<'a>>) -> Self {
        let mut shape = Shape { key: Vec::with_capacity(ROOM), values: Vec::with_capacity(ROOM) };
        shape.values.extend(own);
        shape
    }

    /// Add the facts of a life that matter to a part of the record of message `mid`.
    fn add(&mut self, life: &Life<'a>, part: usize, mid: u64) -> PyResult<()> {
        for fact in life.facts.iter().filter(|fact| fact.classes[part] != NO_PART) {
            require(fact.classes[part] != ODD_PART)?;
            self.key.push(fact.classes[part]);
            self.key.extend((fact.flags & OWNS != 0).then(|| u32::from(fact.number(0) == Some(mid))));
            self.values.push(NOTHING); // the place of its time
            self.values.extend((0..fact.count()).map(|place| Value::Text(fact.value(place))));
        }
        self.key.push(u32::MAX);
        Ok(())
    }
}

/// Return a record's own values, with room for a domain.
fn own(id: u64, host: &[u8], (first, last): (u32, u32)) -> [Value<'_>; DOMAIN + 1] {
    [Value::Number(id), Value::Text(Cow::Borrowed(host)), Value::Time(first), Value::Time(last), NOTHING]
}

/// Add the order of a connection's timed facts, and whether each came before, in or after the second in which mail passed (`moment`).
fn order(key: &mut Vec<u32>, life: &Life, moment: Option<u32>) -> PyResult<()> {
    let timed = life.facts.iter().filter(|fact| fact.flags & TIMED != 0);
    for (place, one) in timed.clone().enumerate() {
        require(!timed.clone().take(place).any(|other| (one.time, one.code) == (other.time, other.code)))?;
        let is_at_once = one.flags & AT_ONCE != 0;
        key.extend(moment.map(|moment| if is_at_once { u32::from(one.time > moment) } else { one.time.cmp(&moment) as u32 }));
    }
    ranks(key, timed.map(|fact| fact.time));
    Ok(())
}

/// Add the rank of each.
fn ranks<T: Ord>(key: &mut Vec<u32>, all: impl Iterator<Item = T> + Clone) {
    key.extend(all.clone().map(|one| all.clone().filter(|other| *other < one).count() as u32));
}

/// A part of a record with its values.
struct Filled<'a> {
    part: Arc<Part>,
    values: Vec<Value<'a>>,
}

impl Filled<'_> {
    /// Tell whether the record has the value at a place.
    fn shows(&self, place: usize) -> bool {
        self.part.forms[0].iter().any(|(pieces, _)| pieces.iter().any(|&(_, one)| one == place))
    }

    /// Narrow `found` to the domain that these people share with those seen before; empty if they differ.
    fn share_domain(&self, who: &[u64], found: &mut Option<Vec<u8>>) -> PyResult<()> {
        for (_, place) in who.iter().filter_map(|who| self.part.people.iter().find(|(one, _)| one == who)) {
            let address = self.values[*place].text();
            let domain = memrchr(b'@', address).map_or(&b""[..], |at| &address[at + 1..]);
            match found {
                Some(known) if !known.eq_ignore_ascii_case(domain) => known.clear(),
                Some(_) => {}
                None => *found = Some(domain.to_ascii_lowercase()),
            }
            require(address.is_ascii() && !address.ends_with(b"."))?;
        }
        Ok(())
    }
}

/// What is known of an id: its facts, and the facts that mention it.
#[derive(Default)]
struct Life<'a> {
    facts: Vec<Fact<'a>>,
    flags: u32,
    /// The span of its own facts.
    seen: (u32, u32),
    closed: u32,
    /// Whether mail passed, or an accepted message was copied from it.
    passed: bool,
    /// The messages that mention it.
    users: BTreeSet<u64>,
    /// Of a message: its received part and its envelope.
    halves: OnceCell<Option<Rc<[Filled<'a>; 2]>>>,
}

impl<'a> Life<'a> {
    fn find(&self, flag: u32) -> Option<&Fact<'a>> {
        self.facts.iter().find(|fact| fact.flags & flag != 0)
    }
}

/// Return the id of this kind that a fact of a message names.
fn named(fact: &Fact, kind: usize) -> Option<u64> {
    fact.number(0).filter(|_| fact.flags & NAMES << kind != 0)
}

/// Which records are wanted.
#[derive(FromPyObject)]
pub struct Wanted {
    /// The appliance: its first store and its name.
    first: usize,
    name: Vec<u8>,
    /// The time range in seconds; the end is not in it.
    range: (i64, i64),
}

pub struct Judge<'a> {
    table: &'a Table,
    facts: &'a Facts,
    of: &'a Wanted,
    ask: &'a Py<PyAny>,
    learned: &'a mut Learned,
    /// Records, one a line; when counting, for each family those that are counted by themselves.
    pub out: Vec<Vec<u8>>,
    /// Lives read lately.
    lives: HashMap<(usize, u64), Option<Rc<Life<'a>>>>,
    /// Scratch space for keys.
    room: Vec<u32>,
}

impl<'a> Judge<'a> {
    pub fn new(table: &'a Table, facts: &'a Facts, of: &'a Wanted, ask: &'a Py<PyAny>, learned: &'a mut Learned) -> Self {
        let out = vec![vec![]; learned.families.len().max(1)];
        Judge { table, facts, of, ask, learned, out, lives: HashMap::new(), room: vec![] }
    }

    fn ask<T: for<'py> FromPyObjectOwned<'py>>(&self, name: &str, arguments: impl for<'py> PyCallArgs<'py>) -> PyResult<T> {
        Python::attach(|py| self.ask.bind(py).call_method1(name, arguments)?.extract().map_err(Into::into))
    }

    /// Return Python's answer to a question, which it is asked only once.
    fn cached<T: Clone>(&mut self, of: fn(&mut Learned) -> &mut Answers<T>, key: &[u32], ask: impl FnOnce(&Self) -> PyResult<Option<T>>) -> PyResult<T> {
        let found = match of(self.learned).get(key) {
            Some(known) => known.clone(),
            None => {
                let told = ask(self)?;
                let answers = of(self.learned);
                if answers.len() >= MOST_LEARNED {
                    answers.clear();
                }
                answers.insert(key.to_vec(), told.clone());
                told
            }
        };
        found.ok_or_else(odd)
    }

    /// Return the life of a message or connection.
    fn life(&mut self, kind: usize, id: u64) -> PyResult<Rc<Life<'a>>> {
        if self.lives.len() >= MOST_LIVES {
            self.lives.clear();
        }
        if !self.lives.contains_key(&(kind, id)) {
            let found = ordinary(self.read_life(kind, id))?.map(Rc::new);
            self.lives.insert((kind, id), found);
        }
        self.lives[&(kind, id)].clone().ok_or_else(odd)
    }

    fn read_life(&mut self, kind: usize, id: u64) -> PyResult<Life<'a>> {
        let mut life = Life { facts: self.facts.of((self.of.first + kind, id)), seen: NEVER, closed: u32::MAX, ..Life::default() };
        let (mut all, mut passed, mut begun, mut over) = (NEVER, NEVER, NEVER, None);
        let own = life.facts.partition_point(|fact| fact.code != MENTION);
        for fact in life.facts.drain(own..) {
            life.users.extend(user(&fact));
            widen(&mut passed, fact.time, fact.text(1).is_some());
            widen(&mut all, fact.time, kind < MESSAGES);
        }
        life.passed = passed != NEVER;
        for fact in &mut life.facts {
            let rule = self.table.rule(fact.code).filter(|rule| rule.matters.len() == fact.count()).ok_or_else(odd)?;
            (fact.flags, fact.classes) = (rule.flags, self.classes(rule, fact)?);
            life.flags |= fact.flags;
            widen(&mut life.seen, fact.time, fact.flags & SEEN != 0);
            widen(&mut begun, fact.time, fact.flags & BEGINS != 0);
            if fact.flags & CLOSES != 0 {
                life.closed = life.closed.min(fact.time);
            }
            require(fact.flags & NAMES == 0 || *over.get_or_insert_with(|| fact.value(0)) == fact.value(0))?;
        }
        let uses = |is_delivery| life.facts.iter().any(|fact| (fact.classes[DELIVERY] != NO_PART) == is_delivery && named(fact, 1).is_some());
        require(kind < MESSAGES || !uses(false) || !uses(true))?; // a delivery may be the other line of a move to a quarantine
        let (first, last) = (all.0.min(life.seen.0), all.1.max(life.seen.1));
        let is_many = |same: &[Fact]| self.table.rule(same[0].code).is_some_and(|rule| (1..same.len()).contains(&rule.most));
        require(!life.facts.chunk_by(|one, other| one.code == other.code).any(is_many))?;
        require(if first > last { life.facts.is_empty() } else { last - first <= self.table.silence && first <= passed.0 })?;
        require(begun == NEVER || (first.saturating_add(self.table.same) >= begun.0 && begun.1 - begun.0 <= self.table.same))?;
        Ok(life)
    }

    /// Return the classes of a fact.
    fn classes(&mut self, rule: &Rule, fact: &Fact) -> PyResult<Classes> {
        let mut key = std::mem::take(&mut self.room);
        key.clear();
        key.push(u32::from(fact.code));
        for (text, &matters) in fact.texts().zip(&rule.matters) {
            key.push(text.map_or(0, |text| if matters >= LOOK { look(text) } else { 1 + u32::from(text.is_empty()) }));
            key.extend(text.filter(|_| matters == LITERAL).into_iter().flat_map(letters));
        }
        let found = self.cached(|learned| &mut learned.classes, &key, |judge| judge.ask("classes", (fact.code, fact.texts().collect::<Vec<_>>())));
        self.room = key;
        found
    }

    /// Add the connection over which mail of message `mid` passed at a time.
    fn beside(&mut self, side: usize, id: u64, time: u32, mid: u64, shape: &mut Shape<'a>) -> PyResult<()> {
        let life = self.life(side, id)?;
        order(&mut shape.key, &life, Some(time))?;
        shape.add(&life, BESIDE, mid)
    }

    /// Add a message to one part of a record, with the messages that it was made from.
    fn part(&mut self, part: usize, mid: u64, life: &Life<'a>, shape: &mut Shape<'a>, depth: u32) -> PyResult<()> {
        shape.add(life, part, mid)?;
        if part == RECEIVED_PART {
            let is_over = life.facts.iter().any(|fact| named(fact, 0) > Some(0));
            shape.key.extend([u32::from(life.flags & ACCEPTS != 0 || life.passed), u32::from(is_over)]);
            if let Some(start) = life.find(STARTS) {
                match start.number(0).filter(|&id| id > 0) {
                    Some(id) => self.beside(0, id, start.time, mid, shape)?,
                    None => shape.key.push(self.origin(life.find(SENDS).and_then(|fact| fact.text(1)))?),
                }
            }
        }
        let Some(origin) = life.find(INHERITS) else { return Ok(()) };
        let parent = origin.number(0).ok_or_else(odd)?;
        let life = self.life(MESSAGES, parent)?;
        if life.facts.is_empty() {
            shape.key.push(u32::MAX - 1);
            return Ok(());
        }
        require(life.seen.0 <= origin.time && depth < MOST_DEPTH)?;
        self.part(part, parent, &life, shape, depth + 1)
    }

    /// Return a number for who created a message that came over no connection.
    fn origin(&mut self, sender: Option<&[u8]>) -> PyResult<u32> {
        let key: Vec<u32> = [Some(&self.of.name[..]), sender].into_iter().flatten().flat_map(letters).collect();
        self.cached(|learned| &mut learned.origins, &key, |judge| judge.ask("is_own", (sender,)))
    }

    /// Return the part of the record for a shape, learning it from Python.
    fn part_for(&mut self, kind: usize, shape: Shape<'a>, id: u64, told: impl FnOnce() -> Vec<u64>) -> PyResult<Filled<'a>> {
        let Shape { mut key, values } = shape;
        key.extend([kind as u32, u32::from(!self.of.name.is_empty())]);
        let part = self.cached(|learned| &mut learned.parts, &key, |judge| Ok(judge.ask::<Option<_>>("learn", (kind, id, told(), &key[..]))?.map(Arc::new)))?;
        Ok(Filled { part, values })
    }

    /// Return the received part and the envelope of a message.
    fn halves(&mut self, mid: u64, life: &Life<'a>) -> PyResult<Rc<[Filled<'a>; 2]>> {
        if life.halves.get().is_none() {
            let both = self.half(RECEIVED_PART, mid, life).and_then(|received| Ok([received, self.half(ENVELOPE_PART, mid, life)?]));
            let _ = life.halves.set(ordinary(both)?.map(Rc::new));
        }
        life.halves.get().cloned().flatten().ok_or_else(odd)
    }

    fn half(&mut self, part: usize, mid: u64, life: &Life<'a>) -> PyResult<Filled<'a>> {
        let mut shape = Shape::new(if part == RECEIVED_PART { own(mid, &self.of.name, life.seen) } else { [NOTHING; DOMAIN + 1] });
        self.part(part, mid, life, &mut shape, 0)?;
        let (mut found, mut domain) = (self.part_for(part, shape, mid, Vec::new)?, None);
        for &(place, start) in &found.part.lists {
            let listed: Vec<Vec<u8>> = self.ask("listed", (found.values[place].text(),))?;
            found.values.resize(start, NOTHING);
            found.values.extend(listed.into_iter().map(|address| Value::Text(Cow::Owned(address))));
        }
        if !self.learned.families.is_empty() {
            found.share_domain(&[SENDER], &mut domain)?;
            found.values[DOMAIN] = Value::Text(Cow::Owned(domain.unwrap_or_default()));
        }
        Ok(found)
    }

    /// Return the deliveries of a message in order.
    fn tries(&mut self, mid: u64, facts: &[&Fact]) -> PyResult<Arc<Vec<Try>>> {
        let mut key = facts.iter().map(|fact| fact.classes[DELIVERY]).collect();
        ranks(&mut key, facts.iter().map(|fact| fact.time));
        ranks(&mut key, facts.iter().map(|fact| fact.number(0)));
        ranks(&mut key, facts.iter().map(|fact| fact.text(2)));
        self.cached(|learned| &mut learned.tries, &key, |judge| Ok(judge.ask::<Option<_>>("tries", (mid, &key[..]))?.map(Arc::new)))
    }
}

/// Spell a text for a key, with an end mark.
fn letters(text: &[u8]) -> impl Iterator<Item = u32> + '_ {
    text.iter().map(|&byte| byte.into()).chain([u32::MAX])
}

/// Return the look of a value: empty, zero, another number, a lower-case name, or something else.
fn look(text: &[u8]) -> u32 {
    match text {
        b"" => 1,
        b"0" => 2,
        _ if number(text).is_some() => 3,
        _ if !text.ends_with(b".") && text.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) => 4,
        _ => 5,
    }
}

/// Widen a span to include a time, if it counts.
pub fn widen(span: &mut (u32, u32), time: u32, counts: bool) {
    if counts {
        *span = (span.0.min(time), span.1.max(time));
    }
}
