//! Records of ordinary messages and connections, written or counted.
use super::*;
use crate::json;
use std::collections::BTreeMap;
use std::io::Write;

/// Different orders of a connection's lines and the mail on it.
const MOST_ORDERS: usize = 8;

impl<'a> Judge<'a> {
    /// Add the record of a connection of one side.
    pub fn link(&mut self, side: usize, id: u64) -> PyResult<()> {
        let life = self.life(side, id)?;
        let (mut seen, mut domain, mut moments) = (life.seen, None, vec![]);
        let (mut flows, mut messages, mut passed, mut user) = (0_u32, 0_u32, 0_u32, 0);
        for &mid in &life.users {
            let own = self.life(MESSAGES, mid)?;
            let halves = self.halves(mid, &own)?;
            let [received, envelope] = &*halves;
            let (is_given_up, before) = (side == 0 && received.part.mark == GIVEN_UP, moments.len());
            for fact in own.facts.iter().filter(|fact| named(fact, side) == Some(id)) {
                if side == 1 && fact.classes[DELIVERY] != NO_PART {
                    envelope.share_domain(&rids(fact.text(1)).ok_or_else(odd)?, &mut domain)?;
                } else if side == 0 && fact.flags & STARTS == 0 {
                    continue;
                }
                widen(&mut seen, fact.time, true);
                moments.extend((!is_given_up && fact.flags & PASSES != 0).then_some(Some(fact.time)));
            }
            if is_given_up {
                continue;
            }
            if side == 0 {
                envelope.share_domain(&[SENDER], &mut domain)?;
            }
            (user, flows) = (mid, flows | received.part.mark);
            messages += 1;
            passed += u32::from(moments.len() > before);
        }
        require(life.flags & OWNS == 0 || messages < 2)?;
        if passed == 0 {
            moments.push(None);
        }
        let mut orders = BTreeMap::new();
        for moment in moments {
            let mut key = vec![];
            order(&mut key, &life, moment)?;
            orders.entry(key).or_insert(moment.unwrap_or(0));
        }
        require(orders.len() <= MOST_ORDERS)?;
        let domain = domain.unwrap_or_default();
        let state = u32::from(messages > 0) + u32::from(passed > 0);
        let told = [state, u32::from(!domain.is_empty()), if flows.is_power_of_two() { flows } else { 0 }];
        let opened = life.find(STARTS).map_or(0, |fact| fact.time);
        let mut shape = Shape::new(own(id, &self.of.name, (opened, life.closed)));
        shape.key.extend(told.into_iter().chain([u32::from(life.closed < u32::MAX), orders.len() as u32]));
        shape.key.extend(orders.keys().flatten());
        shape.values[DOMAIN] = Value::Text(Cow::Owned(domain));
        shape.values.push(Value::Number(passed.into()));
        shape.add(&life, ALONE, user)?;
        self.differences(&life, &mut shape.key);
        let moments = || told.map(u64::from).into_iter().chain([user]).chain(orders.values().map(|&moment| moment.into())).collect();
        let found = self.part_for(LINK_PART + side, shape, id, moments)?;
        let times: Vec<u32> = [opened, life.closed].into_iter().zip([FIRST, LAST]).filter(|&(_, place)| found.shows(place)).map(|(time, _)| time).collect();
        self.add(&[&found], b"", seen, [&times, &[]], id)
    }

    /// If facts of a connection state different values of one property, add which ones agree and in which order they came.
    fn differences(&self, life: &Life, key: &mut Vec<u32>) {
        let all = life.facts.iter().flat_map(|fact| {
            let tells = self.table.rule(fact.code).map_or(&[][..], |rule| &rule.tells);
            tells.iter().zip(fact.texts()).filter_map(|(&what, text)| Some((what, text.filter(|_| what > 0)?, fact.time)))
        });
        let mut known = [None; MOST_TOLD];
        if all.clone().any(|(what, text, _)| known[what].replace(text).is_some_and(|other| other != text)) {
            let told: Vec<(usize, &[u8], u32)> = all.collect();
            key.extend(told.iter().map(|one| told.iter().take_while(|other| (other.0, other.1) != (one.0, one.1)).count() as u32));
            ranks(key, told.iter().map(|one| one.2));
        }
    }

    /// Add the record of a message.
    pub fn record(&mut self, mid: u64) -> PyResult<()> {
        let life = self.life(MESSAGES, mid)?;
        if life.facts.is_empty() {
            return Ok(()); // only named by another message
        }
        let halves = self.halves(mid, &life)?;
        let facts: Vec<&Fact> = life.facts.iter().filter(|fact| fact.classes[DELIVERY] != NO_PART).collect();
        let (mut deliveries, mut times, mut done) = (vec![], vec![], 0);
        for (number, (place, bits, rids)) in self.tries(mid, &facts)?.iter().enumerate() {
            let (fact, mut domain) = (facts[*place], None);
            halves[ENVELOPE_PART].share_domain(rids, &mut domain)?;
            let domain = domain.unwrap_or_default();
            let is_shared = u32::from(!domain.is_empty());
            let mut shape = Shape::new([Value::Text(fact.value(0)), Value::Time(fact.time), Value::Text(fact.value(2)), Value::Text(Cow::Owned(domain))]);
            shape.key.extend([*bits, rids.len() as u32, is_shared]);
            shape.values.extend(rids.iter().map(|&rid| Value::Number(rid)));
            let mut passed = bits & BEGUN != 0;
            if let Some(id) = fact.number(0).filter(|&id| id > 0) {
                passed |= self.life(1, id)?.passed;
                self.beside(1, id, fact.time, mid, &mut shape)?;
            }
            deliveries.push(self.part_for(TRY_PART + usize::from(passed), shape, mid, || vec![number as u64])?);
            done |= deliveries[number].part.mark;
            times.push(fact.time);
        }
        let words = self.cached(|learned| &mut learned.words, &[done], |judge| Ok(Some(Arc::new(judge.ask("delivered", (done,))?))))?;
        let parts: Vec<&Filled> = halves.iter().chain(&deliveries).collect();
        self.add(&parts, &words, life.seen, [&[life.seen.0, life.seen.1], &times], mid)
    }

    /// Write a record or count it, if it lies in the time range.
    fn add(&mut self, parts: &[&Filled], words: &[u8], seen: (u32, u32), times: [&[u32]; 2], id: u64) -> PyResult<()> {
        if i64::from(seen.1) < self.of.range.0 || i64::from(seen.0) >= self.of.range.1 {
            return Ok(());
        }
        let (ask, Learned { families, known, .. }) = (self.ask, &mut *self.learned);
        if families.is_empty() {
            return line(ask, &mut self.out[0], parts, words, 0);
        }
        let halves = &parts[..parts.len().min(2)];
        let has_domain = !halves[halves.len() - 1].values[DOMAIN].text().is_empty();
        let done = || parts[halves.len()..].iter().zip(times[1]).filter(|(one, _)| one.part.mark > 0);
        let is_one = done().count() == 1;
        // the domain that a connection tells may be that of another delivery
        let reached = || done().map(|(one, _)| if is_one || one.shows(TRY_DOMAIN) { one.values[TRY_DOMAIN].text() } else { b"" });
        let mut key = Vec::with_capacity(4 * ROOM);
        for (number, family) in families.iter().enumerate().filter(|(_, family)| (family.of == LINKS) == (parts.len() == 1)) {
            let form = 1 + if has_domain || family.instead == 0 { number } else { family.instead };
            let mut count = |parts: &[&Filled], words: &[u8], times: &[u32]| {
                let period = times.first().filter(|_| family.period > 0).map_or(0, |time| 1 + time / family.period);
                key.clear();
                key.push(number as u8);
                key.extend_from_slice(&period.to_le_bytes());
                line(ask, &mut key, parts, words, form)?;
                known.entry_ref(&key[..]).or_default().count(&times[..family.times.min(times.len())], id, family.latest);
                PyResult::Ok(())
            };
            match family.of {
                HALVES => count(halves, b"", times[0])?,
                WHOLE => count(parts, words, times[0])?,
                TRIES if differ(reached()) => done().try_for_each(|(one, &time)| count(&[parts[0], one], b"", &[time]))?,
                LINKS if !times[0].is_empty() => count(parts, b"", times[0])?,
                _ => line(ask, &mut self.out[number], parts, words, 0)?,
            }
        }
        Ok(())
    }
}

/// Tell whether names are there and differ from each other.
fn differ<'a>(names: impl Iterator<Item = &'a [u8]> + Clone) -> bool {
    names.clone().enumerate().all(|(place, name)| !name.is_empty() && names.clone().take(place).all(|other| other != name))
}

/// Write a record in one of its forms; of a message, `words` stand in front of its deliveries.
fn line(ask: &Py<PyAny>, out: &mut Vec<u8>, parts: &[&Filled], words: &[u8], form: usize) -> PyResult<()> {
    let (halves, tries) = parts.split_at(parts.len().min(2));
    out.push(b'{');
    halves.iter().try_for_each(|part| put(ask, out, part, form, 0))?;
    if !words.is_empty() {
        comma(out);
        out.extend_from_slice(words);
        tries.iter().try_for_each(|one| put(ask, out, one, form, 0))?;
        out.push(b']');
    }
    halves.iter().try_for_each(|part| put(ask, out, part, form, 1))?;
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// Write a comma unless nothing stands in front of it.
fn comma(out: &mut Vec<u8>) {
    if !out.ends_with(b"{") && !out.ends_with(b"[") {
        out.push(b',');
    }
}

/// Write a text with its values, if there is one.
fn put(ask: &Py<PyAny>, out: &mut Vec<u8>, part: &Filled, form: usize, number: usize) -> PyResult<()> {
    let Some((pieces, rest)) = part.part.forms[form].get(number).filter(|(pieces, rest)| !pieces.is_empty() || !rest.is_empty()) else { return Ok(()) };
    comma(out);
    for (piece, place) in pieces {
        out.extend_from_slice(piece);
        match &part.values[*place] {
            Value::Text(text) => json::text(out, text, ask)?,
            Value::Number(number) => write!(out, "{number}")?,
            Value::Time(time) => json::stamp(out, *time)?,
        }
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// Return RIDs separated by commas or spaces; None if there is anything else.
fn rids(text: Option<&[u8]>) -> Option<Vec<u64>> {
    let is_part = |byte: &u8| matches!(byte, b',' | b' ');
    text.unwrap_or_default().split(is_part).filter(|rid| !rid.is_empty()).map(number).collect()
}
