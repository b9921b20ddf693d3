//! Headers of lines -> what they say. Python explains each header, alone or together with all others of its hour.
use crate::json::stamp;
use crate::judging::widen;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// What a header says.
pub struct Head {
    pub text: Vec<u8>,
    /// The fields that it adds to an event; None: no event is wanted.
    pub base: Option<Vec<u8>>,
    /// The first store of the appliance.
    pub store: usize,
    pub time: u32,
}

/// A header as Python explains it (`native.streams`).
#[derive(FromPyObject)]
struct Form {
    /// The text in front of the minutes and seconds and, if other headers of its hour differ in these alone, the text behind them.
    before: Vec<u8>,
    after: Option<Vec<u8>>,
    /// The fields in front of the time, and behind it.
    base: Option<(Vec<u8>, Vec<u8>)>,
    store: usize,
    /// Without the minutes and seconds.
    time: u32,
}

impl Form {
    /// Return what the header of a line says, if it has this form.
    fn head(&self, line: &[u8]) -> Option<Head> {
        let mut rest = line.strip_prefix(&self.before[..])?;
        let mut time = self.time;
        if let Some(after) = &self.after {
            let ([b':', m @ b'0'..=b'5', n @ b'0'..=b'9', b':', s @ b'0'..=b'5', t @ b'0'..=b'9'], behind) = rest.split_first_chunk()? else { return None };
            rest = behind.strip_prefix(&after[..])?;
            let seconds = [(m, 600), (n, 60), (s, 10), (t, 1)].map(|(digit, unit)| u32::from(digit - b'0') * unit);
            time = time.checked_add(seconds.iter().sum())?;
        }
        let mut base = self.base.clone();
        if let Some((base, after)) = &mut base {
            if self.after.is_some() {
                stamp(base, time).ok()?;
            }
            base.append(after);
        }
        Some(Head { text: line[..line.len() - rest.len()].to_vec(), base: base.map(|(base, _)| base), store: self.store, time })
    }
}

/// Known forms of headers, those used last in front.
#[derive(Default)]
pub struct Heads(Vec<Form>);

/// Lines near each other have one form, or a few for each appliance.
const MOST_FORMS: usize = 128;

impl Heads {
    /// Return what the header of a line says; Python is asked about unknown ones. None: there is no complete header. Widen the span by its time if Python
    /// may not have seen it.
    pub fn of(&mut self, line: &[u8], ask: &Py<PyAny>, span: &mut (u32, u32)) -> PyResult<Option<Head>> {
        let known = self.0.iter().enumerate().find_map(|(place, form)| Some((place, form.head(line)?)));
        let (place, head) = match known {
            Some(known) => known,
            None => {
                let told: Option<Form> = Python::attach(|py| ask.bind(py).call1((PyBytes::new(py, line),))?.extract())?;
                let Some((form, head)) = told.and_then(|form| form.head(line).map(|head| (form, head))) else { return Ok(None) };
                self.0.truncate(MOST_FORMS - 1);
                self.0.push(form);
                (self.0.len() - 1, head)
            }
        };
        self.0[..=place].rotate_right(1);
        widen(span, head.time, self.0[0].after.is_some());
        Ok(Some(head))
    }
}
