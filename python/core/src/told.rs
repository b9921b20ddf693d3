//! Numbers that Python knows too (`native/told.py`, `shapes/templates.py`).
//!
//! Made by python/generate; do not edit.
pub const START: usize = 4;
pub const LONGEST_NUMBER: usize = 18;
pub const STORES: usize = 3;
pub const MESSAGES: usize = 2;
pub const RECEIVED_PART: usize = 0;
pub const ENVELOPE_PART: usize = 1;
pub const TRY_PART: usize = 2;
pub const LINK_PART: usize = 4;
pub const FIRST: usize = 2;
pub const LAST: usize = 3;
pub const DOMAIN: usize = 4;
pub const MOST_TOLD: usize = 11;
pub const SENDER: u64 = 18446744073709551615;
pub const KIND: u32 = 62;
pub const NO_PART: u32 = 0;
pub const ODD_PART: u32 = 4294967295;
pub const GIVEN_UP: u32 = 1;
pub const BEGUN: u32 = 1;
pub const LOOK: u8 = 1;
pub const LITERAL: u8 = 2;
pub const TIMED: u32 = 1;
pub const AT_ONCE: u32 = 2;
pub const SEEN: u32 = 4;
pub const STARTS: u32 = 8;
pub const BEGINS: u32 = 16;
pub const INHERITS: u32 = 32;
pub const ACCEPTS: u32 = 64;
pub const CLOSES: u32 = 128;
pub const SENDS: u32 = 256;
pub const PASSES: u32 = 512;
pub const OWNS: u32 = 1024;
pub const NAMES: u32 = 2048;
