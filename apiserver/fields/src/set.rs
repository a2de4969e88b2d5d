//! A set of fields: a tree of path elements, sorted, in which every node may itself be in the set.
//!
//! Sets are joined pairwise from the root, so an operation costs as much as the smaller trees have in common plus what
//! is copied. The invariant of every node: it is in the set, or something below it is.

use coracle_api::schema::{Shape, View};

use crate::element::{Element, Path};
use crate::items::field_of;

/// A set of fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    nodes: Vec<Node>,
}

/// A step of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub element: Element,
    /// Whether the path that ends here is in the set.
    pub is_member: bool,
    pub below: FieldSet,
}

impl Node {
    /// The node where it says anything.
    fn some(element: &Element, is_member: bool, below: FieldSet) -> Option<Self> {
        let element = || element.clone();
        (is_member || !below.is_empty()).then(|| Self {
            element: element(),
            is_member,
            below,
        })
    }
}

impl FieldSet {
    /// A set of nodes in any order; those of the same element are united.
    pub(crate) fn of(mut nodes: Vec<Node>) -> Self {
        nodes.retain(|node| node.is_member || !node.below.is_empty());
        let is_ordered = nodes
            .iter()
            .zip(nodes.iter().skip(1))
            .all(|(one, next)| one.element < next.element);
        if is_ordered {
            return Self { nodes };
        }
        nodes.sort_by(|one, other| one.element.cmp(&other.element));
        let mut merged: Vec<Node> = Vec::with_capacity(nodes.len());
        for node in nodes {
            match merged.last_mut() {
                Some(last) if last.element == node.element => {
                    last.is_member |= node.is_member;
                    last.below = last.below.union(&node.below);
                }
                _ => merged.push(node),
            }
        }
        Self { nodes: merged }
    }

    /// The set of these paths, each a chain of field names.
    pub fn of_fields<'a>(paths: impl IntoIterator<Item = &'a [&'a str]>) -> Self {
        let mut set = Self::default();
        for path in paths {
            let mut chain = Self::default();
            for (depth, name) in path.iter().rev().enumerate() {
                chain = Self {
                    nodes: vec![Node {
                        element: Element::field(*name),
                        is_member: depth == 0,
                        below: chain,
                    }],
                };
            }
            set = set.union(&chain);
        }
        set
    }

    /// Whether no path is in the set.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether the path is in the set.
    pub fn contains(&self, path: &[Element]) -> bool {
        let Some((first, rest)) = path.split_first() else {
            return false;
        };
        self.get(first).is_some_and(|node| match rest {
            [] => node.is_member,
            rest => node.below.contains(rest),
        })
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn get(&self, element: &Element) -> Option<&Node> {
        let at = self
            .nodes
            .binary_search_by(|node| node.element.cmp(element))
            .ok()?;
        self.nodes.get(at)
    }

    /// The node of the field `name`.
    pub(crate) fn field(&self, name: &str) -> Option<&Node> {
        let order = |node: &Node| match &node.element {
            Element::Field(own) => own.as_ref().cmp(name),
            _ => std::cmp::Ordering::Greater,
        };
        let at = self.nodes.binary_search_by(order).ok()?;
        self.nodes.get(at)
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.joined(other, |left, right| match (left, right) {
            (Some(left), Some(right)) => Node::some(
                &left.element,
                left.is_member || right.is_member,
                left.below.union(&right.below),
            ),
            (left, right) => left.or(right).cloned(),
        })
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.joined(other, |left, right| match (left, right) {
            (Some(left), Some(right)) => Node::some(
                &left.element,
                left.is_member && !right.is_member,
                left.below.difference(&right.below),
            ),
            (left, _) => left.cloned(),
        })
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.joined(other, |left, right| {
            let (left, right) = (left?, right?);
            Node::some(
                &left.element,
                left.is_member && right.is_member,
                left.below.intersection(&right.below),
            )
        })
    }

    /// What is in this set and neither in the other nor below anything in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.joined(other, |left, right| match (left, right) {
            (Some(_), Some(right)) if right.is_member => None,
            (Some(left), Some(right)) => {
                Node::some(&left.element, left.is_member, left.below.without(&right.below))
            }
            (left, _) => left.cloned(),
        })
    }

    /// The set together with every field on the way to its members that the type names. A field of a struct stands and
    /// falls with what is in it; a key of a map or an item of a list is something of its own.
    #[must_use]
    pub(crate) fn with_named_fields(&self, view: View<'_>) -> Self {
        let nodes = self.nodes.iter().map(|node| {
            let (is_named, inner) = match (&node.element, view.shape()) {
                (Element::Field(name), Shape::Struct(of)) => (of.field(name).is_some(), field_of(view, name)),
                (Element::Field(name), _) => (false, field_of(view, name)),
                _ => (false, view.item()),
            };
            Node {
                element: node.element.clone(),
                is_member: node.is_member || is_named,
                below: node.below.with_named_fields(inner),
            }
        });
        Self {
            nodes: nodes.collect(),
        }
    }

    /// Every path in the set, those of a level before those below it.
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.visit(&mut Vec::new(), &mut paths);
        paths
    }

    fn visit(&self, prefix: &mut Vec<Element>, paths: &mut Vec<Path>) {
        for node in self.nodes.iter().filter(|node| node.is_member) {
            let mut path = prefix.clone();
            path.push(node.element.clone());
            paths.push(Path(path));
        }
        for node in self.nodes.iter().filter(|node| !node.below.is_empty()) {
            prefix.push(node.element.clone());
            node.below.visit(prefix, paths);
            prefix.pop();
        }
    }

    /// Walks both sets in order, and keeps what `choose` makes of each element.
    fn joined(&self, other: &Self, choose: impl Fn(Option<&Node>, Option<&Node>) -> Option<Node>) -> Self {
        let (mut left, mut right) = (self.nodes.as_slice(), other.nodes.as_slice());
        let mut nodes = Vec::with_capacity(left.len());
        loop {
            let order = match (left.first(), right.first()) {
                (Some(one), Some(other)) => one.element.cmp(&other.element),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => return Self { nodes },
            };
            let one = if order.is_le() {
                take_first(&mut left)
            } else {
                None
            };
            let another = if order.is_ge() {
                take_first(&mut right)
            } else {
                None
            };
            nodes.extend(choose(one, another));
        }
    }
}

fn take_first<'a>(nodes: &mut &'a [Node]) -> Option<&'a Node> {
    let (first, rest) = nodes.split_first()?;
    *nodes = rest;
    Some(first)
}
