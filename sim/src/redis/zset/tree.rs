//! Elements in order, counted: a B+ tree whose branches know how many elements they hold.
//!
//! So the element of a rank, the rank of an element, and how many lie between two bounds cost a walk
//! from the root. Leaves are vectors of some dozens of elements: few allocations, and most sorted sets
//! are one leaf. It finds nothing by member alone; that is the caller's map.

use std::cmp::Ordering;
use std::slice;

use super::super::bytes::Bytes;
use super::super::mutants::{Mutant, planted};

/// The most elements of a leaf, and the most branches of an inner node.
const MOST: usize = 48;
/// A node with fewer is put together with a neighbour, if both together are not too many.
const FEW: usize = MOST / 4;

/// An element in the order of the set: by score, then bytewise by member.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub(super) score: f64,
    pub(super) member: Bytes,
}

impl Element {
    /// How this element lies to one of that score and member. No score is NaN.
    #[inline]
    fn lies(&self, score: f64, member: &[u8]) -> Ordering {
        if self.score < score {
            Ordering::Less
        } else if self.score > score {
            Ordering::Greater
        } else if planted(Mutant::R4) {
            member.cmp(self.member.as_bytes())
        } else {
            self.member.as_bytes().cmp(member)
        }
    }
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Vec<Element>),
    Inner(Vec<Branch>),
}

/// A part of an inner node.
#[derive(Clone, Debug)]
struct Branch {
    /// Not after any element of this branch, and after all of the branches before it.
    least: Element,
    /// How many elements it holds.
    len: usize,
    node: Node,
}

/// The elements of a sorted set.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    root: Node,
    len: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Tree { root: Node::Leaf(Vec::new()), len: 0 }
    }
}

impl Tree {
    /// The number of elements.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The first element.
    #[inline]
    pub(super) fn first(&self) -> Option<&Element> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(elements) => return elements.first(),
                Node::Inner(branches) => node = &branches.first()?.node,
            }
        }
    }

    /// Adds an element that is not there.
    #[inline]
    pub(super) fn insert(&mut self, element: Element) {
        self.len += 1;
        let Some(right) = self.root.insert(element) else { return };
        let left = std::mem::replace(&mut self.root, Node::Leaf(Vec::new()));
        let least = left.least().expect("a node that was split is not empty").clone();
        let left = Branch { least, len: self.len - right.len, node: left };
        self.root = Node::Inner(vec![left, right]);
    }

    /// Removes the element of that score and member; whether it was there.
    #[inline]
    pub(super) fn remove(&mut self, score: f64, member: &[u8]) -> bool {
        let gone = self.root.remove(&Place::Of(score, member)).is_some();
        self.len -= usize::from(gone);
        self.shrink();
        gone
    }

    /// Removes the element of a rank.
    #[inline]
    pub(super) fn remove_at(&mut self, rank: usize) -> Option<Element> {
        if rank >= self.len {
            return None;
        }
        let gone = self.root.remove(&Place::Rank(rank));
        self.len -= 1;
        self.shrink();
        gone
    }

    /// How many elements come before the first for which `before` does not hold. It must hold for
    /// none that comes after one for which it does not.
    #[inline]
    pub(super) fn count(&self, before: impl Fn(&Element) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(elements) => return rank + elements.partition_point(&before),
                Node::Inner(branches) => {
                    let at = branches.partition_point(|branch| before(&branch.least));
                    let at = at.saturating_sub(1);
                    rank += branches[..at].iter().map(|branch| branch.len).sum::<usize>();
                    node = &branches[at].node;
                }
            }
        }
    }

    /// The rank of an element that is there.
    pub(super) fn rank(&self, score: f64, member: &[u8]) -> usize {
        self.count(|element| element.lies(score, member).is_lt())
    }

    /// The elements beside that of a rank, and its place among them.
    #[inline]
    pub(super) fn leaf(&self, mut rank: usize) -> (&[Element], usize) {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(elements) => return (elements, rank),
                Node::Inner(branches) => {
                    let at = branch_of(branches, &mut rank);
                    node = &branches[at].node;
                }
            }
        }
    }

    /// A root with one branch is that branch.
    #[inline]
    fn shrink(&mut self) {
        while let Node::Inner(branches) = &mut self.root
            && branches.len() <= 1
        {
            self.root = branches.pop().map_or(Node::Leaf(Vec::new()), |branch| branch.node);
        }
    }
}

/// Which element is meant.
enum Place<'a> {
    Of(f64, &'a [u8]),
    Rank(usize),
}

/// The branch that holds the element of this rank, which becomes the rank within the branch.
#[inline]
fn branch_of(branches: &[Branch], rank: &mut usize) -> usize {
    let mut at = 0;
    while *rank >= branches[at].len {
        *rank -= branches[at].len;
        at += 1;
    }
    at
}

/// The branch that holds an element, if any does.
#[inline]
fn branch_with(branches: &[Branch], score: f64, member: &[u8]) -> usize {
    let after = |branch: &Branch| branch.least.lies(score, member).is_le();
    branches.partition_point(after).saturating_sub(1)
}

impl Node {
    fn least(&self) -> Option<&Element> {
        match self {
            Node::Leaf(elements) => elements.first(),
            Node::Inner(branches) => branches.first().map(|branch| &branch.least),
        }
    }

    /// How many parts the node has: elements or branches.
    fn width(&self) -> usize {
        match self {
            Node::Leaf(elements) => elements.len(),
            Node::Inner(branches) => branches.len(),
        }
    }

    /// Adds an element; the right part, if the node had to be split.
    fn insert(&mut self, element: Element) -> Option<Branch> {
        match self {
            Node::Leaf(elements) => {
                let before = |other: &Element| other.lies(element.score, &element.member).is_lt();
                // Most elements come last: times and counters grow.
                let at = match elements.last() {
                    Some(last) if !before(last) => elements.partition_point(before),
                    _ => elements.len(),
                };
                elements.insert(at, element);
                let right = split(elements, at)?;
                Some(Branch { least: right[0].clone(), len: right.len(), node: Node::Leaf(right) })
            }
            Node::Inner(branches) => {
                let at = branch_with(branches, element.score, &element.member);
                let branch = &mut branches[at];
                branch.len += 1;
                if at == 0 && branch.least.lies(element.score, &element.member).is_gt() {
                    branch.least = element.clone();
                }
                let right = branch.node.insert(element)?;
                branch.len -= right.len;
                branches.insert(at + 1, right);
                let right = split(branches, at + 1)?;
                let len = right.iter().map(|branch| branch.len).sum();
                Some(Branch { least: right[0].least.clone(), len, node: Node::Inner(right) })
            }
        }
    }

    fn remove(&mut self, place: &Place<'_>) -> Option<Element> {
        match (self, place) {
            (Node::Leaf(elements), Place::Rank(rank)) => Some(elements.remove(*rank)),
            (Node::Leaf(elements), Place::Of(score, member)) => {
                let at = elements.binary_search_by(|other| other.lies(*score, member)).ok()?;
                Some(elements.remove(at))
            }
            (Node::Inner(branches), Place::Rank(rank)) => {
                let mut rank = *rank;
                let at = branch_of(branches, &mut rank);
                remove_from(branches, at, &Place::Rank(rank))
            }
            (Node::Inner(branches), Place::Of(score, member)) => {
                let at = branch_with(branches, *score, member);
                remove_from(branches, at, place)
            }
        }
    }
}

/// The right part of a node with too many parts, the last of which to come is at `at`.
#[inline]
fn split<T>(parts: &mut Vec<T>, at: usize) -> Option<Vec<T>> {
    if parts.len() <= MOST {
        return None;
    }
    // What only grows at its end leaves full nodes behind.
    let from = if at == parts.len() - 1 { at } else { parts.len() / 2 };
    let mut right = Vec::with_capacity(MOST / 2 + 2);
    right.extend(parts.drain(from..));
    Some(right)
}

fn remove_from(branches: &mut Vec<Branch>, at: usize, place: &Place<'_>) -> Option<Element> {
    let gone = branches[at].node.remove(place)?;
    branches[at].len -= 1;
    if branches[at].len == 0 {
        branches.remove(at);
    } else if branches[at].node.width() < FEW {
        unite(branches, at);
    }
    Some(gone)
}

/// Puts a small branch and one beside it together, unless that would soon be split again.
fn unite(branches: &mut Vec<Branch>, at: usize) {
    let left = at.min(branches.len().saturating_sub(2));
    let Some(pair) = branches.get(left..left + 2) else { return };
    if pair[0].node.width() + pair[1].node.width() > MOST / 2 {
        return;
    }
    let right = branches.remove(left + 1);
    let left = &mut branches[left];
    left.len += right.len;
    match (&mut left.node, right.node) {
        (Node::Leaf(left), Node::Leaf(right)) => left.extend(right),
        (Node::Inner(left), Node::Inner(right)) => left.extend(right),
        _ => unreachable!("all leaves are at one depth"),
    }
}

/// Elements of a sorted set in order, each as member and score. The default has none.
#[derive(Clone, Debug, Default)]
pub struct Elements<'a> {
    tree: Option<&'a Tree>,
    /// What is left of the leaf that is walked.
    leaf: slice::Iter<'a, Element>,
    /// The ranks beside it that are still to come: from this one up to but without the other.
    from: usize,
    to: usize,
    descending: bool,
}

impl<'a> Elements<'a> {
    /// The elements of the ranks from `from` up to but without `to`.
    #[inline]
    pub(super) fn new(tree: &'a Tree, from: usize, to: usize, descending: bool) -> Elements<'a> {
        let to = to.min(tree.len());
        Elements { tree: Some(tree), leaf: [].iter(), from: from.min(to), to, descending }
    }

    /// The first rank, and that after the last. Meant for all of a range.
    pub(super) fn ranks(&self) -> (usize, usize) {
        (self.from, self.to)
    }

    /// Without the first `offset` elements, and at most `count` of the others. Meant for all of a
    /// range, not for what is left of it.
    #[inline]
    pub(in super::super) fn limit(mut self, offset: usize, count: usize) -> Elements<'a> {
        let left = (self.to - self.from).saturating_sub(offset).min(count);
        if self.descending {
            self.to = self.to.saturating_sub(offset).max(self.from);
            self.from = self.to - left;
        } else {
            self.from = self.from.saturating_add(offset).min(self.to);
            self.to = self.from + left;
        }
        self
    }

    /// Goes on to the next leaf, if there is more to come.
    fn turn(&mut self) -> Option<()> {
        let tree = self.tree.filter(|_| self.from < self.to)?;
        let (leaf, at) = tree.leaf(if self.descending { self.to - 1 } else { self.from });
        if self.descending {
            let start = (at + 1).saturating_sub(self.to - self.from);
            self.leaf = leaf[start..=at].iter();
            self.to -= self.leaf.len();
        } else {
            let end = leaf.len().min(at + (self.to - self.from));
            self.leaf = leaf[at..end].iter();
            self.from += self.leaf.len();
        }
        Some(())
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (&'a Bytes, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.leaf.len() == 0 {
            self.turn()?;
        }
        let element = if self.descending { self.leaf.next_back() } else { self.leaf.next() };
        element.map(|element| (&element.member, element.score))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.leaf.len() + (self.to - self.from);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Elements<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    impl Tree {
        /// Panics unless all that is promised above holds.
        pub(in super::super) fn check(&self) {
            let (len, _) = self.root.check(None);
            assert_eq!(len, self.len, "the tree counts its elements");
        }
    }

    impl Node {
        /// How many elements there are, and how many levels; none is before `least`.
        fn check(&self, least: Option<&Element>) -> (usize, usize) {
            assert!(self.width() <= MOST, "no node is too wide");
            match self {
                Node::Leaf(elements) => {
                    let sorted = |a: &Element, b: &Element| a.lies(b.score, &b.member).is_lt();
                    assert!(elements.is_sorted_by(sorted), "a leaf is sorted");
                    let first = least.zip(elements.first());
                    assert!(first.is_none_or(|(least, first)| !sorted(first, least)), "least is");
                    (elements.len(), 1)
                }
                Node::Inner(branches) => {
                    let checked = branches.iter().map(|branch| {
                        let (len, levels) = branch.node.check(Some(&branch.least));
                        assert!(len > 0 && len == branch.len, "a branch counts its elements");
                        levels
                    });
                    let levels: Vec<usize> = checked.collect();
                    assert!(levels.iter().all(|other| *other == levels[0]), "leaves are level");
                    (branches.iter().map(|branch| branch.len).sum(), levels[0] + 1)
                }
            }
        }
    }

    #[test]
    fn what_only_grows_fills_its_nodes() {
        let mut tree = Tree::default();
        for score in 0..20_000 {
            tree.insert(Element { score: f64::from(score), member: Bytes::new() });
        }
        tree.check();
        assert_eq!(tree.root.check(None), (20_000, 3));
        while tree.remove_at(0).is_some() {}
        assert!(tree.first().is_none() && matches!(tree.root, Node::Leaf(_)));
    }
}
