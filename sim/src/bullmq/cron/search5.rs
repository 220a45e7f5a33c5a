//! The search for a firing, as cron-parser 5.10.3 makes it.
//!
//! It steps over months and days, sets hours, minutes and seconds at once, and goes by the hour
//! on days on which the clocks change. Unlike 4.9.0 it has no way out where a step over a change
//! ends no later than it began; there it gives up after 10,000 of them.

use super::clock::{Clock, STEP_LIMIT};
use super::fields::{Fields, has};
use crate::civil::{HOUR_MS, MAX_INSTANT_MS, MINUTE_MS, SECOND_MS, Zone};
use crate::mutants::{Mutant, planted};

/// What an iterator keeps from one firing to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// The first hour that the clocks skipped, and the one that they went on with.
    skipped: Option<(u8, u8)>,
    /// The hour that the clocks were put back to, until the search comes to it.
    repeated: Option<u8>,
    /// The day last asked about, and whether the clocks change on it: the answer can depend on
    /// where in the day it was found, and is kept.
    changes: Option<(i64, bool)>,
}

struct Search<'a> {
    fields: &'a Fields,
    clock: Clock<'a>,
    seen: Seen,
}

/// The next firing after an instant within the range of JavaScript's dates; `None` at the limit of
/// steps. `#findSchedule`.
pub(super) fn advance(fields: &Fields, zone: &Zone, at_ms: i64, seen: &mut Seen) -> Option<i64> {
    let mut search = Search { fields, clock: Clock::at(zone, at_ms), seen: *seen };
    let found = search.find(at_ms);
    if found.is_some() {
        *seen = search.seen;
    } else {
        seen.changes = search.seen.changes;
    }
    found
}

impl Search<'_> {
    fn find(&mut self, at_ms: i64) -> Option<i64> {
        if at_ms.rem_euclid(SECOND_MS) != 0 {
            self.clock.floor(SECOND_MS);
            self.add(SECOND_MS);
        }
        let fields = self.fields;
        let mut steps = 1;
        while steps < STEP_LIMIT {
            let clock = &mut self.clock;
            if !has(fields.months(), clock.date.month) {
                steps += clock.leap_month().unwrap_or_else(|| {
                    clock.next_month();
                    1
                });
            } else if fields.allows_day(clock.date, clock.weekday) != Some(true) {
                // The month comes before the day, and the next one may be none of the pattern's.
                let most = clock.days_to_next_month();
                steps += clock.leap_days(fields, most).unwrap_or_else(|| {
                    clock.next_day();
                    1
                });
            } else {
                if self.hour_matches() {
                    if !has(fields.minutes(), self.clock.minute) {
                        self.next_minute();
                    } else if !has(fields.seconds(), self.clock.second) {
                        self.next_second();
                    } else if self.clock.ms == at_ms {
                        self.add(SECOND_MS);
                    } else {
                        return (self.clock.ms <= MAX_INSTANT_MS).then_some(self.clock.ms);
                    }
                }
                steps += 1;
            }
        }
        None
    }

    /// `#matchHour`: whether the hour is one of the pattern's; if not, it has moved on.
    fn hour_matches(&mut self) -> bool {
        let (hours, hour) = (self.fields.hours(), self.clock.hour);
        if let Some((first, landed)) = self.seen.skipped
            && landed == hour
        {
            let skipped = (0..24).map(|n| (first + n) % 24).take_while(|at| *at != landed);
            if skipped.into_iter().any(|at| has(hours, at)) {
                return true;
            }
        }
        if self.seen.repeated == Some(hour) && !planted(Mutant::Q7) {
            self.seen.repeated = None;
            self.add(HOUR_MS);
            return false;
        }
        if has(hours, hour) {
            return true;
        }
        self.seen.skipped = None;
        let Some(next) = above(hours, hour) else {
            self.clock.next_day();
            return false;
        };
        if self.day_changes_clocks() {
            for _ in hour..next {
                self.add(HOUR_MS);
                if self.clock.hour >= next {
                    break;
                }
            }
        } else {
            self.clock.set_part(HOUR_MS, 24, next);
        }
        self.clock.set_part(MINUTE_MS, 60, first(self.fields.minutes()));
        self.clock.set_part(SECOND_MS, 60, first(self.fields.seconds()));
        false
    }

    /// `#moveToNextMinute`.
    fn next_minute(&mut self) {
        let minutes = self.fields.minutes();
        let next = above(minutes, self.clock.minute).unwrap_or_else(|| {
            self.add(HOUR_MS);
            first(minutes)
        });
        self.clock.set_part(MINUTE_MS, 60, next);
        self.clock.set_part(SECOND_MS, 60, first(self.fields.seconds()));
    }

    /// `#moveToNextSecond`.
    fn next_second(&mut self) {
        let seconds = self.fields.seconds();
        let next = above(seconds, self.clock.second).unwrap_or_else(|| {
            self.add(MINUTE_MS);
            first(seconds)
        });
        self.clock.set_part(SECOND_MS, 60, next);
    }

    /// `#checkDstTransition`.
    fn day_changes_clocks(&mut self) -> bool {
        match self.seen.changes {
            Some((day, changes)) if day == self.clock.days => changes,
            _ => {
                let changes = self.clock.day_changes_clocks();
                self.seen.changes = Some((self.clock.days, changes));
                changes
            }
        }
    }

    /// `applyDateOperation`, for an hour, a minute or a second more.
    fn add(&mut self, unit_ms: i64) {
        let clock = &mut self.clock;
        let (hour, offset) = (clock.hour, clock.offset_ms());
        if unit_ms == SECOND_MS {
            clock.add_second();
        } else {
            clock.next_unit(unit_ms);
        }
        if self.fields.any_hour() {
            return;
        }
        let crossed = (clock.hour + 24 - hour) % 24;
        if clock.offset_ms() > offset && crossed >= 2 {
            self.seen.skipped = Some(((hour + 1) % 24, clock.hour));
        } else if crossed == 0 && clock.minute == 0 && clock.second == 0 {
            self.seen.repeated = Some(clock.hour);
        }
    }
}

/// The lowest bit above `at`.
fn above(bits: u64, at: u8) -> Option<u8> {
    let above = bits >> at >> 1;
    (above != 0).then(|| at + 1 + above.trailing_zeros() as u8)
}

/// The lowest bit.
fn first(bits: u64) -> u8 {
    bits.trailing_zeros() as u8
}
