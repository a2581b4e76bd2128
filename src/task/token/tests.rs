//! The shape of families: what is left of a tree however it is built and let go.

use super::*;

fn members(token: &CancellationToken) -> usize {
    token.node.family.len()
}

#[test]
fn a_chain_whose_links_are_let_go_stays_short() {
    let root = CancellationToken::new();
    let mut last = root.child_token();
    for _ in 0..100_000 {
        last = last.child_token();
        assert!(members(&root) <= 3);
    }
    root.cancel();
    assert!(last.is_cancelled());
    assert_eq!(members(&root), 0);
}

#[test]
fn children_that_come_and_go_leave_nothing() {
    let root = CancellationToken::new();
    let kept = root.child_token();
    for _ in 0..10_000 {
        let child = root.child_token();
        drop((child.child_token(), child.child_token()));
    }
    assert_eq!(members(&root), 2);
    drop(root);
    assert_eq!(members(&kept), 1);
}

#[test]
fn a_ghost_stays_only_while_it_joins_two() {
    let root = CancellationToken::new();
    let middle = root.child_token();
    let leaves: Vec<_> = (0..3).map(|_| middle.child_token()).collect();
    drop(middle);
    assert_eq!(members(&root), 5);
    let mut leaves = leaves.into_iter();
    drop(leaves.next());
    assert_eq!(members(&root), 4);
    drop(leaves.next());
    assert_eq!(members(&root), 2);
    root.cancel();
    assert!(leaves.next().unwrap().is_cancelled());
}

#[test]
fn a_ghost_above_a_ghost_goes_with_it() {
    let root = CancellationToken::new();
    let upper = root.child_token();
    let (lower, aunt) = (upper.child_token(), upper.child_token());
    let (one, other) = (lower.child_token(), lower.child_token());
    drop((upper, lower));
    assert_eq!(members(&root), 6);
    one.cancel(); // a cancelled leaf leaves as one that is dropped does
    assert_eq!(members(&root), 4);
    drop(aunt);
    assert_eq!(members(&root), 2);
    root.cancel();
    assert!(other.is_cancelled());
}

#[test]
fn random_trees_agree_with_a_plain_model() {
    // The model: each token knows its parents' indices; a token is cancelled if one of these is.
    struct Modelled {
        token: Option<CancellationToken>,
        parent: Option<usize>,
        cancelled: bool,
    }
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    for _ in 0..200 {
        let root = CancellationToken::new();
        let family = Arc::clone(&root.node.family);
        let mut all = vec![Modelled { token: Some(root), parent: None, cancelled: false }];
        for _ in 0..150 {
            let at = next(all.len());
            let is_cancelled = |all: &[Modelled], mut at: usize| loop {
                if all[at].cancelled {
                    return true;
                }
                match all[at].parent {
                    Some(parent) => at = parent,
                    None => return false,
                }
            };
            match (next(20), all[at].token.clone()) {
                (_, None) => {}
                (0, Some(token)) => {
                    token.cancel();
                    all[at].cancelled = true;
                }
                (1..8, Some(_)) => all[at].token = None,
                (_, Some(token)) => {
                    let child = Some(token.child_token());
                    all.push(Modelled { token: child, parent: Some(at), cancelled: false });
                }
            }
            let mut living = 0;
            for (at, modelled) in all.iter().enumerate() {
                if let Some(token) = &modelled.token {
                    assert_eq!(token.is_cancelled(), is_cancelled(&all, at));
                    living += usize::from(!token.is_cancelled());
                }
            }
            // Fewer ghosts than tokens.
            assert!(family.len() <= 2 * living, "{} members, {living} tokens", family.len());
        }
        drop(all);
        assert_eq!(family.len(), 0);
    }
}
