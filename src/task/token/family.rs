//! Which cancellation token is whose child.
//!
//! A family is the tree below one root token: members in a slab, each with its parent and a list of
//! its children that is linked through them. Every operation touches a constant number of members,
//! `cancel` those that it cancels, and nothing here recurs.
//!
//! A member whose token is gone can no longer be cancelled by itself, but stands between its children
//! and those above. With no child it leaves; with one, the child takes its place; with more it stays as
//! a *ghost*, until it has one. So there are fewer ghosts than tokens, however the tree is built and
//! however much of it is let go.
//!
//! A member holds its node, which holds the family: both are let go of when the member leaves, at the
//! latest when its last token is dropped.

use slab::Slab;

use super::Node;
use crate::sync::{Arc, Mutex};

pub(super) struct Family(Mutex<Members>);

#[derive(Default)]
struct Members(Slab<Member>);

/// The fields that are keys name other members.
#[derive(Default)]
struct Member {
    /// `None`: a ghost.
    node: Option<Arc<Node>>,
    parent: Option<usize>,
    first_child: Option<usize>,
    previous: Option<usize>,
    next: Option<usize>,
}

impl Family {
    /// A family of one.
    pub(super) fn begin() -> Arc<Node> {
        Self::add(&Arc::new(Self(Mutex::default())), None)
    }

    pub(super) fn child(parent: &Node) -> Arc<Node> {
        Self::add(&parent.family, Some(parent))
    }

    #[inline]
    fn add(family: &Arc<Self>, parent: Option<&Node>) -> Arc<Node> {
        let mut members = family.0.lock();
        if parent.is_some_and(Node::is_cancelled) {
            return Arc::new(Node::new(true, Arc::clone(family), usize::MAX));
        }
        let key = members.0.insert(Member::default());
        let node = Arc::new(Node::new(false, Arc::clone(family), key));
        members.0[key].node = Some(Arc::clone(&node));
        if let Some(parent) = parent {
            members.link(key, parent.key);
        }
        node
    }

    /// Marks a node and all below it as cancelled and gives them; nothing the second time.
    #[inline]
    pub(super) fn cancel(node: &Node) -> Vec<Arc<Node>> {
        let mut members = node.family.0.lock();
        if node.is_cancelled() {
            return Vec::new();
        }
        let parent = members.0[node.key].parent;
        members.unlink(node.key);
        let mut cancelled = Vec::new();
        let mut next = vec![node.key];
        while let Some(key) = next.pop() {
            let member = members.0.remove(key);
            let mut child = member.first_child;
            while let Some(key) = child {
                next.push(key);
                child = members.0[key].next;
            }
            if let Some(node) = member.node {
                node.set_cancelled();
                cancelled.push(node);
            }
        }
        members.thin_out(parent);
        drop(members);
        cancelled
    }

    /// The last token of a node is gone.
    #[inline]
    pub(super) fn leave(node: &Node) {
        let mut members = node.family.0.lock();
        if node.is_cancelled() {
            return; // it has left
        }
        // The caller has the node as well, so this is not the end of the family that is locked.
        let ours = members.0[node.key].node.take();
        members.thin_out(Some(node.key));
        drop(members);
        drop(ours);
    }
}

impl Members {
    /// Takes out a ghost that has one child or none. Then its parent may be the next.
    #[inline]
    fn thin_out(&mut self, mut key: Option<usize>) {
        while let Some(ghost) = key {
            let member = &self.0[ghost];
            if member.node.is_some() {
                return;
            }
            let (parent, first) = (member.parent, member.first_child);
            if first.is_some_and(|first| self.0[first].next.is_some()) {
                return;
            }
            self.unlink(ghost);
            self.0.remove(ghost);
            if let Some(child) = first {
                self.0[child].parent = None; // it has no siblings to be unlinked from
                if let Some(parent) = parent {
                    self.link(child, parent);
                }
                return; // the parent has as many children as before
            }
            key = parent;
        }
    }

    /// Makes `key`, which has no parent, the first child of `parent`.
    #[inline]
    fn link(&mut self, key: usize, parent: usize) {
        let next = self.0[parent].first_child.replace(key);
        let member = &mut self.0[key];
        (member.parent, member.previous, member.next) = (Some(parent), None, next);
        if let Some(next) = next {
            self.0[next].previous = Some(key);
        }
    }

    /// Takes `key` out of its parent's children.
    #[inline]
    fn unlink(&mut self, key: usize) {
        let member = &mut self.0[key];
        let (parent, previous, next) =
            (member.parent.take(), member.previous.take(), member.next.take());
        match (previous, parent) {
            (Some(previous), _) => self.0[previous].next = next,
            (None, Some(parent)) => self.0[parent].first_child = next,
            (None, None) => {}
        }
        if let Some(next) = next {
            self.0[next].previous = previous;
        }
    }
}

impl Family {
    /// How many members there are, ghosts included.
    #[cfg(all(test, not(loom)))]
    pub(super) fn len(&self) -> usize {
        self.0.lock().0.len()
    }
}
