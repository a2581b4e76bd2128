//! From the parts of a function to the function that takes its place.
//!
//! ```text
//! #[attributes]                               #[attributes]
//! pub async fn name() -> T { body }    =>     pub fn name() -> T {
//!                                                 async fn name() -> T { body }
//!                                                 let root = pin!(name());
//!                                                 Builder::new_..().build().expect(..).block_on(root)
//!                                             }
//! ```
//!
//! The inner function is the user's own tokens in their order: what the compiler has to say about
//! the body or the return type it says as of any `async fn`, pointing at the user's code. (An
//! `async` block would lose the return type: mismatches in it are reported elsewhere.) Attributes
//! stay outside, where lint levels reach the inner function too.
//!
//! Where the input is refused, a function of the same name is produced beside the error, with the
//! body still inside: so that the error is the only one, and editors go on to help.

use crate::Attribute;
use crate::error::Error;
use crate::parse::{Arguments, Flavor, Function};
use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

/// What both attributes do.
pub(crate) fn expand(
    attribute: Attribute,
    arguments: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let (arguments, mut errors) = Arguments::parse(attribute, arguments);
    let mut function = Function::parse(attribute, item.clone());
    let refused = !function.errors.is_empty();
    errors.append(&mut function.errors);

    let mut expansion: TokenStream = errors.into_iter().map(Error::into_compile_error).collect();
    match parts(&function) {
        Some(parts) if refused => expansion.extend(placeholder(&function, &parts)),
        Some(parts) => expansion.extend(runner(attribute, &arguments, &function, &parts)),
        // Not a function as far as one can tell: there is nothing to call.
        None => {}
    }
    expansion
}

/// The parts of a function without which there is none.
struct Parts {
    asyncness: Ident,
    fn_token: Ident,
    name: Ident,
    parameters: Group,
    body: Group,
}

fn parts(function: &Function) -> Option<Parts> {
    let name = function.name.clone()?;
    let empty = |delimiter| Group::new(delimiter, TokenStream::new());
    Some(Parts {
        asyncness: function.asyncness.clone().unwrap_or_else(|| Ident::new("async", name.span())),
        fn_token: function.fn_token.clone()?,
        name,
        parameters: function.parameters.clone().unwrap_or_else(|| empty(Delimiter::Parenthesis)),
        body: function.body.clone().unwrap_or_else(|| empty(Delimiter::Brace)),
    })
}

/// The function that builds a runtime and blocks on the user's.
fn runner(
    attribute: Attribute,
    arguments: &Arguments,
    function: &Function,
    parts: &Parts,
) -> TokenStream {
    let name = single(parts.name.clone());
    let krate = arguments.krate.clone().unwrap_or_else(|| quote("::runtime"));

    let mut builder = krate;
    builder.extend(quote(match arguments.flavor {
        Some(Flavor::CurrentThread) => "::Builder::new_current_thread()",
        _ => "::Builder::new_multi_thread()",
    }));
    if let Some(number) = &arguments.worker_threads {
        builder.extend(quote(".worker_threads"));
        builder.extend(group(Delimiter::Parenthesis, [single(number.clone())]));
    }
    if let Some(paused) = &arguments.start_paused {
        builder.extend(quote(".start_paused"));
        builder.extend(group(Delimiter::Parenthesis, [single(paused.clone())]));
    }

    // Pinned here and passed on as a trait object: `block_on` is then compiled once for each type
    // of result and not once for each test, and the future is not copied into it.
    let body = group(
        Delimiter::Brace,
        [
            inner(function, parts),
            quote("let root = ::core::pin::pin!"),
            group(Delimiter::Parenthesis, [name.clone(), quote("()")]),
            quote(
                ";let root: ::core::pin::Pin<&mut dyn ::core::future::Future<Output = _>> = root;",
            ),
            quote("#[allow(clippy::expect_used, clippy::unwrap_in_result)]"),
            group(
                Delimiter::Brace,
                [
                    builder,
                    quote(".build().expect(\"the runtime could not be built\").block_on(root)"),
                ],
            ),
        ],
    );

    let mut tokens = function.attributes.clone();
    if attribute == Attribute::Test {
        tokens.extend(quote("#[::core::prelude::v1::test]"));
    }
    tokens.extend(function.visibility.clone());
    tokens.extend([single(parts.fn_token.clone()), name, quote("()")]);
    tokens.extend(function.output.clone());
    tokens.extend(body);
    tokens
}

/// A function that does nothing, with the refused one inside.
fn placeholder(function: &Function, parts: &Parts) -> TokenStream {
    let body = group(Delimiter::Brace, [quote("#[allow(dead_code)]"), inner(function, parts)]);
    let mut tokens = quote("#[allow(dead_code)]");
    tokens.extend(function.visibility.clone());
    tokens.extend([single(parts.fn_token.clone()), single(parts.name.clone()), quote("()"), body]);
    tokens
}

/// `async fn name(..) -> T { .. }` as the user wrote it.
fn inner(function: &Function, parts: &Parts) -> TokenStream {
    TokenStream::from_iter([
        single(parts.asyncness.clone()),
        single(parts.fn_token.clone()),
        single(parts.name.clone()),
        single(parts.parameters.clone()),
        function.output.clone(),
        single(parts.body.clone()),
    ])
}

/// Tokens of ours. Names in them are looked up where the attribute stands, and what goes wrong with
/// them is shown at the attribute.
fn quote(source: &str) -> TokenStream {
    let tokens: TokenStream = source.parse().expect("the macro's own text is made of tokens");
    tokens.into_iter().map(at_call_site).collect()
}

fn at_call_site(mut token: TokenTree) -> TokenTree {
    if let TokenTree::Group(group) = &token {
        let inside = group.stream().into_iter().map(at_call_site).collect();
        token = TokenTree::Group(Group::new(group.delimiter(), inside));
    }
    token.set_span(Span::mixed_site());
    token
}

fn group<const N: usize>(delimiter: Delimiter, parts: [TokenStream; N]) -> TokenStream {
    single(Group::new(delimiter, TokenStream::from_iter(parts)))
}

fn single(token: impl Into<TokenTree>) -> TokenStream {
    TokenStream::from(token.into())
}
