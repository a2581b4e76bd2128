//! From tokens to what they mean: the function under the attribute, and the attribute's arguments.
//!
//! Only as much of Rust's grammar as is needed: a function is attributes, visibility, qualifiers,
//! `fn`, a name, parameters, a return type and, as its last token, a body in braces. Nothing looks
//! inside the body or the types: their tokens go to the compiler as they came, with their spans.
//!
//! Tokens that went through `macro_rules!` may come in groups without delimiters; those are opened
//! where a single token is expected.

use crate::Attribute;
use crate::error::Error;
use proc_macro::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};

/// A function as written, in the parts that the expansion needs.
#[derive(Default)]
pub(crate) struct Function {
    /// `#[..]`, doc comments included.
    pub(crate) attributes: TokenStream,
    /// `pub`, `pub(crate)` or nothing.
    pub(crate) visibility: TokenStream,
    pub(crate) asyncness: Option<Ident>,
    pub(crate) fn_token: Option<Ident>,
    pub(crate) name: Option<Ident>,
    /// The group `(..)`.
    pub(crate) parameters: Option<Group>,
    /// `-> Type`, or nothing.
    pub(crate) output: TokenStream,
    pub(crate) body: Option<Group>,
    /// What stands in the way of an expansion, in the order of the source.
    pub(crate) errors: Vec<Error>,
}

impl Function {
    /// Reads as far as the tokens make sense. Problems are collected in `errors`.
    pub(crate) fn parse(attribute: Attribute, item: TokenStream) -> Self {
        let mut function = Self::default();
        let tokens = flatten(item);
        if let Err(error) = function.parse_signature(attribute, &tokens) {
            function.errors.push(error);
        }
        function
    }

    fn parse_signature(&mut self, attribute: Attribute, tokens: &[TokenTree]) -> Result<(), Error> {
        let mut rest = self.parse_attributes(attribute, tokens);
        rest = self.parse_visibility(rest);
        rest = self.parse_qualifiers(rest)?;

        let [TokenTree::Ident(name), tail @ ..] = rest else {
            return Err(Error::about(tokens, "expected a function with a name"));
        };
        self.name = Some(name.clone());
        rest = tail;

        if is_punct(rest.first(), '<') {
            let message = format!("`{name}` cannot be generic: nobody could say with which types");
            return Err(Error::at(rest[0].span(), message));
        }
        let [TokenTree::Group(parameters), tail @ ..] = rest else {
            return Err(Error::about(rest, "expected the parameter list of a function"));
        };
        self.parameters = Some(parameters.clone());
        if !parameters.stream().is_empty() {
            let message = format!("`{name}` cannot take parameters: nobody could pass them");
            self.errors.push(Error::at(parameters.span(), message));
        }

        // A type may have braces in it (`Array<{ N }>`); the body is the last token.
        let [output @ .., TokenTree::Group(body)] = tail else {
            return Err(Error::about(tail, format!("`{name}` needs a body")));
        };
        if body.delimiter() != Delimiter::Brace {
            return Err(Error::at(body.span(), format!("`{name}` needs a body")));
        }
        self.body = Some(body.clone());

        let end = output.iter().position(|t| is_keyword(Some(t), "where")).unwrap_or(output.len());
        let (output, bounds) = output.split_at(end);
        self.output = output.iter().cloned().collect();
        if !bounds.is_empty() {
            let message = format!("`{name}` cannot have a `where` clause: it is not generic");
            self.errors.push(Error::about(bounds, message));
        }
        Ok(())
    }

    fn parse_attributes<'t>(
        &mut self,
        attribute: Attribute,
        mut tokens: &'t [TokenTree],
    ) -> &'t [TokenTree] {
        while let [TokenTree::Punct(hash), TokenTree::Group(group), rest @ ..] = tokens
            && hash.as_char() == '#'
        {
            if attribute == Attribute::Test && names_a_test(group) {
                self.errors.push(Error::at(
                    group.span(),
                    "second test attribute: `#[runtime::test]` is one already, the test would run twice",
                ));
            } else {
                self.attributes.extend(tokens[..2].iter().cloned());
            }
            tokens = rest;
        }
        tokens
    }

    fn parse_visibility<'t>(&mut self, tokens: &'t [TokenTree]) -> &'t [TokenTree] {
        if !is_keyword(tokens.first(), "pub") {
            return tokens;
        }
        let restricted = matches!(
            tokens.get(1),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis
        );
        let (visibility, rest) = tokens.split_at(if restricted { 2 } else { 1 });
        self.visibility = visibility.iter().cloned().collect();
        rest
    }

    /// `async fn`, and a plain word about everything else that may stand there.
    fn parse_qualifiers<'t>(
        &mut self,
        mut tokens: &'t [TokenTree],
    ) -> Result<&'t [TokenTree], Error> {
        let start = tokens;
        while let [TokenTree::Ident(word), rest @ ..] = tokens {
            match word.to_string().as_str() {
                "async" => self.asyncness = Some(word.clone()),
                "fn" => {
                    self.fn_token = Some(word.clone());
                    if self.asyncness.is_none() {
                        let message = "the function has to be `async`: write `async fn`";
                        self.errors.push(Error::at(word.span(), message));
                    }
                    return Ok(rest);
                }
                qualifier @ ("const" | "unsafe" | "safe" | "extern" | "gen") => {
                    let message = format!("the function cannot be `{qualifier}`");
                    self.errors.push(Error::at(word.span(), message));
                }
                _ => break,
            }
            tokens = match rest {
                [TokenTree::Literal(_abi), after @ ..] => after,
                _ => rest,
            };
        }
        Err(Error::about(start, "this attribute belongs on an `async fn`"))
    }
}

/// Which scheduler runs the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    MultiThread,
    CurrentThread,
}

/// The arguments of the attribute; `None` where none was given.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) flavor: Option<Flavor>,
    /// The number as a token, so that what the compiler says of it points at the user's.
    pub(crate) worker_threads: Option<Literal>,
    /// `true` or `false`.
    pub(crate) start_paused: Option<Ident>,
    /// The path to the crate.
    pub(crate) krate: Option<TokenStream>,
}

impl Arguments {
    /// Reads `name = value, ..`. On an error the arguments before it are kept.
    pub(crate) fn parse(attribute: Attribute, tokens: TokenStream) -> (Self, Vec<Error>) {
        let mut arguments = Self::default();
        let mut errors = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        let tokens = flatten(tokens);
        for argument in tokens.split(|token| is_punct(Some(token), ',')) {
            // Between two commas, or after the last.
            if argument.is_empty() {
                continue;
            }
            if let Err(error) = arguments.parse_one(argument, &mut seen) {
                errors.push(error);
            }
        }
        let flavor = arguments.flavor.unwrap_or(match attribute {
            Attribute::Main => Flavor::MultiThread,
            Attribute::Test => Flavor::CurrentThread,
        });
        // With errors about it already, the flavor is anyone's guess.
        if errors.is_empty() {
            errors.extend(arguments.misfit(flavor));
        }
        arguments.flavor = Some(flavor);
        (arguments, errors)
    }

    /// Takes out an argument that the flavor does not know.
    fn misfit(&mut self, flavor: Flavor) -> Option<Error> {
        match flavor {
            Flavor::CurrentThread => self.worker_threads.take().map(|workers| {
                Error::at(
                    workers.span(),
                    "`worker_threads` needs `flavor = \"multi_thread\"`: a current-thread runtime has no workers",
                )
            }),
            Flavor::MultiThread => {
                self.start_paused.take_if(|paused| paused.to_string() == "true").map(|paused| {
                    Error::at(
                        paused.span(),
                        "`start_paused` needs `flavor = \"current_thread\"`: no other clock can be paused",
                    )
                })
            }
        }
    }

    fn parse_one(&mut self, argument: &[TokenTree], seen: &mut Vec<String>) -> Result<(), Error> {
        let (TokenTree::Ident(name), tail) = (&argument[0], &argument[1..]) else {
            return Err(Error::about(argument, "expected an argument of the form `name = value`"));
        };
        let text = name.to_string();
        let expected = match text.as_str() {
            "flavor" => "`flavor = \"multi_thread\"` or `flavor = \"current_thread\"`",
            "worker_threads" => "a number that is not 0, as in `worker_threads = 4`",
            "start_paused" => "`start_paused = true` or `start_paused = false`",
            "crate" => "a path in quotes, as in `crate = \"path::to::runtime\"`",
            "multi_thread" | "current_thread" => {
                let message = format!("expected `flavor = \"{text}\"`");
                return Err(Error::at(name.span(), message));
            }
            _ => {
                return Err(Error::at(
                    name.span(),
                    format!(
                        "unknown argument `{text}`, expected one of `flavor`, `worker_threads`, \
                         `start_paused`, `crate`"
                    ),
                ));
            }
        };
        if seen.contains(&text) {
            return Err(Error::at(name.span(), format!("argument `{text}` given twice")));
        }
        seen.push(text.clone());

        let [equals, value @ ..] = tail else {
            return Err(Error::at(name.span(), format!("expected {expected}")));
        };
        let [value] = value else {
            let tokens = if value.is_empty() { tail } else { value };
            return Err(Error::about(tokens, format!("expected {expected}")));
        };
        let accepted = is_punct(Some(equals), '=') && self.set(&text, value);
        if accepted { Ok(()) } else { Err(Error::at(value.span(), format!("expected {expected}"))) }
    }

    /// Stores a value; `false` if it is not one for this name.
    fn set(&mut self, name: &str, value: &TokenTree) -> bool {
        match (name, value) {
            ("flavor", TokenTree::Literal(literal)) => {
                self.flavor = match string(&literal.to_string()) {
                    Some("multi_thread") => Some(Flavor::MultiThread),
                    Some("current_thread") => Some(Flavor::CurrentThread),
                    _ => None,
                };
                self.flavor.is_some()
            }
            ("worker_threads", TokenTree::Literal(literal)) => {
                self.worker_threads = positive(&literal.to_string()).map(|number| {
                    let mut token = Literal::usize_suffixed(number);
                    token.set_span(literal.span());
                    token
                });
                self.worker_threads.is_some()
            }
            ("start_paused", TokenTree::Ident(word)) => {
                let is_bool = matches!(word.to_string().as_str(), "true" | "false");
                self.start_paused = is_bool.then(|| word.clone());
                is_bool
            }
            ("crate", TokenTree::Literal(literal)) => {
                self.krate = string(&literal.to_string())
                    .filter(|text| is_path(text))
                    .and_then(|text| text.parse().ok())
                    .map(|path| with_span(path, literal.span()));
                self.krate.is_some()
            }
            _ => false,
        }
    }
}

/// What is between the quotes of a string literal, if it is one without escapes.
fn string(literal: &str) -> Option<&str> {
    let text = literal.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('\\')).then_some(text)
}

/// The value of an integer literal, if it is one, of a fitting type, and not 0.
fn positive(literal: &str) -> Option<usize> {
    let digits = literal.strip_suffix("usize").unwrap_or(literal).replace('_', "");
    let (digits, radix) = match digits.get(..2) {
        Some("0x") => (&digits[2..], 16),
        Some("0o") => (&digits[2..], 8),
        Some("0b") => (&digits[2..], 2),
        _ => (&digits[..], 10),
    };
    // `from_str_radix` would take a sign.
    let all_digits = digits.chars().all(|digit| digit.is_digit(radix));
    usize::from_str_radix(digits, radix).ok().filter(|&number| all_digits && number > 0)
}

/// Whether `text` is `a::b`, `::a::b` or `crate::b`.
fn is_path(text: &str) -> bool {
    text.strip_prefix("::").unwrap_or(text).split("::").all(|segment| {
        let name = segment.trim().trim_start_matches("r#");
        name.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && name.chars().all(|ch| ch.is_alphanumeric() || ch == '_')
    })
}

/// Whether an attribute's last path segment is `test`: std's, ours or another runtime's.
fn names_a_test(attribute: &Group) -> bool {
    let path = attribute
        .stream()
        .into_iter()
        .take_while(|token| matches!(token, TokenTree::Ident(_)) || is_punct(Some(token), ':'))
        .last();
    is_keyword(path.as_ref(), "test")
}

/// The tokens, with groups that have no delimiters opened.
fn flatten(tokens: TokenStream) -> Vec<TokenTree> {
    let mut flat = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                flat.extend(flatten(group.stream()));
            }
            token => flat.push(token),
        }
    }
    flat
}

fn with_span(tokens: TokenStream, span: Span) -> TokenStream {
    let respan = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_iter().map(respan).collect()
}

fn is_punct(token: Option<&TokenTree>, ch: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ch)
}

fn is_keyword(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident.to_string() == word)
}

#[cfg(test)]
mod tests;
