//! Texts -> what to do with them, by regular expressions that Python hands over.
use crate::reading::Plan;
use crate::told::{LONGEST_NUMBER, START};
use hashbrown::{DefaultHashBuilder, HashMap};
use pcre2::bytes::{CaptureLocations, Regex, RegexBuilder};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::hash::BuildHasher;

/// The last group of an alternative, the wanted groups, and what to do with them; None: the line is for Python.
pub type Alternative = (usize, Vec<usize>, Option<Plan>);

/// The first characters of texts, their expression, the text in front of a number that does not influence the rest of the match, and the wanted alternatives.
pub type GivenMatcher = ([u8; START], String, String, Vec<Alternative>);

/// Texts kept by each matcher, as most lines of a log differ only in that number.
const KEPT: usize = 1 << 8;

/// The expression for texts with the same first characters.
struct Matcher {
    text: String,
    front: String,
    alternatives: Vec<Alternative>,
    /// For ASCII, and for UTF-8; compiled when first needed.
    compiled: [Option<(CaptureLocations, Regex)>; 2],
    /// The latest text, by the hash of what follows the number.
    kept: Vec<Kept>,
}

/// What was matched in a text.
#[derive(Clone, Default)]
struct Kept {
    /// The text behind the number, and where it begins; or the whole text.
    rest: Vec<u8>,
    at: usize,
    alternative: Option<usize>,
    spans: Vec<Option<(usize, usize)>>,
}

pub struct Matchers(HashMap<[u8; START], Matcher>, DefaultHashBuilder);

impl Matchers {
    pub fn new(given: Vec<GivenMatcher>) -> Self {
        let matcher = |(start, text, front, alternatives): GivenMatcher| {
            let kept = vec![Kept::default(); if front.is_empty() { 1 } else { KEPT }];
            (start, Matcher { text, front, alternatives, compiled: [None, None], kept })
        };
        Matchers(given.into_iter().map(matcher).collect(), DefaultHashBuilder::default())
    }

    /// Return what to do with a text, and put the wanted values into `values`. None: nothing; Some(None): the line is for Python.
    pub fn find<'t>(&mut self, text: &'t [u8], values: &mut Vec<Option<&'t [u8]>>) -> PyResult<Option<Option<&Plan>>> {
        let Some(matcher) = text.first_chunk().and_then(|start| self.0.get_mut(start)) else { return Ok(None) };
        let at = matcher.behind_number(text);
        let rest = &text[at..];
        let slot = self.1.hash_one(rest) as usize % matcher.kept.len();
        if matcher.kept[slot].rest != rest && !matcher.keep(slot, text, at)? {
            return Ok(Some(None));
        }
        let kept = &matcher.kept[slot];
        let moved = |place| if place < kept.at { place } else { place - kept.at + at };
        values.clear();
        values.extend(kept.spans.iter().map(|span| span.and_then(|(start, end)| text.get(moved(start)..moved(end)))));
        Ok(kept.alternative.map(|number| matcher.alternatives[number].2.as_ref()))
    }
}

impl Matcher {
    /// Return where a text goes on behind its number; 0: it has none in the usual form.
    fn behind_number(&self, text: &[u8]) -> usize {
        let behind = text.strip_prefix(self.front.as_bytes()).unwrap_or_default();
        let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_one = !self.front.is_empty() && (1..=LONGEST_NUMBER).contains(&digits) && behind.get(digits) == Some(&b' ');
        if is_one {
            self.front.len() + digits
        } else {
            0
        }
    }

    /// Match a text and keep the result. False: the expression gave up.
    fn keep(&mut self, slot: usize, text: &[u8], at: usize) -> PyResult<bool> {
        let (kept, utf) = (&mut self.kept[slot], !text.is_ascii());
        let compiled = &mut self.compiled[usize::from(utf)];
        if compiled.is_none() {
            let regex = RegexBuilder::new().jit_if_available(true).max_jit_stack_size(Some(1 << 20)).utf(utf).build(&format!("\\A(?:{})\\z", self.text));
            let regex = regex.map_err(|error| PyValueError::new_err(error.to_string()))?;
            *compiled = Some((regex.capture_locations(), regex));
        }
        kept.rest.clear();
        kept.spans.clear();
        let Some((groups, regex)) = compiled else { return Ok(false) };
        let Ok(found) = regex.captures_read(groups, text) else { return Ok(false) };
        kept.alternative = found.and_then(|_| self.alternatives.iter().position(|(last, _, _)| groups.get(*last).is_some()));
        if let Some(number) = kept.alternative {
            kept.spans.extend(self.alternatives[number].1.iter().map(|&group| groups.get(group)));
        }
        kept.rest.extend_from_slice(&text[at..]);
        kept.at = at;
        Ok(true)
    }
}
