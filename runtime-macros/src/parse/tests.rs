//! The parts of the parser that work on text.
//!
//! Tokens exist only while the compiler expands a macro; what is done with them is tested by the
//! programs in `runtime-tests/tests/ui`, which compile or fail to.

use super::{is_path, positive, string};

#[test]
fn strings_are_taken_out_of_their_quotes() {
    assert_eq!(string("\"multi_thread\""), Some("multi_thread"));
    assert_eq!(string("\"\""), Some(""));
    for other in ["\"", "4", "'a'", "b\"bytes\"", "r\"raw\"", "\"esc\\u{61}pe\"", "\"x\"suffix"] {
        assert_eq!(string(other), None, "{other}");
    }
}

#[test]
fn numbers_are_read_as_the_compiler_reads_them() {
    for (text, value) in [
        ("1", 1),
        ("4", 4),
        ("1_000", 1000),
        ("8usize", 8),
        ("0x10", 16),
        ("0o17", 15),
        ("0b11", 3),
        ("0x_ff_usize", 255),
        ("007", 7),
    ] {
        assert_eq!(positive(text), Some(value), "{text}");
    }
}

#[test]
fn what_is_no_positive_number_is_refused() {
    for text in [
        "0",
        "0_0",
        "0x0",
        "0usize",
        "1.0",
        "1e3",
        "4u8",
        "\"4\"",
        "'4'",
        "0x",
        "99999999999999999999",
    ] {
        assert_eq!(positive(text), None, "{text}");
    }
}

#[test]
fn paths_are_told_from_other_text() {
    for path in ["runtime", "::runtime", "crate", "crate::rt", "a::b::c", "r#async::rt", "_x"] {
        assert!(is_path(path), "{path}");
    }
    for other in ["", "::", "a::", "a b", "a.b", "a::<B>", "4", "a;b"] {
        assert!(!is_path(other), "{other}");
    }
}
