//! A refusal: one sentence, and the tokens of the user's that it is about.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// Why the attribute does not accept what it was given.
#[derive(Debug)]
pub(crate) struct Error {
    message: String,
    start: Span,
    end: Span,
}

impl Error {
    /// An error about one token.
    pub(crate) fn at(span: Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), start: span, end: span }
    }

    /// An error about a run of tokens; about the attribute as a whole if there are none.
    pub(crate) fn about(tokens: &[TokenTree], message: impl Into<String>) -> Self {
        let span_of = |token: Option<&TokenTree>| token.map_or_else(Span::call_site, |t| t.span());
        Self {
            message: message.into(),
            start: span_of(tokens.first()),
            end: span_of(tokens.last()),
        }
    }

    /// `::core::compile_error! { "message" }`, underlining what the error is about.
    ///
    /// Stable Rust cannot join two spans, but it underlines a macro call from its first token to
    /// its last: so the path wears the span of the first token and the braces that of the last.
    pub(crate) fn into_compile_error(self) -> TokenStream {
        let punct = |ch, spacing, span| {
            let mut punct = Punct::new(ch, spacing);
            punct.set_span(span);
            TokenTree::Punct(punct)
        };
        let ident = |name, span| TokenTree::Ident(Ident::new(name, span));
        let mut message = Literal::string(&self.message);
        message.set_span(self.end);
        let mut braces = Group::new(Delimiter::Brace, TokenTree::Literal(message).into());
        braces.set_span(self.end);
        TokenStream::from_iter([
            punct(':', Spacing::Joint, self.start),
            punct(':', Spacing::Alone, self.start),
            ident("core", self.start),
            punct(':', Spacing::Joint, self.start),
            punct(':', Spacing::Alone, self.start),
            ident("compile_error", self.start),
            punct('!', Spacing::Alone, self.start),
            TokenTree::Group(braces),
        ])
    }
}
