//! Records of messages and connections that are ordinary: written, or counted.
use super::*;
use crate::facts::ascending;
use crate::groups::count;
use std::ops::Range;

/// Bits of the shape of a delivery: a line says that it began, and what ended it had a response.
const BEGUN: u32 = 1;
const ANSWERED: u32 = 2;
/// The kinds of parts behind those of a message: deliveries, over connections that mail did not pass and did; connections of either side.
const TRIES: usize = 2;
const LINKS: usize = 4;
/// The families that records are counted in.
const OF_CONNECTIONS: Range<usize> = 0..2;
const OF_MESSAGES: Range<usize> = 2..5;
/// The mail flow of a message that was given up.
const GIVEN_UP: u32 = 1;
/// Where the times of a connection stand among its own values.
const TIMES: [usize; 2] = [2, 3];
/// Ways in which mail passed a connection before and after what it said.
const MOST_ORDERS: usize = 8;

impl<'a> Judge<'a> {
    /// Add the record of a connection of one side.
    pub fn link(&mut self, side: usize, id: u64) -> Plain<()> {
        let life = self.plain(side, id)?;
        let (mut seen, mut domain, mut moments) = (life.seen, None, vec![]);
        let (mut flows, mut messages, mut passed, mut user) = (0_u32, 0_u32, 0_u32, 0);
        for mid in ascending(life.users.iter().copied()) {
            let own = self.plain(MESSAGES, mid)?;
            let halves = self.halves(mid, &own)?;
            let [received, envelope] = &*halves;
            let (is_given_up, before) = (side == 0 && received.part.mark == GIVEN_UP, moments.len());
            for fact in own.facts.iter().filter(|fact| self.named(fact, side) == Some(id)) {
                if side == 1 {
                    envelope.share(rids(fact.text(1)).ok_or(Not::Ordinary)?, &mut domain)?;
                } else if self.flags(fact) & STARTS == 0 {
                    continue;
                }
                widen(&mut seen, fact.time, true);
                moments.extend((!is_given_up && self.flags(fact) & PASSES != 0).then_some(Some(fact.time)));
            }
            if is_given_up {
                continue;
            }
            if side == 0 {
                envelope.share([SENDER], &mut domain)?;
            }
            (user, flows) = (mid, flows | received.part.mark);
            messages += 1;
            passed += u32::from(moments.len() > before);
        }
        only(life.flags & OWNS == 0 || messages < 2)?;
        if passed == 0 {
            moments.push(None);
        }
        let mut orders: Vec<(Vec<u32>, u32)> = vec![];
        for moment in moments {
            let mut order = vec![];
            self.order(&life, moment, &mut order)?;
            if !orders.iter().any(|(known, _)| *known == order) {
                orders.push((order, moment.unwrap_or(0)));
            }
        }
        only(orders.len() <= MOST_ORDERS)?;
        orders.sort_unstable();
        let domain = domain.unwrap_or_default();
        let state = u32::from(messages > 0) + u32::from(passed > 0);
        let told = [state, u32::from(!domain.is_empty()), if flows.is_power_of_two() { flows } else { 0 }];
        let mut key = Vec::with_capacity(ROOM);
        key.extend(told.into_iter().chain([u32::from(life.closed < u32::MAX), orders.len() as u32]));
        orders.iter().for_each(|(order, _)| key.extend(order));
        let opened = life.find(self.table, STARTS).map_or(0, |fact| fact.time);
        let mut values = self.own(Some((id, (opened, life.closed))));
        values[DOMAIN] = Cow::Owned(domain);
        values.push(Cow::Owned(passed.to_string().into()));
        self.shape(&life, ALONE, user, &mut key, &mut values)?;
        self.differences(&life, &mut key);
        let moments = || told.map(u64::from).into_iter().chain([user]).chain(orders.iter().map(|(_, moment)| u64::from(*moment))).collect();
        let part = self.know(LINKS + side, key, id, moments)?;
        let is_shown = |place: usize| part.texts[0].0.iter().any(|&(_, one)| one == place);
        let times: Vec<u32> = [opened, life.closed].into_iter().zip(TIMES).filter(|&(_, place)| is_shown(place)).map(|(time, _)| time).collect();
        Ok(self.add(OF_CONNECTIONS, &[&Filled { part, values }], b"", seen, [&times, &[]], id)?)
    }

    /// Add which facts of a connection tell the same, and in which order they came, where some differ.
    fn differences(&self, life: &Life, key: &mut Vec<u32>) {
        let mut told: Vec<(usize, &[u8], u32)> = vec![];
        for fact in &life.facts {
            let tells = self.table.rule(fact.code).map_or(&[][..], |rule| &rule.tells);
            told.extend(tells.iter().enumerate().filter(|(_, &what)| what > 0).filter_map(|(place, &what)| Some((what, fact.text(place)?, fact.time))));
        }
        if told.iter().any(|one| told.iter().any(|other| one.0 == other.0 && one.1 != other.1)) {
            key.extend(told.iter().map(|one| told.iter().take_while(|other| (other.0, other.1) != (one.0, one.1)).count() as u32));
            ranks(key, told.iter().map(|one| one.2));
        }
    }

    /// Add the record of a message.
    pub fn record(&mut self, mid: u64) -> Plain<()> {
        let life = self.plain(MESSAGES, mid)?;
        let halves = self.halves(mid, &life)?;
        let facts: Vec<&Fact> = life.facts.iter().filter(|fact| fact.classes[DELIVERY] != NONE).collect();
        let tries = self.tries(mid, &facts)?;
        let (mut deliveries, mut times, mut done) = (vec![], vec![], 0);
        for (number, (place, shape, rids)) in tries.iter().enumerate() {
            let (fact, mut domain) = (facts[*place], None);
            halves[ENVELOPE].share(rids.iter().copied(), &mut domain)?;
            let (domain, response) = (domain.unwrap_or_default(), fact.value(2).filter(|_| shape & ANSWERED != 0).unwrap_or_default());
            let mut passed = shape & BEGUN != 0;
            let (mut key, mut values) = (Vec::with_capacity(ROOM), Vec::with_capacity(ROOM));
            key.extend([*shape, rids.len() as u32, u32::from(!domain.is_empty())]);
            values.extend([fact.value(0).unwrap_or_default(), stamp(fact.time), response, Cow::Owned(domain)]);
            values.extend(rids.iter().map(|rid| Cow::Owned(rid.to_string().into())));
            if let Some(id) = fact.number(0).filter(|&id| id > 0) {
                passed |= self.plain(1, id)?.passed;
                self.beside(1, id, fact.time, mid, &mut key, &mut values)?;
            }
            let part = self.know(TRIES + usize::from(passed), key, mid, || vec![number as u64])?;
            done |= part.mark;
            deliveries.push(Filled { part, values });
            times.push(fact.time);
        }
        if !self.learned.words.contains_key(&done) {
            let words: Vec<u8> = self.ask("delivered", (done,))?;
            self.learned.words.insert(done, words.into());
        }
        let words = self.learned.words[&done].clone();
        let parts: Vec<&Filled> = halves.iter().chain(&deliveries).collect();
        Ok(self.add(OF_MESSAGES, &parts, &words, life.all, [&[life.all.0, life.all.1], &times], mid)?)
    }

    /// Write a record, or count it in some families, if it was seen when it is asked for.
    fn add(&mut self, families: Range<usize>, parts: &[&Filled], words: &[u8], seen: (u32, u32), times: [&[u32]; 2], id: u64) -> PyResult<()> {
        if i64::from(seen.1) < self.range.0 || i64::from(seen.0) >= self.range.1 {
            return Ok(());
        }
        if self.learned.families.is_empty() {
            let mut out = std::mem::take(&mut self.out[0]);
            self.line(&mut out, parts, words)?;
            self.out[0] = out;
            return Ok(());
        }
        let (mut key, mut known) = (Vec::with_capacity(4 * ROOM), std::mem::take(&mut self.learned.known));
        let domain = &parts[parts.len().min(2) - 1].values[DOMAIN];
        for number in families {
            let Family(period, most, of_tries, instead, latest) = self.learned.families[number];
            let times = if of_tries { times[1] } else { &times[0][..most.min(times[0].len())] };
            if of_tries && times.is_empty() {
                continue;
            }
            key.clear();
            key.push(number as u8);
            if period > 0 {
                key.extend_from_slice(words);
                key.extend_from_slice(&times.first().map_or(0, |time| 1 + time / period).to_le_bytes());
            }
            let place = if domain.is_empty() { instead } else { number };
            // which ones are the latest is told by their times
            let mut is_alike = (**domain != *b"\0" || instead == number) && (latest == 0 || !times.is_empty());
            for part in parts {
                match part.part.keys.get(place).and_then(Option::as_ref) {
                    Some(text) => self.put(&mut key, text, part)?,
                    None => is_alike = false,
                }
            }
            if is_alike {
                count(&mut known, &key, times, id, latest, |line| self.line(line, parts, words))?;
            } else {
                let mut out = std::mem::take(&mut self.out[number]);
                self.line(&mut out, parts, words)?;
                self.out[number] = out;
            }
        }
        self.learned.known = known;
        Ok(())
    }

    /// Add a whole record: of a connection, or of a message, with the words in front of its deliveries.
    fn line(&self, out: &mut Vec<u8>, parts: &[&Filled], words: &[u8]) -> PyResult<()> {
        out.push(b'{');
        self.put(out, &parts[0].part.texts[0], parts[0])?;
        if let [received, envelope, tries @ ..] = parts {
            self.put(out, &envelope.part.texts[0], envelope)?;
            out.extend_from_slice(words);
            for (number, one) in tries.iter().enumerate() {
                out.extend_from_slice(if number > 0 { b"," } else { b"" });
                self.put(out, &one.part.texts[0], one)?;
            }
            out.push(b']');
            self.put(out, &received.part.texts[1], received)?;
            self.put(out, &envelope.part.texts[1], envelope)?;
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    fn put(&self, out: &mut Vec<u8>, text: &Text, part: &Filled) -> PyResult<()> {
        for (piece, place) in &text.0 {
            out.extend_from_slice(piece);
            json::text(out, &part.values[*place], self.ask)?;
        }
        out.extend_from_slice(&text.1);
        Ok(())
    }
}

/// Return the numbers of recipients that commas or blanks part; None where something else stands there.
fn rids(text: Option<&[u8]>) -> Option<Vec<u64>> {
    let is_part = |byte: &u8| matches!(byte, b',' | b' ');
    text.unwrap_or_default().split(is_part).filter(|rid| !rid.is_empty()).map(number).collect()
}
