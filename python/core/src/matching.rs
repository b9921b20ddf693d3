//! Texts -> which pattern, with which groups, by expressions that Python hands over.
use hashbrown::{DefaultHashBuilder, HashMap};
use pcre2::bytes::{CaptureLocations, Regex, RegexBuilder};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::hash::BuildHasher;

/// How to read one field of an event: as text, number, list of numbers, or by a table.
#[derive(FromPyObject)]
pub struct Field(pub Vec<u8>, pub usize, pub String, pub Vec<(Vec<u8>, Vec<u8>)>);

/// What to do with a line that matches.
#[derive(FromPyObject)]
pub enum Todo {
    /// Constants and fields of an event.
    Event(Vec<u8>, Vec<Field>),
    /// Store and code of a fact, and the groups of its key and values.
    Fact(usize, u32, Vec<usize>),
    /// It counts, or it is not wanted, or it is for Python.
    #[pyo3(transparent)]
    Word(String),
}

pub type Specs = Vec<(usize, Todo)>;

struct Compiled {
    regex: Regex,
    groups: CaptureLocations,
}

impl Compiled {
    fn new(text: &str, utf: bool) -> PyResult<Self> {
        let regex = RegexBuilder::new()
            .jit_if_available(true)
            .max_jit_stack_size(Some(1 << 20))
            .utf(utf)
            .build(&format!("\\A(?:{text})\\z"))
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let groups = regex.capture_locations();
        Ok(Compiled { regex, groups })
    }
}

/// The expression for texts that begin alike.
struct Matcher {
    text: String,
    /// What stands in front of a number that does not matter to what is matched behind it; or nothing.
    front: String,
    specs: Specs,
    ascii: Option<Compiled>,
    utf8: Option<Compiled>,
    /// Some texts: most lines of a log differ only in that number. By the hash of the rest, with those of the latest text and of this one.
    recent: Vec<(u64, u64, Option<Box<Recent>>)>,
    hasher: DefaultHashBuilder,
}

/// What was matched in a text: which of the specs, and the groups.
pub struct Recent {
    rest: Vec<u8>,
    spec: Option<usize>,
    spans: Vec<(usize, (usize, usize))>,
    /// Where the number ended.
    end: usize,
}

const RECENT: usize = 1 << 10;
const LONGEST_RECENT: usize = 128;
const LONGEST_NUMBER: usize = 18;

/// The groups of a match.
pub enum Groups<'a> {
    New(&'a CaptureLocations),
    /// Those of a text whose number ended there and ends here.
    Recent(&'a Recent, usize, usize),
}

impl Groups<'_> {
    /// Return where a group stands, if it is there.
    pub fn get(&self, number: usize) -> Option<(usize, usize)> {
        match self {
            Groups::New(groups) => groups.get(number),
            Groups::Recent(recent, start, end) => {
                let &(_, (first, last)) = recent.spans.iter().find(|(one, _)| *one == number)?;
                let moved = |place: usize| if place > *start { place + end - recent.end } else { place };
                Some((moved(first), moved(last)))
            }
        }
    }
}

pub enum Found<'a> {
    Nothing,
    /// An expression that gave up: Python is to read the line.
    Unsure,
    One(&'a Todo, Groups<'a>),
}

pub struct Matchers(HashMap<[u8; 4], Matcher>);

/// First characters of texts, their expression, what stands in front of a number that does not matter, and what each alternative means.
pub type GivenMatcher = (String, String, String, Specs);

impl Matchers {
    pub fn new(given: Vec<GivenMatcher>) -> PyResult<Self> {
        let mut found = HashMap::new();
        for (start, text, front, specs) in given {
            let key = start.as_bytes().try_into().map_err(|_| PyValueError::new_err("a start has four characters"))?;
            let (ascii, utf8, recent, hasher) = Default::default();
            found.insert(key, Matcher { text, front, specs, ascii, utf8, recent, hasher });
        }
        Ok(Matchers(found))
    }

    /// Return what matches a whole text; it is compiled when it is first asked for.
    pub fn find(&mut self, text: &[u8]) -> PyResult<Found<'_>> {
        let start = text.get(..4).and_then(|start| <[u8; 4]>::try_from(start).ok());
        let Some(matcher) = start.and_then(|start| self.0.get_mut(&start)) else { return Ok(Found::Nothing) };
        let is_ascii = text.is_ascii();
        let Some((end, rest)) = matcher.rest(text).filter(|_| is_ascii) else { return matcher.matched(text, is_ascii) };
        let hash = matcher.hasher.hash_one(rest);
        let slot = hash as usize % RECENT;
        matcher.recent.resize_with(RECENT, Default::default);
        let (latest, known, recent) = &mut matcher.recent[slot];
        if !matches!(recent, Some(recent) if *known == hash && recent.rest == rest) {
            if *latest != hash {
                *latest = hash;
                return matcher.matched(text, true);
            }
            let (spec, spans) = match matcher.matched(text, true)? {
                Found::Unsure => return Ok(Found::Unsure),
                Found::Nothing => (None, vec![]),
                Found::One(_, groups) => {
                    let Groups::New(groups) = groups else { return Ok(Found::Unsure) };
                    let spans: Vec<_> = (0..groups.len()).filter_map(|number| Some((number, groups.get(number)?))).collect();
                    (matcher.specs.iter().position(|(last, _)| spans.iter().any(|(number, _)| number == last)), spans)
                }
            };
            matcher.recent[slot] = (hash, hash, Some(Box::new(Recent { rest: rest.to_vec(), spec, spans, end })));
        }
        let Some(recent) = &matcher.recent[slot].2 else { return Ok(Found::Unsure) };
        Ok(recent.spec.map_or(Found::Nothing, |spec| Found::One(&matcher.specs[spec].1, Groups::Recent(recent, matcher.front.len(), end))))
    }
}

impl Matcher {
    /// Return where the number of a text ends, and what stands behind it; None where it is not as ever.
    fn rest<'a>(&self, text: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let behind = text.strip_prefix(self.front.as_bytes()).filter(|_| !self.front.is_empty())?;
        let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let rest = behind[digits..].strip_prefix(b" ").filter(|rest| rest.len() <= LONGEST_RECENT)?;
        (1..=LONGEST_NUMBER).contains(&digits).then_some((self.front.len() + digits, rest))
    }

    fn matched(&mut self, text: &[u8], is_ascii: bool) -> PyResult<Found<'_>> {
        let place = if is_ascii { &mut self.ascii } else { &mut self.utf8 };
        let compiled = match place {
            Some(compiled) => compiled,
            None => place.insert(Compiled::new(&self.text, !is_ascii)?),
        };
        match compiled.regex.captures_read_at(&mut compiled.groups, text, 0) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Found::Nothing),
            Err(_) => return Ok(Found::Unsure),
        }
        let groups = &compiled.groups;
        let spec = self.specs.iter().find(|(last, _)| groups.get(*last).is_some());
        Ok(spec.map_or(Found::Unsure, |(_, todo)| Found::One(todo, Groups::New(groups))))
    }
}
