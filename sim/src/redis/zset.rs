//! A sorted set: members with scores, ordered by score and then bytewise by member.
//!
//! The commands use only the methods of this type, so that its insides can change: a map from member
//! to score beside a counted tree ([`tree`]), so nothing but a walk over what is asked for takes
//! linear time. Ranges come as [`Elements`]. It holds no NaN.

mod tree;

use std::fmt;
use std::hash::BuildHasherDefault;

use super::bytes::{Bytes, FrozenHasher};
use super::mutants::{Mutant, planted};
use super::value::Small;
pub use tree::Elements;
use tree::{Element, Tree};

/// One end of a range of scores, as ZRANGEBYSCORE writes it: `5`, `(5`, `-inf`, `+inf`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ScoreBound {
    /// The score itself belongs to the range: `5`.
    Incl(f64),
    /// The score itself does not belong to the range: `(5`.
    Excl(f64),
}

impl ScoreBound {
    /// Below every score: `-inf`.
    pub const NEG_INF: ScoreBound = ScoreBound::Incl(f64::NEG_INFINITY);
    /// Above every score: `+inf`.
    pub const POS_INF: ScoreBound = ScoreBound::Incl(f64::INFINITY);

    /// Whether `score` is in a range that begins here.
    #[inline]
    fn admits_from(self, score: f64) -> bool {
        match self {
            ScoreBound::Incl(bound) => score >= bound,
            ScoreBound::Excl(bound) if planted(Mutant::R5) => score >= bound,
            ScoreBound::Excl(bound) => score > bound,
        }
    }

    /// Whether `score` is in a range that ends here.
    #[inline]
    fn admits_to(self, score: f64) -> bool {
        match self {
            ScoreBound::Incl(bound) => score <= bound,
            ScoreBound::Excl(bound) if planted(Mutant::R5) => score <= bound,
            ScoreBound::Excl(bound) => score < bound,
        }
    }
}

/// One end of a range of members, as ZRANGEBYLEX writes it: `-`, `+`, `[m`, `(m`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum LexBound {
    /// Before every member: `-`.
    Least,
    /// After every member: `+`.
    Greatest,
    /// The member itself belongs to the range: `[m`.
    Incl(Bytes),
    /// The member itself does not belong to the range: `(m`.
    Excl(Bytes),
}

impl LexBound {
    /// Whether `member` is in a range that begins here.
    fn admits_from(&self, member: &Bytes) -> bool {
        match self {
            LexBound::Least => true,
            LexBound::Greatest => false,
            LexBound::Incl(bound) => member >= bound,
            LexBound::Excl(bound) => member > bound,
        }
    }

    /// Whether `member` is in a range that ends here.
    fn admits_to(&self, member: &Bytes) -> bool {
        match self {
            LexBound::Least => false,
            LexBound::Greatest => true,
            LexBound::Incl(bound) => member <= bound,
            LexBound::Excl(bound) => member < bound,
        }
    }
}

/// Members with scores, in an order that only [`Zset::at`] shows.
type Scores = indexmap::IndexMap<Bytes, f64, BuildHasherDefault<FrozenHasher>>;

/// A sorted set.
#[derive(Clone, Default)]
pub struct Zset {
    scores: Scores,
    order: Tree,
    /// It was once too large for a listpack, and so is a skip list in Redis ever since.
    large: bool,
}

/// Equal members with equal scores.
impl PartialEq for Zset {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Members with their scores, in order.
impl fmt::Debug for Zset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// What [`Zset::insert`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Inserted {
    /// The member is new.
    Added,
    /// The member was there with another score.
    Updated,
    /// The member was there with this score.
    Unchanged,
}

impl Zset {
    /// What it is in Redis: see OBJECT ENCODING.
    pub(super) fn encoding(&self) -> &'static str {
        if self.large { "skiplist" } else { "listpack" }
    }

    /// Makes it a skip list in Redis, whatever its size.
    pub(super) fn enlarge(&mut self) {
        self.large = true;
    }

    /// Whether it is a skip list in Redis.
    pub(super) fn is_large(&self) -> bool {
        self.large
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// A sorted set of distinct members, made as Redis makes the result of several: large, unless it
    /// turns out to be small.
    pub(super) fn gathered(elements: impl IntoIterator<Item = (Bytes, f64)>) -> Zset {
        let mut zset = Zset { large: true, ..Zset::default() };
        for (member, score) in elements {
            zset.insert(member, score, Small { entries: 0, bytes: 0 });
        }
        zset
    }

    /// A listpack of this, if it may be one.
    pub(super) fn settled(self, small: Small) -> Zset {
        let longest = self.scores.keys().map(|member| member.len()).max().unwrap_or(0);
        if !small.fits(self.len(), longest) {
            return self;
        }
        let mut zset = Zset::default();
        for (member, score) in self.iter() {
            zset.insert(member.clone(), score, small);
        }
        zset
    }

    /// Sets the score of `member`, which may be new. A listpack writes -0 as 0.
    ///
    /// # Panics
    /// If `score` is NaN: the commands refuse it before.
    #[inline]
    pub(super) fn insert(&mut self, member: Bytes, score: f64, small: Small) -> Inserted {
        use indexmap::map::Entry;
        assert!(!score.is_nan(), "a score is a number");
        let len = self.scores.len();
        match self.scores.entry(member) {
            Entry::Occupied(entry) if *entry.get() == score => Inserted::Unchanged,
            Entry::Occupied(mut entry) => {
                let score = if self.large { score } else { score + 0.0 };
                let old = entry.insert(score);
                self.order.remove(old, entry.key());
                self.order.insert(Element { score, member: entry.key().clone() });
                Inserted::Updated
            }
            Entry::Vacant(entry) => {
                self.large |= !small.fits(len + 1, entry.key().len());
                let score = if self.large { score } else { score + 0.0 };
                self.order.insert(Element { score, member: entry.key().clone() });
                entry.insert(score);
                Inserted::Added
            }
        }
    }

    /// Removes `member`; whether it was there.
    #[inline]
    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        match self.scores.swap_remove(member) {
            Some(score) => self.order.remove(score, member),
            None => false,
        }
    }

    /// The score of `member`.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// How many elements come before `member`.
    pub(super) fn rank(&self, member: &[u8]) -> Option<usize> {
        Some(self.order.rank(self.score(member)?, member))
    }

    /// The first element.
    #[inline]
    pub fn first(&self) -> Option<(&Bytes, f64)> {
        self.order.first().map(|first| (&first.member, first.score))
    }

    /// Removes and returns the first element.
    #[inline]
    pub(super) fn pop_first(&mut self) -> Option<(Bytes, f64)> {
        self.pop(0)
    }

    /// Removes and returns the last element.
    pub(super) fn pop_last(&mut self) -> Option<(Bytes, f64)> {
        self.pop(self.len().checked_sub(1)?)
    }

    #[inline]
    fn pop(&mut self, rank: usize) -> Option<(Bytes, f64)> {
        let Element { score, member } = self.order.remove_at(rank)?;
        self.scores.swap_remove(&member);
        Some((member, score))
    }

    /// All elements in order.
    pub fn iter(&self) -> Elements<'_> {
        self.by_rank(0, self.len())
    }

    /// The element with this place in an order without meaning: a member keeps its place until
    /// another is removed, and may then come before it only. For ZSCAN and random members.
    pub(super) fn at(&self, place: usize) -> Option<(&Bytes, f64)> {
        self.scores.get_index(place).map(|(member, score)| (member, *score))
    }

    /// The elements of the ranks from `start` (0 is the first) up to but without `end`, ascending.
    pub fn by_rank(&self, start: usize, end: usize) -> Elements<'_> {
        Elements::new(&self.order, start, end, false)
    }

    /// The elements of [`Zset::by_rank`], descending.
    pub fn by_rank_rev(&self, start: usize, end: usize) -> Elements<'_> {
        Elements::new(&self.order, start, end, true)
    }

    /// The elements with a score from `min` to `max`, ascending.
    #[inline]
    pub fn by_score(&self, min: ScoreBound, max: ScoreBound) -> Elements<'_> {
        self.scores_between(min, max, false)
    }

    /// The elements of [`Zset::by_score`], descending.
    #[inline]
    pub fn by_score_rev(&self, min: ScoreBound, max: ScoreBound) -> Elements<'_> {
        self.scores_between(min, max, true)
    }

    #[inline]
    fn scores_between(&self, min: ScoreBound, max: ScoreBound, descending: bool) -> Elements<'_> {
        // Most calls find nothing due yet, which the first element tells.
        match self.order.first() {
            Some(first) if max.admits_to(first.score) => {
                let from = match min.admits_from(first.score) {
                    true => 0,
                    false => self.order.count(|element| !min.admits_from(element.score)),
                };
                let to = self.order.count(|element| max.admits_to(element.score));
                Elements::new(&self.order, from, to, descending)
            }
            _ => Elements::default(),
        }
    }

    /// The elements with a member from `min` to `max`, if all scores are the same. If not, what
    /// comes is as arbitrary as in Redis, and the same while the set is a listpack.
    pub(super) fn by_lex(&self, min: &LexBound, max: &LexBound, descending: bool) -> Elements<'_> {
        let (from, to) = if self.large {
            (
                self.order.count(|element| !min.admits_from(&element.member)),
                self.order.count(|element| max.admits_to(&element.member)),
            )
        } else {
            self.walk_lex(min, max, descending)
        };
        Elements::new(&self.order, from, to, descending)
    }

    /// Finds the ranks of a range of members as Redis does in a listpack, from one end.
    fn walk_lex(&self, min: &LexBound, max: &LexBound, descending: bool) -> (usize, usize) {
        let (first, last) = (self.iter().next(), self.by_rank_rev(0, self.len()).next());
        let apart = first.is_none_or(|(member, _)| !max.admits_to(member))
            || last.is_none_or(|(member, _)| !min.admits_from(member));
        if apart {
            return (0, 0);
        }
        if descending {
            let walk = || self.by_rank_rev(0, self.len());
            let left = walk().take_while(|(member, _)| !max.admits_to(member)).count();
            let found = walk().skip(left).take_while(|(member, _)| min.admits_from(member));
            let to = self.len() - left;
            (to - found.count(), to)
        } else {
            let from = self.iter().take_while(|(member, _)| !min.admits_from(member)).count();
            let found = self.iter().skip(from).take_while(|(member, _)| max.admits_to(member));
            (from, from + found.count())
        }
    }

    /// Removes the elements of the ranks from `start` up to but without `end`; how many.
    pub(super) fn remove_by_rank(&mut self, start: usize, end: usize) -> usize {
        (start..end.min(self.len())).filter(|_| self.pop(start).is_some()).count()
    }

    /// Removes the elements with a score from `min` to `max`; how many.
    pub(super) fn remove_by_score(&mut self, min: ScoreBound, max: ScoreBound) -> usize {
        let (from, to) = self.by_score(min, max).ranks();
        self.remove_by_rank(from, to)
    }

    /// Removes the elements with a member from `min` to `max`; how many.
    pub(super) fn remove_by_lex(&mut self, min: &LexBound, max: &LexBound) -> usize {
        let (from, to) = self.by_lex(min, max, false).ranks();
        self.remove_by_rank(from, to)
    }
}

/// The text of a score in a reply of protocol version 2, and so in a Lua script: C's `%.17g`.
///
/// An infinity is `inf` or `-inf`. Only a script can make what is no number: `nan` or `-nan`.
pub fn score_text(score: f64) -> Bytes {
    const EXACT: f64 = 1e15;
    if score.fract() == 0.0 && score.abs() < EXACT && !(score == 0.0 && score.is_sign_negative()) {
        return Bytes::from_int(score as i64);
    }
    if score.is_nan() {
        return Bytes::from(if score.is_sign_negative() { "-nan" } else { "nan" });
    }
    if score.is_infinite() {
        return Bytes::from(if score > 0.0 { "inf" } else { "-inf" });
    }
    // Rust rounds correctly to any number of digits, as glibc does.
    let scientific = format!("{score:.16e}");
    let (digits, exponent) = scientific.split_once('e').expect("`e` is in the format");
    let exponent: i32 = exponent.parse().expect("an exponent is an integer");
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    if (-4..17).contains(&exponent) {
        let places = usize::try_from(16 - exponent).expect("the exponent is below 17");
        return Bytes::from(trim(&format!("{score:.places$}")));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    Bytes::from(format!("{}e{sign}{:02}", trim(digits), exponent.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SMALL: Small = Small { entries: 128, bytes: 64 };

    /// The naive model: a vector sorted anew after each change.
    #[derive(Default)]
    struct Naive(Vec<(f64, Vec<u8>)>);

    impl Naive {
        fn insert(&mut self, member: &[u8], score: f64) -> Inserted {
            let old = self.0.iter().position(|(_, m)| m == member);
            let was = old.map(|at| self.0.remove(at).0);
            self.0.push((score, member.to_vec()));
            self.0.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
            match was {
                None => Inserted::Added,
                Some(was) if was == score => Inserted::Unchanged,
                Some(_) => Inserted::Updated,
            }
        }

        fn drain(&mut self, doomed: impl Fn(usize, f64) -> bool) -> usize {
            let before = self.0.len();
            let mut rank = 0;
            self.0.retain(|(score, _)| {
                rank += 1;
                !doomed(rank - 1, *score)
            });
            before - self.0.len()
        }
    }

    fn owned<'a>(elements: impl Iterator<Item = (&'a Bytes, f64)>) -> Vec<(f64, Vec<u8>)> {
        elements.map(|(member, score)| (score, member.to_vec())).collect()
    }

    fn score() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => (-3..4_i8).prop_map(f64::from),
            1 => Just(f64::INFINITY),
            1 => Just(f64::NEG_INFINITY),
            1 => Just(-0.0),
            1 => Just(0.1),
        ]
    }

    fn bound() -> impl Strategy<Value = ScoreBound> {
        prop_oneof![score().prop_map(ScoreBound::Incl), score().prop_map(ScoreBound::Excl)]
    }

    #[derive(Clone, Debug)]
    enum Op {
        Insert(Vec<u8>, f64),
        Remove(Vec<u8>),
        Pop,
        RemoveRanks(usize, usize),
        RemoveScores(ScoreBound, ScoreBound),
        Check(ScoreBound, ScoreBound, usize, usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        let member = || "[a-c]{0,2}".prop_map(String::into_bytes);
        prop_oneof![
            6 => (member(), score()).prop_map(|(m, s)| Op::Insert(m, s)),
            2 => member().prop_map(Op::Remove),
            1 => Just(Op::Pop),
            1 => (0..9_usize, 0..9_usize).prop_map(|(a, b)| Op::RemoveRanks(a, b)),
            1 => (bound(), bound()).prop_map(|(a, b)| Op::RemoveScores(a, b)),
            4 => (bound(), bound(), 0..9_usize, 0..9_usize)
                .prop_map(|(a, b, c, d)| Op::Check(a, b, c, d)),
        ]
    }

    fn within(min: ScoreBound, max: ScoreBound, score: f64) -> bool {
        let above = match min {
            ScoreBound::Incl(bound) => score >= bound,
            ScoreBound::Excl(bound) => score > bound,
        };
        above && max.admits_to(score)
    }

    fn apply(op: Op, zset: &mut Zset, naive: &mut Naive) -> Result<(), TestCaseError> {
        match op {
            Op::Insert(m, s) => {
                prop_assert_eq!(
                    zset.insert(Bytes::from(m.as_slice()), s, SMALL),
                    naive.insert(&m, s + 0.0)
                );
            }
            Op::Remove(m) => {
                let at = naive.0.iter().position(|(_, member)| *member == m);
                prop_assert_eq!(zset.score(&m), at.map(|at| naive.0[at].0));
                prop_assert_eq!(zset.remove(&m), at.map(|at| naive.0.remove(at)).is_some());
            }
            Op::Pop => {
                let popped = zset.pop_first().map(|(m, s)| (s, m.to_vec()));
                let first = (!naive.0.is_empty()).then(|| naive.0.remove(0));
                prop_assert_eq!(popped, first);
            }
            Op::RemoveRanks(a, b) => {
                let gone = naive.drain(|rank, _| (a..b).contains(&rank));
                prop_assert_eq!(zset.remove_by_rank(a, b), gone);
            }
            Op::RemoveScores(min, max) => {
                let gone = naive.drain(|_, score| within(min, max, score));
                prop_assert_eq!(zset.remove_by_score(min, max), gone);
            }
            Op::Check(min, max, a, b) => {
                let mut found: Vec<_> = naive.0.clone();
                found.retain(|(score, _)| within(min, max, *score));
                prop_assert_eq!(owned(zset.by_score(min, max)), found.clone());
                found.reverse();
                prop_assert_eq!(owned(zset.by_score_rev(min, max)), found);
                let ranks: Vec<_> = naive.0.iter().take(b).skip(a.min(b)).cloned().collect();
                prop_assert_eq!(owned(zset.by_rank(a, b)), ranks.clone());
                prop_assert_eq!(
                    owned(zset.by_rank_rev(a, b)),
                    ranks.into_iter().rev().collect::<Vec<_>>()
                );
            }
        }
        prop_assert_eq!(owned(zset.iter()), naive.0.clone());
        prop_assert_eq!(zset.len(), naive.0.len());
        prop_assert_eq!(zset.first().map(|(m, s)| (s, m.to_vec())), naive.0.first().cloned());
        Ok(())
    }

    fn lex_bound() -> impl Strategy<Value = LexBound> {
        let member = || "[a-c0-9]{0,3}".prop_map(Bytes::from);
        prop_oneof![
            1 => Just(LexBound::Least),
            1 => Just(LexBound::Greatest),
            4 => member().prop_map(LexBound::Incl),
            4 => member().prop_map(LexBound::Excl),
        ]
    }

    /// What is done to a set that is large enough to be a tree of three levels: members that come
    /// and change (of the scores so many), ranks that go, and how many of each are tried.
    fn steps() -> impl Strategy<Value = Vec<(bool, u32, u8)>> {
        let step =
            |inserts: u32| (prop::bool::weighted(f64::from(inserts) / 8.0), 0..4_000_u32, 0..4_u8);
        let many = |inserts, count| prop::collection::vec(step(inserts), count);
        (many(7, 0..4_000_usize), many(2, 0..3_000_usize))
            .prop_map(|(grow, shrink)| grow.into_iter().chain(shrink).collect())
    }

    fn by_steps(steps: &[(bool, u32, u8)], scores: u8) -> (Zset, Vec<(f64, Vec<u8>)>) {
        let (mut zset, mut sorted) = (Zset::default(), Vec::<(f64, Vec<u8>)>::new());
        let place = |sorted: &[(f64, Vec<u8>)], at: &(f64, Vec<u8>)| {
            sorted.partition_point(|other| other < at)
        };
        for (insert, number, score) in steps {
            let (member, score) = (number.to_string().into_bytes(), f64::from(score % scores));
            let old = zset.score(&member);
            if let Some(old) = old {
                let at = place(&sorted, &(old, member.clone()));
                assert_eq!(sorted.remove(at), (old, member.clone()));
            }
            if *insert {
                zset.insert(Bytes::from(member.clone()), score, SMALL);
                let new = (score, member);
                sorted.insert(place(&sorted, &new), new);
            } else if old.is_some() {
                assert!(zset.remove(&member));
            } else if !sorted.is_empty() {
                let at = *number as usize % sorted.len();
                let gone = zset.remove_by_rank(at, at + 1);
                sorted.remove(at);
                assert_eq!(gone, 1);
            }
        }
        (zset, sorted)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn behaves_as_a_sorted_vector(ops in prop::collection::vec(op(), 1..60)) {
            let (mut zset, mut naive) = (Zset::default(), Naive::default());
            for op in ops {
                apply(op, &mut zset, &mut naive)?;
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None, cases: 64, ..Default::default()
        })]

        #[test]
        fn large_sets_are_sorted_and_counted(
            steps in steps(), min in bound(), max in bound(), a in 0..4_000_usize, b in 0..4_000_usize
        ) {
            let (zset, sorted) = by_steps(&steps, 4);
            zset.order.check();
            prop_assert_eq!(owned(zset.iter()), sorted.clone());
            for (rank, (score, member)) in sorted.iter().enumerate() {
                prop_assert_eq!((zset.rank(member), zset.score(member)), (Some(rank), Some(*score)));
            }
            let mut within: Vec<_> = sorted.clone();
            within.retain(|(score, _)| min.admits_from(*score) && max.admits_to(*score));
            prop_assert_eq!(zset.by_score(min, max).len(), within.len());
            prop_assert_eq!(owned(zset.by_score(min, max)), within.clone());
            let some: Vec<_> = within.iter().rev().skip(a % 100).take(b).cloned().collect();
            prop_assert_eq!(owned(zset.by_score_rev(min, max).limit(a % 100, b)), some);
            let ranks = sorted.iter().take(b).skip(a.min(b)).cloned();
            prop_assert_eq!(owned(zset.by_rank(a, b)), ranks.collect::<Vec<_>>());
        }

        #[test]
        fn ranges_by_member_are_those_of_a_sorted_vector(
            steps in steps(), few in 0..200_usize, min in lex_bound(), max in lex_bound()
        ) {
            for steps in [&steps[..], &steps[..few.min(steps.len())]] {
                let (mut zset, mut sorted) = by_steps(steps, 1);
                let within = |member: &[u8]| {
                    let member = Bytes::from(member);
                    min.admits_from(&member) && max.admits_to(&member)
                };
                let found: Vec<_> = sorted.iter().filter(|(_, member)| within(member)).cloned().collect();
                prop_assert_eq!(owned(zset.by_lex(&min, &max, false)), found.clone());
                let back: Vec<_> = found.iter().rev().cloned().collect();
                prop_assert_eq!(owned(zset.by_lex(&min, &max, true)), back);
                prop_assert_eq!(zset.remove_by_lex(&min, &max), found.len());
                sorted.retain(|(_, member)| !within(member));
                zset.order.check();
                prop_assert_eq!(owned(zset.iter()), sorted);
            }
        }
    }

    #[test]
    fn a_sorted_set_once_large_stays_so() {
        let mut zset = Zset::default();
        zset.insert("a".into(), -0.0, SMALL);
        assert_eq!(
            (zset.encoding(), score_text(zset.first().unwrap().1)),
            ("listpack", "0".into())
        );
        zset.insert("m".repeat(65).into(), 1.0, SMALL);
        zset.remove("m".repeat(65).as_bytes());
        zset.insert("b".into(), -0.0, SMALL);
        assert_eq!(
            (zset.encoding(), zset.score(b"b").unwrap().is_sign_negative()),
            ("skiplist", true)
        );
        assert_eq!(zset.settled(SMALL).encoding(), "listpack");
    }

    #[test]
    fn scores_read_as_c_prints_them() {
        let text = |score: f64| score_text(score).to_string();
        assert_eq!(text(3.0), "3");
        assert_eq!(text(-7_e15), "-7000000000000000");
        assert_eq!(text(0.1), "0.10000000000000001");
        assert_eq!(text(1e16), "10000000000000000");
        assert_eq!(text(1e17), "1e+17");
        assert_eq!(text(123_456_789_012_345_678.0), "1.2345678901234568e+17");
        assert_eq!(text(1.5e-7), "1.4999999999999999e-07");
        assert_eq!(text(0.0001), "0.0001");
        assert_eq!(text(f64::NEG_INFINITY), "-inf");
    }
}
