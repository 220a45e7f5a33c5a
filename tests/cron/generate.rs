//! Triples of a pattern, a zone and a start, from a seed: patterns of all syntax and of none, and
//! starts around the changes of the zones' clocks.

use bootrace_sim::civil::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Zone};

/// Zones whose clocks are put forward and back at odd hours, by odd amounts, or were once.
pub(crate) const ZONES: [&str; 72] = [
    "UTC",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "Africa/Juba",
    "Africa/Tripoli",
    "Africa/Tunis",
    "Africa/Windhoek",
    "America/Anchorage",
    "America/Araguaina",
    "America/Asuncion",
    "America/Bahia",
    "America/Bogota",
    "America/Buenos_Aires",
    "America/Cancun",
    "America/Caracas",
    "America/Chicago",
    "America/Cuiaba",
    "America/Goose_Bay",
    "America/Grand_Turk",
    "America/Guatemala",
    "America/Halifax",
    "America/Havana",
    "America/Los_Angeles",
    "America/Metlakatla",
    "America/Mexico_City",
    "America/Montevideo",
    "America/New_York",
    "America/Nuuk",
    "America/Port-au-Prince",
    "America/Punta_Arenas",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "Antarctica/Casey",
    "Antarctica/Davis",
    "Antarctica/Macquarie",
    "Antarctica/Troll",
    "Asia/Almaty",
    "Asia/Amman",
    "Asia/Baghdad",
    "Asia/Beirut",
    "Asia/Colombo",
    "Asia/Damascus",
    "Asia/Dhaka",
    "Asia/Gaza",
    "Asia/Hebron",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Asia/Ulaanbaatar",
    "Atlantic/Azores",
    "Atlantic/Stanley",
    "Australia/Adelaide",
    "Australia/Eucla",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Chisinau",
    "Europe/Dublin",
    "Europe/London",
    "Europe/Moscow",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Fakaofo",
    "Pacific/Norfolk",
];

/// Random numbers from a seed: splitmix64.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Draw(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another one.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + (self.next() % (most - least + 1) as u64) as i64
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A zone with the instants at which its offset changes, within the time that is drawn from.
pub(crate) struct Place {
    pub(crate) zone: Zone,
    pub(crate) changes: Vec<i64>,
    /// The time that starts are drawn from.
    pub(crate) from: i64,
    pub(crate) until: i64,
    /// From when on the zone is another one to Node, if it is.
    pub(crate) differs: Option<i64>,
}

/// An instant: mostly within hours of a change, else any.
fn start(draw: &mut Draw, place: &Place) -> i64 {
    let (from, until) = (place.from, place.until);
    let ms = match place.changes[..] {
        [] => draw.between(from, until),
        _ if draw.chance(20) => draw.between(from, until),
        ref changes => {
            let far = draw.of(&[MINUTE_MS, 2 * HOUR_MS, 2 * HOUR_MS, DAY_MS, DAY_MS, 8 * DAY_MS]);
            draw.of(changes) + draw.between(-far, far / 2)
        }
    };
    let grain = draw.of(&[1, SECOND_MS, SECOND_MS, MINUTE_MS, 15 * MINUTE_MS, HOUR_MS]);
    ms.div_euclid(grain) * grain
}

/// The hour, minute, day, month and weekday that a place's clocks show at an instant.
fn shown(place: &Place, ms: i64) -> (i64, i64, i64, i64, i64) {
    let local = ms + i64::from(place.zone.offset_s(ms)) * SECOND_MS;
    let days = local.div_euclid(DAY_MS);
    let date = bootrace_sim::civil::Date::from_days(days);
    let minutes = local.rem_euclid(DAY_MS) / MINUTE_MS;
    let weekday = bootrace_sim::civil::weekday(days);
    (minutes / 60, minutes % 60, date.day.into(), date.month.into(), weekday.into())
}

/// A pattern and a start.
pub(crate) fn pair(draw: &mut Draw, place: &Place) -> (String, i64) {
    let start = start(draw, place);
    let pattern = match draw.below(100) {
        0 => words(draw),
        1 => alias(draw),
        2..6 => any_fields(draw),
        _ => near(draw, place, start),
    };
    (pattern, start)
}

/// Aliases, of both dialects, of one, of none.
fn alias(draw: &mut Draw) -> String {
    let known = [
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@hourly",
        "@minutely",
        "@secondly",
        "@weekdays",
        "@weekends",
        "@reboot",
        "@Daily",
        " @daily",
        "@midnight",
        "",
        " ",
        "@",
    ];
    draw.of(&known).to_owned()
}

/// Letters of the syntax and others in no order.
fn words(draw: &mut Draw) -> String {
    let letters = [
        "0", "1", "5", "31", "7", "*", "?", "/", "-", ",", "L", "#", " ", " ", " ", "mon", "JUL",
        "x", "é", "\u{a0}", "\t", "W", "+", ".", "H", "~", "1e3", "0x1",
    ];
    (0..draw.between(1, 14)).map(|_| draw.of(&letters)).collect()
}

/// A field with all that it may have, and some that it may not.
fn entry(draw: &mut Draw, least: i64, most: i64, names: &[&str]) -> String {
    let wide = (least - i64::from(draw.chance(3)), most + i64::from(draw.chance(3)));
    let number = |draw: &mut Draw| {
        if !names.is_empty() && draw.chance(30) {
            let name = draw.of(names).to_owned();
            return if draw.chance(30) { name.to_uppercase() } else { name };
        }
        let number = draw.between(wide.0, wide.1);
        if draw.chance(3) { format!("0{number}") } else { number.to_string() }
    };
    match draw.below(20) {
        0..7 => number(draw),
        7..11 => {
            let (a, b) = (draw.between(least, most), draw.between(least, most));
            let (a, b) = if draw.chance(95) { (a.min(b), a.max(b)) } else { (a, b) };
            format!("{a}-{b}")
        }
        11 => format!("{}-{}", number(draw), number(draw)),
        12 | 13 => format!("*/{}", draw.between(0, most.min(20))),
        14 => format!("{}/{}", number(draw), draw.between(1, 9)),
        15 => {
            let (a, b) = (draw.between(least, most), draw.between(least, most));
            format!("{}-{}/{}", a.min(b), a.max(b), draw.between(1, 9))
        }
        16 => "*".to_owned(),
        17 => draw.of(&["*", "?", "?/2", "?-3", "*-5", "5*", "*,?"]).to_owned(),
        18 if draw.chance(50) => {
            draw.of(&["L", "5L", "L3", "1L-5", "1-5L", "12L", "LL"]).to_owned()
        }
        18 => format!(
            "{}#{}",
            number(draw),
            draw.of(&["1", "2", "3", "4", "5", "0", "6", "2.5", "01", "", "0b10"])
        ),
        _ => draw
            .of(&[
                "-",
                "/5",
                "5/",
                "1-",
                "-1",
                "1-5-9",
                "1/2/3",
                "",
                "99999999999999999999999",
                "5/0",
                "1/-1",
                "0-0",
                "7-7",
            ])
            .to_owned(),
    }
}

fn field(draw: &mut Draw, least: i64, most: i64, names: &[&str]) -> String {
    let count = draw.of(&[1, 1, 1, 1, 1, 2, 2, 3, 4]);
    (0..count).map(|_| entry(draw, least, most, names)).collect::<Vec<_>>().join(",")
}

const MONTHS: [&str; 13] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mon"];
const WEEKDAYS: [&str; 8] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat", "JUL"];

/// Fields that know nothing of the start.
fn any_fields(draw: &mut Draw) -> String {
    let ranges: [(i64, i64, &[&str]); 6] = [
        (0, 59, &[]),
        (0, 59, &[]),
        (0, 23, &[]),
        (1, 31, &[]),
        (1, 12, &MONTHS),
        (0, 7, &WEEKDAYS),
    ];
    let count = draw.of(&[1, 2, 4, 5, 5, 5, 5, 6, 6, 6, 7]);
    let fields = (0..count).map(|at: usize| {
        let (least, most, names) = ranges[(at + 6_usize.saturating_sub(count)).min(5)];
        if draw.chance(60) { "*".to_owned() } else { field(draw, least, most, names) }
    });
    fields.collect::<Vec<_>>().join(" ")
}

/// Fields around what the clocks show at the start or hours later, so that firings are near and
/// few steps apart; one in three has one field with anything in it.
fn near(draw: &mut Draw, place: &Place, start: i64) -> String {
    let ahead = draw.of(&[0, 0, 1, 2, 3, 6, 24, 26]) * HOUR_MS;
    let (hour, minute, day, month, weekday) = shown(place, start + ahead);
    let any = draw.below(18);
    let minutes = match draw.below(8) {
        0 => "*".to_owned(),
        1 => format!("*/{}", draw.of(&[5, 7, 10, 15, 20, 30])),
        2 => format!("{minute}"),
        3 => field(draw, 0, 59, &[]),
        _ => draw.of(&["0", "0", "30", "15", "45", "59", "0,30", "1", "29,59", "0-5"]).to_owned(),
    };
    let hours = match draw.below(10) {
        0 | 1 => "*".to_owned(),
        2 => format!("{},{}", hour.min(22), hour.min(22) + 1),
        3 => format!("{}-{}", (hour - 1).max(0), (hour + 1).min(23)),
        4 => draw
            .of(&["*/2", "1-23/2", "0-23", "0", "23", "1", "2", "3", "0,12", "1,2,3"])
            .to_owned(),
        5 => field(draw, 0, 23, &[]),
        _ => (hour + draw.between(-1, 2)).rem_euclid(24).to_string(),
    };
    let days = match draw.below(12) {
        0 => format!("{day}"),
        1 => format!("{}-{}", day.min(27), day.min(27) + 2),
        2 => draw.of(&["*/2", "1-31", "L", "?", "1,15", "1-7", "*/3"]).to_owned(),
        3 if any == 0 => field(draw, 1, 31, &[]),
        _ => "*".to_owned(),
    };
    let months = match draw.below(12) {
        0 => format!("{month}"),
        1 => format!("{},{}", month.min(11), month.min(11) + 1),
        2 => draw.of(&["*/2", "?", "1-12", "mar-nov", "jan-jun,jul-dec", "*/3"]).to_owned(),
        3 if any == 1 => field(draw, 1, 12, &MONTHS),
        _ => "*".to_owned(),
    };
    let weekdays = match draw.below(12) {
        0 => format!("{weekday}"),
        1 => draw
            .of(&["0-6", "1-5", "0", "7", "sun", "sat,sun", "?", "0-7", "*/2", "1-7"])
            .to_owned(),
        2 => format!("{weekday}{}", draw.of(&["L", "#1", "#2", "#3", "#4", ",3L"])),
        3 if any == 2 => field(draw, 0, 7, &WEEKDAYS),
        _ => "*".to_owned(),
    };
    let fields = [minutes, hours, days, months, weekdays].join(" ");
    match draw.below(10) {
        0 => format!("{} {fields}", draw.of(&["*/15", "30", "0,59", "*", "59", "10-20/5"])),
        1 => format!("0 {fields}"),
        _ => fields,
    }
}
