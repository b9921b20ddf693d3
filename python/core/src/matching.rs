//! Texts -> which pattern, with which groups, by expressions that Python hands over.
use hashbrown::HashMap;
use pcre2::bytes::{CaptureLocations, Regex, RegexBuilder};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

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
    specs: Specs,
    ascii: Option<Compiled>,
    utf8: Option<Compiled>,
}

pub enum Found<'a> {
    Nothing,
    /// An expression that gave up: Python is to read the line.
    Unsure,
    One(&'a Todo, &'a CaptureLocations),
}

pub struct Matchers(HashMap<[u8; 4], Matcher>);

impl Matchers {
    pub fn new(given: Vec<(String, String, Specs)>) -> PyResult<Self> {
        let mut found = HashMap::new();
        for (start, text, specs) in given {
            let key = start.as_bytes().try_into().map_err(|_| PyValueError::new_err("a start has four characters"))?;
            found.insert(key, Matcher { text, specs, ascii: None, utf8: None });
        }
        Ok(Matchers(found))
    }

    /// Return what matches a whole text; it is compiled when it is first asked for.
    pub fn find(&mut self, text: &[u8]) -> PyResult<Found<'_>> {
        let start = text.get(..4).and_then(|start| <[u8; 4]>::try_from(start).ok());
        let Some(matcher) = start.and_then(|start| self.0.get_mut(&start)) else { return Ok(Found::Nothing) };
        let is_ascii = text.is_ascii();
        let place = if is_ascii { &mut matcher.ascii } else { &mut matcher.utf8 };
        let compiled = match place {
            Some(compiled) => compiled,
            None => place.insert(Compiled::new(&matcher.text, !is_ascii)?),
        };
        match compiled.regex.captures_read_at(&mut compiled.groups, text, 0) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Found::Nothing),
            Err(_) => return Ok(Found::Unsure),
        }
        let groups = &compiled.groups;
        let spec = matcher.specs.iter().find(|(last, _)| groups.get(*last).is_some());
        Ok(spec.map_or(Found::Unsure, |(_, todo)| Found::One(todo, groups)))
    }
}
