//! Values of a log as JSON.
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Tell whether a text stands in JSON as it is.
pub fn is_plain(value: &[u8]) -> bool {
    // without a way out of the loop, many bytes are looked at at once
    value.iter().fold(true, |plain, &b| plain & (0x20..0x7f).contains(&b) & (b != b'"') & (b != b'\\'))
}

/// Add a text; one with other characters than those of ASCII that are printed is written by Python.
pub fn text(out: &mut Vec<u8>, value: &[u8], ask: &Py<PyAny>) -> PyResult<()> {
    if is_plain(value) {
        out.extend_from_slice(value);
        return Ok(());
    }
    if value.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        out.extend(value.iter().flat_map(|&byte| [b'\\', byte].into_iter().skip(usize::from(!matches!(byte, b'"' | b'\\')))));
        return Ok(());
    }
    Python::attach(|py| told(out, &ask.bind(py).call_method1("escaped", (PyBytes::new(py, value),))?))
}

/// Add what Python has written.
pub fn told(out: &mut Vec<u8>, written: &Bound<'_, PyAny>) -> PyResult<()> {
    out.extend_from_slice(written.cast::<PyBytes>()?.as_bytes());
    Ok(())
}

/// Add a time as RFC 3339 has it, in UTC.
pub fn stamp(out: &mut Vec<u8>, time: u32) {
    let (days, second) = (i64::from(time / 86_400), time % 86_400);
    // days since 0000-03-01, in the Gregorian calendar's rounds of 400 years
    let from = days + 719_468;
    let (round, day) = (from / 146_097, from % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (date, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + round * 400 + i64::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00Z";
    let second = i64::from(second);
    for (place, pair) in [(0, year / 100), (2, year % 100), (5, month), (8, date), (11, second / 3600), (14, second / 60 % 60), (17, second % 60)] {
        text[place] += (pair / 10) as u8;
        text[place + 1] += (pair % 10) as u8;
    }
    out.extend_from_slice(&text);
}
