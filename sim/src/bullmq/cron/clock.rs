//! The local clock that a search for a firing moves on, as luxon 3.7.2 moves it.
//!
//! It refuses to guess near a change of clocks: a leap stops before one, and each step over it
//! is luxon's own arithmetic, with what cron-parser 4.9.0 does to get out of its corners. 5.10.3
//! stays in them until its search gives up.

use super::fields::Fields;
use crate::civil::{DAY_MS, Date, HOUR_MS, SECOND_MS, Span, Zone, days_in_month, weekday};

/// cron-parser 4.9.0 and 5.10.3: `LOOP_LIMIT`; a date found at this step is one too late.
pub(super) const STEP_LIMIT: u32 = 10_000;

/// A luxon `DateTime` that moves: an instant, and what a local clock shows at it.
#[derive(Clone, Copy)]
pub(super) struct Clock<'z> {
    zone: &'z Zone,
    pub(super) ms: i64,
    span: Span,
    /// Days from 1970-01-01 to the date.
    pub(super) days: i64,
    pub(super) date: Date,
    pub(super) weekday: u8,
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
}

impl<'z> Clock<'z> {
    pub(super) fn at(zone: &'z Zone, ms: i64) -> Clock<'z> {
        let mut clock = Clock {
            zone,
            ms,
            span: zone.span_at(ms),
            days: 0,
            date: Date::from_days(0),
            weekday: weekday(0),
            hour: 0,
            minute: 0,
            second: 0,
        };
        clock.set(ms);
        clock
    }

    fn set(&mut self, ms: i64) {
        if !self.span.contains(ms) {
            self.span = self.zone.span_at(ms);
        }
        self.ms = ms;
        let local = self.local();
        let days = local.div_euclid(DAY_MS);
        if days != self.days {
            self.days = days;
            self.date = Date::from_days(days);
            self.weekday = weekday(days);
        }
        let second = local.rem_euclid(DAY_MS) / SECOND_MS;
        self.hour = (second / 3_600) as u8;
        self.minute = (second / 60 % 60) as u8;
        self.second = (second % 60) as u8;
    }

    fn local(&self) -> i64 {
        self.ms + self.span.offset_ms
    }

    /// The instant of today's midnight, had the clocks not been changed since.
    fn midnight(&self) -> i64 {
        self.days * DAY_MS - self.span.offset_ms
    }

    /// Goes to the start of the nth next second, minute or hour, or of an earlier one if the
    /// clocks change before it. `None` if they change before the first.
    #[inline]
    pub(super) fn leap(&mut self, unit_ms: i64, n: u32) -> Option<u32> {
        let floor = self.ms - self.local().rem_euclid(unit_ms);
        // luxon adds first and rounds down then, so one unit more has to be free.
        let room = (self.span.end_ms - floor) / unit_ms - 1;
        let n = i64::from(n).min(room);
        if n < 1 {
            return None;
        }
        self.set(floor + n * unit_ms);
        u32::try_from(n).ok()
    }

    /// Goes to midnight of the next day that is allowed, or of an earlier one if the clocks
    /// change before it, or if it is so many days ahead. `None` if they change before the first.
    pub(super) fn leap_days(&mut self, fields: &Fields, most: u32) -> Option<u32> {
        let midnight = self.midnight();
        let room = ((self.span.end_ms - midnight) / DAY_MS - 1).min(i64::from(most));
        let room = u32::try_from(room).ok()?;
        let (mut n, mut date, mut weekday) = (0, self.date, self.weekday);
        while n < room {
            n += 1;
            date = date.tomorrow();
            weekday = (weekday + 1) % 7;
            if fields.allows_day(date, weekday) != Some(false) {
                break;
            }
        }
        if n == 0 {
            return None;
        }
        self.set(midnight + i64::from(n) * DAY_MS);
        Some(n)
    }

    /// Goes to the next month, unless the clocks change before its end.
    pub(super) fn leap_month(&mut self) -> Option<u32> {
        let next = self.midnight() + i64::from(self.days_to_next_month()) * DAY_MS;
        if next + 31 * DAY_MS > self.span.end_ms {
            return None;
        }
        self.set(next);
        Some(1)
    }

    /// How many days the first of the next month is ahead.
    pub(super) fn days_to_next_month(&self) -> u32 {
        u32::from(days_in_month(self.date.year, self.date.month) - self.date.day) + 1
    }

    /// luxon 3.7.2: `offset`, but in milliseconds.
    pub(super) fn offset_ms(&self) -> i64 {
        self.span.offset_ms
    }

    /// luxon 3.7.2: `fixOffset`, which finds the instant of a local time, from a guess of the
    /// offset that settles which one it is if there are two.
    fn show(&mut self, local: i64) {
        let guess = self.span.offset_ms;
        let first = local - guess;
        let there = self.zone.span_at(first).offset_ms;
        let second = local - there;
        let then = self.zone.span_at(second).offset_ms;
        if there == guess || then == there {
            self.set(second);
        } else {
            self.set(local - there.min(then));
        }
    }

    /// luxon 3.7.2: `startOf`, for a day or less.
    pub(super) fn floor(&mut self, unit_ms: i64) {
        let local = self.local();
        self.show(local - local.rem_euclid(unit_ms));
    }

    /// cron-parser 4.9.0: `addHour`.
    pub(super) fn add_hour(&mut self) {
        let before = self.ms;
        self.set(before + HOUR_MS);
        self.floor(HOUR_MS);
        if self.ms <= before {
            self.set(self.ms + HOUR_MS);
        }
    }

    /// cron-parser 4.9.0: `addMinute` and `addSecond`.
    pub(super) fn add_short(&mut self, unit_ms: i64) {
        let before = self.ms;
        self.set(before + unit_ms);
        self.floor(unit_ms);
        if self.ms < before {
            self.set(self.ms + HOUR_MS);
        }
    }

    /// cron-parser 4.9.0: `addDay`.
    pub(super) fn add_day(&mut self) {
        let before = self.ms;
        self.next_day();
        self.push_on(before);
    }

    /// cron-parser 4.9.0: `addMonth`.
    pub(super) fn add_month(&mut self) {
        let before = self.ms;
        self.next_month();
        self.push_on(before);
    }

    /// cron-parser 5.10.3: `addHour` and `addMinute`. It may go back where the clocks do.
    pub(super) fn next_unit(&mut self, unit_ms: i64) {
        self.set(self.ms + unit_ms);
        self.floor(unit_ms);
    }

    /// cron-parser 5.10.3: `addSecond`.
    pub(super) fn add_second(&mut self) {
        self.set(self.ms + SECOND_MS);
    }

    /// cron-parser 5.10.3: `addDay`.
    pub(super) fn next_day(&mut self) {
        self.show(self.local() + DAY_MS);
        self.floor(DAY_MS);
    }

    /// cron-parser 5.10.3: `addMonth`.
    pub(super) fn next_month(&mut self) {
        let next = self.date.next_month();
        let day = self.date.day.min(days_in_month(next.year, next.month));
        let time = self.local().rem_euclid(DAY_MS);
        self.show(Date { day, ..next }.to_days() * DAY_MS + time);
        let first = Date { day: 1, ..self.date };
        self.show(first.to_days() * DAY_MS);
    }

    /// luxon 3.7.2: `set`, for the hour (of 24), the minute or the second (of 60).
    pub(super) fn set_part(&mut self, unit_ms: i64, of: i64, to: u8) {
        let local = self.local();
        let now = local.div_euclid(unit_ms).rem_euclid(of);
        self.show(local + (i64::from(to) - now) * unit_ms);
    }

    /// Whether the first and the last millisecond of the day, as luxon's `startOf` and `endOf`
    /// find them from here, differ in their offset.
    pub(super) fn day_changes_clocks(&self) -> bool {
        let (mut first, mut last) = (*self, *self);
        first.floor(DAY_MS);
        last.next_day();
        last.set(last.ms - 1);
        first.offset_ms() != last.offset_ms()
    }

    /// cron-parser 4.9.0: the way out where a day or a month more is the same instant. It has
    /// one for 59:59 too, which is for searching backwards.
    fn push_on(&mut self, before: i64) {
        if self.ms == before && self.minute == 0 && self.second == 0 {
            self.add_hour();
        }
    }
}
