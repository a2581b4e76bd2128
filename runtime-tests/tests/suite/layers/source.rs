//! A source file as tokens, and the paths in it that start at the crate's root.
//!
//! Not a parser: comments (and the examples in them), strings and lifetimes are dropped, everything
//! else is a word or a sign. That is enough to find `crate::a::b`, `use crate::{a, b::{c, d}}` and
//! a `super::` that leaves its top-level module.

/// One file.
pub(super) struct Source {
    /// From the root of the repository, with `/`.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) tokens: Vec<Token>,
    /// `["driver", "timers"]` for `src/driver/timers.rs`; nothing for `src/lib.rs`.
    pub(super) module: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    /// A word, a `::` or one sign.
    pub(super) text: String,
    pub(super) line: usize,
    /// Stands in `#[cfg(..)]`, `#[cfg_attr(..)]` or `cfg!(..)`.
    pub(super) in_cfg: bool,
}

/// A path from the crate's root: `crate::task::Id` is `["task", "Id"]`.
#[derive(Debug, PartialEq)]
pub(super) struct CratePath {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
}

impl Source {
    pub(super) fn new(name: &str, text: String) -> Self {
        let mut tokens = lex(&text);
        mark_cfg(&mut tokens);
        Self { name: name.to_owned(), tokens, module: module_of(name), text }
    }

    /// Tests and models, which are compiled for nobody else.
    pub(super) fn is_test(&self) -> bool {
        let is_test = |part: &str| matches!(part, "tests" | "models" | "tests.rs" | "models.rs");
        self.name.split('/').any(is_test) || self.name.ends_with("_tests.rs")
    }

    /// Every path that starts with `crate`, `super` or `self`, as seen from the crate's root.
    pub(super) fn paths(&self) -> Vec<CratePath> {
        let mut paths = Vec::new();
        // Inline modules that are open here: the depth of the braces outside, and the name.
        let mut open: Vec<(usize, String)> = Vec::new();
        let mut depth = 0;
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            let text_at = |at: usize| self.tokens.get(at).map_or("", |token| &token.text);
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    open.pop_if(|(outside, _)| *outside == depth);
                }
                "mod" if text_at(at + 2) == "{" => open.push((depth, text_at(at + 1).to_owned())),
                // `$crate` in an exported macro is a path that its users take: the public one.
                "crate" | "super" | "self"
                    if text_at(at + 1) == "::"
                        && (at == 0 || !matches!(text_at(at - 1), "::" | "in" | "$")) =>
                {
                    let inline = open.iter().map(|(_, name)| name.clone());
                    let here = self.module.iter().cloned().chain(inline).collect();
                    at = self.path(at, here, &mut paths);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        paths
    }

    /// Follows a path, or a tree of a `use`, from `at`. Returns where it ends.
    fn path(&self, mut at: usize, mut prefix: Vec<String>, paths: &mut Vec<CratePath>) -> usize {
        while let Some(token) = self.tokens.get(at) {
            match token.text.as_str() {
                "crate" => prefix.clear(),
                "self" => {}
                "super" => drop(prefix.pop()),
                "{" => {
                    at += 1;
                    while self.tokens.get(at).is_some_and(|token| token.text != "}") {
                        let end = self.path(at, prefix.clone(), paths);
                        // `as name` and commas are stepped over.
                        at = end.max(at + 1);
                        while self.tokens.get(at).is_some_and(|t| t.text == "as") {
                            at += 2;
                        }
                        at += usize::from(self.tokens.get(at).is_some_and(|t| t.text == ","));
                    }
                    return at + 1;
                }
                word => prefix.push(word.to_owned()),
            }
            let is_last = self.tokens.get(at + 1).is_none_or(|next| next.text != "::")
                || self.tokens.get(at + 2).is_some_and(|generic| generic.text == "<");
            if is_last {
                if !prefix.is_empty() {
                    paths.push(CratePath { segments: prefix, line: token.line });
                }
                return at + 1;
            }
            at += 2;
        }
        at
    }
}

/// The module that a file is. The directories `src/io` and `src/time` hold the modules `io_core` and
/// `time_core`: the public `io` and `time` are assembled in `lib.rs`.
fn module_of(name: &str) -> Vec<String> {
    let path = name.strip_prefix("src/").unwrap_or(name).trim_end_matches(".rs");
    let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
    module.pop_if(|last| last == "mod" || last == "lib");
    if let Some(first) = module.first_mut().filter(|first| matches!(first.as_str(), "io" | "time"))
    {
        first.push_str("_core");
    }
    module
}

fn lex(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let start = at;
        let next = chars.get(at + 1).copied();
        match chars[at] {
            '/' if next == Some('/') => at = find(&chars, at, |c| c == '\n'),
            '/' if next == Some('*') => at = end_of_block_comment(&chars, at),
            '"' => at = end_of_string(&chars, at + 1),
            // A character, or else a lifetime or label.
            '\'' if next == Some('\\') => at = find(&chars, at + 3, |c| c == '\'') + 1,
            '\'' if chars.get(at + 2) == Some(&'\'') => at += 3,
            '\'' => at = find(&chars, at + 1, |c| !is_word(c)),
            c if is_word(c) => {
                at = find(&chars, at, |c| !is_word(c));
                let word: String = chars[start..at].iter().collect();
                match (word.as_str(), chars.get(at)) {
                    ("r" | "br" | "cr", Some('"' | '#')) => at = end_of_raw(&chars, at),
                    ("b" | "c", Some('"')) => at = end_of_string(&chars, at + 1),
                    _ => tokens.push(Token { text: word, line, in_cfg: false }),
                }
            }
            ':' if next == Some(':') => {
                at += 2;
                tokens.push(Token { text: "::".to_owned(), line, in_cfg: false });
            }
            c => {
                at += 1;
                if !c.is_whitespace() {
                    tokens.push(Token { text: c.to_string(), line, in_cfg: false });
                }
            }
        }
        at = at.min(chars.len());
        line += chars[start..at].iter().filter(|&&c| c == '\n').count();
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn find(chars: &[char], from: usize, stop: impl Fn(char) -> bool) -> usize {
    (from..chars.len()).find(|&at| stop(chars[at])).unwrap_or(chars.len())
}

fn end_of_string(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// `at` is behind the `r`. A raw identifier (`r#type`) ends at once: its word follows.
fn end_of_raw(chars: &[char], at: usize) -> usize {
    let open = find(chars, at, |c| c != '#');
    let hashes = open - at;
    if chars.get(open) != Some(&'"') {
        return open;
    }
    let closes = |end: &usize| {
        chars[*end] == '"' && chars[end + 1..].iter().take_while(|&&c| c == '#').count() >= hashes
    };
    (open + 1..chars.len()).find(closes).map_or(chars.len(), |end| end + 1 + hashes)
}

fn end_of_block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Marks what is inside `cfg(..)`, `cfg_attr(..)` and `cfg!(..)`.
fn mark_cfg(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        if matches!(tokens[at].text.as_str(), "cfg" | "cfg_attr") {
            at += 1 + usize::from(tokens.get(at + 1).is_some_and(|token| token.text == "!"));
            let mut depth = 0;
            while let Some(token) = tokens.get_mut(at) {
                match token.text.as_str() {
                    "(" => depth += 1,
                    ")" => depth -= 1,
                    _ => token.in_cfg = true,
                }
                if depth == 0 {
                    break;
                }
                at += 1;
            }
        }
        at += 1;
    }
}
