//! Values of a log as JSON, byte for byte as the Python code writes them.
use std::io::Write;

/// Add a text. `marks` are the ranges of characters that are written as escapes beside the control characters.
/// False where it is no text.
pub fn text(out: &mut Vec<u8>, value: &[u8], marks: &[(u32, u32)]) -> bool {
    // without a way out of the loop, many bytes are looked at at once
    if value.iter().fold(true, |plain, &b| plain & (0x20..0x7f).contains(&b) & (b != b'"') & (b != b'\\')) {
        out.extend_from_slice(value);
        return true;
    }
    let Ok(value) = std::str::from_utf8(value) else { return false };
    for c in value.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\x08' => out.extend_from_slice(b"\\b"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\x0c' => out.extend_from_slice(b"\\f"),
            '\r' => out.extend_from_slice(b"\\r"),
            _ => {
                let code = c as u32;
                if code < 0x20 || (code > 0x7e && marks.iter().any(|&(first, last)| (first..=last).contains(&code))) {
                    let _ = write!(out, "\\u{code:04x}");
                } else {
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
    }
    true
}

/// Add a number without leading zeros; false where it is none.
pub fn number(out: &mut Vec<u8>, value: &[u8]) -> bool {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let zeros = value.iter().take(value.len() - 1).take_while(|&&b| b == b'0').count();
    out.extend_from_slice(&value[zeros..]);
    true
}

/// Add a list of numbers that commas or blanks part, without those that are too long; tell whether there is any. None where something else stands there.
pub fn list(out: &mut Vec<u8>, value: &[u8], longest: usize) -> Option<bool> {
    out.push(b'[');
    let before = out.len();
    for item in value.split(|byte| matches!(byte, b',' | b' ')).filter(|item| !item.is_empty() && item.len() <= longest) {
        if out.len() > before {
            out.push(b',');
        }
        if !number(out, item) {
            return None;
        }
    }
    out.push(b']');
    Some(out.len() > before + 1)
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
