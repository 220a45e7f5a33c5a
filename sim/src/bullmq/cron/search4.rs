//! The search for a firing, as cron-parser 4.9.0 makes it: a unit at a time, looking at the day
//! before the month.

use super::NoFire;
use super::clock::{Clock, STEP_LIMIT};
use super::fields::{Fields, has};
use crate::civil::{HOUR_MS, MAX_INSTANT_MS, MINUTE_MS, SECOND_MS, Zone};
use crate::mutants::{Mutant, planted};

/// What an iterator keeps from one firing to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// The hour that the clocks were put forward to, while the search is in it.
    dst_start: Option<u8>,
    /// The hour that the clocks were put back to, until the search comes to it.
    dst_end: Option<u8>,
}

/// How a search moves on from an instant that does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Day,
    Month,
    Hour,
    /// An hour, with no eye on the clocks.
    PlainHour,
    Minute,
    Second,
}

struct Search<'a> {
    fields: &'a Fields,
    zone: &'a Zone,
    at_ms: i64,
    seen: &'a mut Seen,
}

/// The next firing after an instant within the range of JavaScript's dates. `_findSchedule`.
pub(super) fn advance(
    fields: &Fields,
    zone: &Zone,
    at_ms: i64,
    seen: &mut Seen,
) -> Result<i64, NoFire> {
    Search { fields, zone, at_ms, seen }.find()
}

impl Search<'_> {
    fn find(&mut self) -> Result<i64, NoFire> {
        let mut clock = Clock::at(self.zone, self.at_ms);
        let mut steps = 1;
        while steps < STEP_LIMIT {
            match self.mismatch(&clock)? {
                Some(step) => steps += self.take(step, &mut clock),
                None if clock.ms > MAX_INSTANT_MS => break,
                None => return Ok(clock.ms),
            }
        }
        Err(NoFire::StepLimit)
    }

    /// The step to take from here, or `None` at a firing.
    fn mismatch(&mut self, clock: &Clock<'_>) -> Result<Option<Step>, NoFire> {
        let fields = self.fields;
        match fields.allows_day(clock.date, clock.weekday) {
            Some(true) => {}
            Some(false) => return Ok(Some(Step::Day)),
            None => {
                let entry = fields.bad_last().unwrap_or_default().to_owned();
                return Err(NoFire::LastWeekday(entry));
            }
        }
        if !has(fields.months(), clock.date.month) {
            return Ok(Some(Step::Month));
        }
        let hour = clock.hour;
        if has(fields.hours(), hour) {
            if self.seen.dst_end == Some(hour) && !planted(Mutant::Q7) {
                self.seen.dst_end = None;
                return Ok(Some(Step::Hour));
            }
        } else if self.seen.dst_start != Some(hour) {
            self.seen.dst_start = None;
            return Ok(Some(Step::Hour));
        } else if !hour.checked_sub(1).is_some_and(|h| has(fields.hours(), h)) {
            return Ok(Some(Step::PlainHour));
        }
        if !has(fields.minutes(), clock.minute) {
            return Ok(Some(Step::Minute));
        }
        if !has(fields.seconds(), clock.second) || clock.ms == self.at_ms {
            return Ok(Some(Step::Second));
        }
        Ok(None)
    }

    /// Takes a step, or as many of them at once as are sure to be taken with nothing seen on the
    /// way: no match, no change of clocks. Returns how many.
    fn take(&mut self, step: Step, clock: &mut Clock<'_>) -> u32 {
        let leap = match step {
            Step::Day => clock.leap_days(self.fields, STEP_LIMIT),
            Step::Month => clock.leap_month(),
            // In an hour that the clocks were put forward to, the next step depends on it.
            Step::Hour if self.seen.dst_start.is_some() => None,
            Step::Hour => clock.leap(HOUR_MS, to_next(self.fields.hours(), clock.hour, 24)),
            Step::Minute => clock.leap(MINUTE_MS, to_next(self.fields.minutes(), clock.minute, 60)),
            Step::Second => clock.leap(SECOND_MS, to_next(self.fields.seconds(), clock.second, 60)),
            Step::PlainHour => None,
        };
        if let Some(steps) = leap {
            return steps;
        }
        match step {
            Step::Day => clock.add_day(),
            Step::Month => clock.add_month(),
            Step::PlainHour => clock.add_hour(),
            Step::Hour | Step::Minute | Step::Second => self.shift(step, clock),
        }
        1
    }

    /// `_applyTimezoneShift`, for hours and less.
    fn shift(&mut self, step: Step, clock: &mut Clock<'_>) {
        let before = clock.hour;
        match step {
            Step::Minute => clock.add_short(MINUTE_MS),
            Step::Second => clock.add_short(SECOND_MS),
            _ => clock.add_hour(),
        }
        if self.fields.any_hour() {
            return;
        }
        if clock.hour == before + 2 {
            self.seen.dst_start = Some(clock.hour);
        } else if clock.hour == before && clock.minute == 0 && clock.second == 0 {
            self.seen.dst_end = Some(clock.hour);
        }
    }
}

/// The distance from `at` to the next bit of a field, or to the field's end.
fn to_next(bits: u64, at: u8, end: u8) -> u32 {
    let above = bits >> at >> 1;
    if above == 0 { u32::from(end.saturating_sub(at)) } else { above.trailing_zeros() + 1 }
}
