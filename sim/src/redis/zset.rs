//! A sorted set: members with scores, ordered by score and then bytewise by member.
//!
//! The commands use only the methods of this type, so that its insides can change. It holds no
//! NaN and no negative zero, and walking to a rank takes time linear in the rank's distance from
//! the nearer end.

use std::cmp::Ordering;
use std::collections::{BTreeSet, btree_set};
use std::fmt;
use std::ops::Bound;

use super::bytes::{Bytes, FixedMap};

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

    /// Whether `score` is in a range that ends here.
    fn admits_to(self, score: f64) -> bool {
        match self {
            ScoreBound::Incl(bound) => score <= bound,
            ScoreBound::Excl(bound) => score < bound,
        }
    }
}

/// An element in the order of the set.
#[derive(Clone, Debug)]
struct Node {
    score: f64,
    member: Bytes,
}

impl Node {
    /// Sorts before every member with this score: what a bound of scores looks like.
    fn before(score: f64) -> Node {
        Node { score, member: Bytes::new() }
    }
}

impl Ord for Node {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        // No score is NaN, so the scores always compare.
        match self.score.partial_cmp(&other.score) {
            Some(Ordering::Less) => Ordering::Less,
            Some(Ordering::Greater) => Ordering::Greater,
            _ => self.member.cmp(&other.member),
        }
    }
}

impl PartialOrd for Node {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Node {}

/// Elements of a sorted set in order, each as member and score. The default has none.
#[derive(Clone, Debug, Default)]
pub struct Elements<'a> {
    walk: Walk<'a>,
    descending: bool,
    /// How many elements may still come.
    left: usize,
}

/// Where elements come from. (Chains of std's adaptors would do, at many times the size.)
#[derive(Clone, Debug, Default)]
enum Walk<'a> {
    #[default]
    Nothing,
    Whole(btree_set::Iter<'a, Node>),
    Part(btree_set::Range<'a, Node>),
}

impl<'a> Elements<'a> {
    /// The same elements from the other end. Meant for all of a range, not for what is left of it.
    fn reversed(self) -> Elements<'a> {
        Elements { descending: !self.descending, ..self }
    }

    /// Without the first `offset` elements, and at most `count` of the others.
    #[inline]
    pub(super) fn limit(mut self, offset: usize, count: usize) -> Elements<'a> {
        if offset > 0 {
            self.nth(offset - 1);
        }
        self.left = self.left.min(count);
        self
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (&'a Bytes, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let node = match (&mut self.walk, self.descending) {
            (Walk::Nothing, _) => None,
            (Walk::Whole(iter), false) => iter.next(),
            (Walk::Whole(iter), true) => iter.next_back(),
            (Walk::Part(range), false) => range.next(),
            (Walk::Part(range), true) => range.next_back(),
        };
        node.map(element)
    }
}

/// A sorted set.
#[derive(Clone, Default)]
pub struct Zset {
    scores: FixedMap<Bytes, f64>,
    order: BTreeSet<Node>,
}

/// Equal members with equal scores.
impl PartialEq for Zset {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
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
pub enum Inserted {
    /// The member is new.
    Added,
    /// The member was there with another score.
    Updated,
    /// The member was there with this score.
    Unchanged,
}

impl Zset {
    /// The number of members.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Sets the score of `member`, which may be new. A score of -0 is stored as 0.
    ///
    /// # Panics
    /// If `score` is NaN: the commands refuse it before.
    pub fn insert(&mut self, member: Bytes, score: f64) -> Inserted {
        assert!(!score.is_nan(), "a score is a number");
        let score = score + 0.0;
        let before = self.scores.insert(member.clone(), score);
        match before {
            Some(old) if old == score => return Inserted::Unchanged,
            Some(old) => {
                self.order.remove(&Node { score: old, member: member.clone() });
            }
            None => {}
        }
        self.order.insert(Node { score, member });
        if before.is_some() { Inserted::Updated } else { Inserted::Added }
    }

    /// Removes `member`; whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self.scores.remove_entry(member) {
            Some((member, score)) => self.order.remove(&Node { score, member }),
            None => false,
        }
    }

    /// The score of `member`.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// The first element.
    #[inline]
    pub fn first(&self) -> Option<(&Bytes, f64)> {
        self.order.first().map(element)
    }

    /// Removes and returns the first element.
    pub fn pop_first(&mut self) -> Option<(Bytes, f64)> {
        let Node { score, member } = self.order.pop_first()?;
        self.scores.remove(&member);
        Some((member, score))
    }

    /// All elements in order; reversible.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Bytes, f64)> {
        self.order.iter().map(element)
    }

    /// The elements of the ranks from `start` (0 is the first) up to but without `end`, ascending.
    pub fn by_rank(&self, start: usize, end: usize) -> Elements<'_> {
        self.ranks(start, end, false)
    }

    /// The elements of [`Zset::by_rank`], descending.
    pub fn by_rank_rev(&self, start: usize, end: usize) -> Elements<'_> {
        self.ranks(start, end, true)
    }

    /// The elements with a score from `min` to `max`, ascending.
    #[inline]
    pub fn by_score(&self, min: ScoreBound, max: ScoreBound) -> Elements<'_> {
        // Most calls find nothing due yet, which the first element tells.
        match self.order.first() {
            Some(first) if max.admits_to(first.score) => self.scores_between(min, max),
            _ => Elements::default(),
        }
    }

    /// The elements of [`Zset::by_score`], descending.
    pub fn by_score_rev(&self, min: ScoreBound, max: ScoreBound) -> Elements<'_> {
        self.by_score(min, max).reversed()
    }

    /// Removes the elements of the ranks from `start` up to but without `end`; how many.
    pub fn remove_by_rank(&mut self, start: usize, end: usize) -> usize {
        let doomed = self.by_rank(start, end).map(|(member, _)| member.clone()).collect();
        self.remove_all(doomed)
    }

    /// Removes the elements with a score from `min` to `max`; how many.
    pub fn remove_by_score(&mut self, min: ScoreBound, max: ScoreBound) -> usize {
        let doomed = self.by_score(min, max).map(|(member, _)| member.clone()).collect();
        self.remove_all(doomed)
    }

    fn remove_all(&mut self, doomed: Vec<Bytes>) -> usize {
        doomed.iter().filter(|member| self.remove(member)).count()
    }

    fn ranks(&self, start: usize, end: usize, descending: bool) -> Elements<'_> {
        let len = self.len();
        let end = end.min(len);
        if start >= end {
            return Elements::default();
        }
        // How many elements come before the first one wanted, in the direction of walking.
        let before = if descending { len - end } else { start };
        let walk = if before <= len / 2 {
            Walk::Whole(skip(self.order.iter(), before, descending))
        } else {
            // It is nearer to the other end, so find it from there and start at it.
            let mut rest = skip(self.order.iter(), len - before - 1, !descending);
            let first = if descending { rest.next() } else { rest.next_back() };
            let first = first.expect("`before` is the rank of an element");
            Walk::Part(match descending {
                true => self.order.range(..=first),
                false => self.order.range(first..),
            })
        };
        Elements { walk, descending, left: end - start }
    }

    fn scores_between(&self, min: ScoreBound, max: ScoreBound) -> Elements<'_> {
        // "After every member with score s" is "before every member with the next greater score".
        let from = match min {
            ScoreBound::Incl(bound) => Node::before(bound),
            ScoreBound::Excl(bound) if bound < f64::INFINITY => Node::before(bound.next_up()),
            ScoreBound::Excl(_) => return Elements::default(),
        };
        let to = match max {
            ScoreBound::Incl(bound) if bound < f64::INFINITY => Some(Node::before(bound.next_up())),
            ScoreBound::Incl(_) => None,
            ScoreBound::Excl(bound) => Some(Node::before(bound)),
        };
        if to.as_ref().is_some_and(|to| *to <= from) {
            return Elements::default();
        }
        let to = to.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.order.range::<Node, _>((Bound::Included(&from), to));
        Elements { walk: Walk::Part(range), descending: false, left: usize::MAX }
    }
}

/// Leaves out the first `count` nodes, or the last if `descending`.
fn skip(
    mut nodes: btree_set::Iter<'_, Node>,
    count: usize,
    descending: bool,
) -> btree_set::Iter<'_, Node> {
    if count > 0 {
        let _ = if descending { nodes.nth_back(count - 1) } else { nodes.nth(count - 1) };
    }
    nodes
}

fn element(node: &Node) -> (&Bytes, f64) {
    (&node.member, node.score)
}

/// The text of a score in a reply of protocol version 2, and so in a Lua script: C's `%.17g`.
///
/// An infinity is `inf` or `-inf`.
pub fn score_text(score: f64) -> Bytes {
    const EXACT: f64 = 1e15;
    if score.fract() == 0.0 && score.abs() < EXACT && !(score == 0.0 && score.is_sign_negative()) {
        return Bytes::from_int(score as i64);
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
                    zset.insert(Bytes::from(m.as_slice()), s),
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
