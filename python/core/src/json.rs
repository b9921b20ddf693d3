//! Values of a log as JSON.
use humantime::format_rfc3339_seconds;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

/// Tell whether a text needs no escaping in JSON.
pub fn is_plain(value: &[u8]) -> bool {
    // without an early exit, the loop is vectorized
    value.iter().fold(true, |plain, &b| plain & (0x20..0x7f).contains(&b) & (b != b'"') & (b != b'\\'))
}

/// Write a text; Python escapes all but printable ASCII.
pub fn text(out: &mut Vec<u8>, value: &[u8], ask: &Py<PyAny>) -> PyResult<()> {
    if is_plain(value) {
        out.extend_from_slice(value);
    } else if value.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        out.extend(value.iter().flat_map(|&byte| [b'\\', byte].into_iter().skip(usize::from(!matches!(byte, b'"' | b'\\')))));
    } else {
        Python::attach(|py| told(out, &ask.bind(py).call_method1("escaped", (PyBytes::new(py, value),))?))?;
    }
    Ok(())
}

/// Write what Python has written.
pub fn told(out: &mut Vec<u8>, written: &Bound<'_, PyAny>) -> PyResult<()> {
    out.extend_from_slice(written.cast::<PyBytes>()?.as_bytes());
    Ok(())
}

/// Write a time as in RFC 3339, in UTC.
pub fn stamp(out: &mut Vec<u8>, time: u32) -> std::io::Result<()> {
    write!(out, "{}", format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(time.into())))
}
