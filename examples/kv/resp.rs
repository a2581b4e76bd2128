//! The protocol: how commands are taken from bytes, and answers put into them.
//!
//! Nothing here waits or knows a connection, so half a command is no special case: [`parse`] says
//! that it needs more, and is called again from the beginning when more is there. What a peer
//! announces is believed only up to the limits below, and no memory is taken for it.

/// The longest string, and about the longest command.
pub(crate) const LONGEST: usize = 1024 * 1024;
/// How many strings a command may have.
const MOST: usize = 1024;
/// The longest line: a command that somebody types, or a number.
const LONGEST_LINE: usize = 64 * 1024;

/// Takes a command from the beginning of `input`, puts its strings into `command`, and returns what
/// is behind it. `None`: it has not come in full.
///
/// # Errors
///
/// What is wrong with it. Nobody knows where the next command begins then.
pub(crate) fn parse<'a>(
    input: &'a [u8],
    command: &mut Vec<&'a [u8]>,
) -> Result<Option<&'a [u8]>, String> {
    command.clear();
    let Some((first, mut rest)) = line(input)? else { return Ok(None) };
    let Some(count) = first.strip_prefix(b"*") else {
        // Somebody types.
        command.extend(first.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()));
        return Ok(Some(rest));
    };
    let count = integer(count).filter(|count| *count <= MOST as i64);
    for _ in 0..count.ok_or("invalid multibulk length")? {
        let Some((first, after)) = line(rest)? else { return Ok(None) };
        let Some(length) = first.strip_prefix(b"$") else {
            return Err(format!(
                "expected '$', got '{}'",
                first[..first.len().min(1)].escape_ascii()
            ));
        };
        let length = integer(length).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= LONGEST).ok_or("invalid bulk length")?;
        let Some((string, after)) = after.split_at_checked(length) else { return Ok(None) };
        rest = match after {
            [b'\r', b'\n', after @ ..] => after,
            [] | [b'\r'] => return Ok(None),
            _ => return Err("a string is longer than announced".into()),
        };
        command.push(string);
    }
    Ok(Some(rest))
}

/// A line, and what is behind it.
type Line<'a> = (&'a [u8], &'a [u8]);

fn line(input: &[u8]) -> Result<Option<Line<'_>>, &'static str> {
    let head = &input[..input.len().min(LONGEST_LINE)];
    match head.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = head[..end].strip_suffix(b"\r").unwrap_or(&head[..end]);
            Ok(Some((line, &input[end + 1..])))
        }
        None if head.len() == LONGEST_LINE => Err("too big inline request"),
        None => Ok(None),
    }
}

/// A number, as strict as Redis: `+1`, ` 1` and an empty string are none.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let text = str::from_utf8(text).ok().filter(|text| !text.starts_with('+'))?;
    text.parse().ok()
}

/// Appends answers.
pub(crate) struct Answers(pub(crate) Vec<u8>);

impl Answers {
    pub(crate) fn simple(&mut self, text: &str) {
        self.put(&[b"+", text.as_bytes()]);
    }

    pub(crate) fn error(&mut self, text: &str) {
        self.put(&[b"-ERR ", text.as_bytes()]);
    }

    pub(crate) fn integer(&mut self, number: i64) {
        self.put(&[b":", number.to_string().as_bytes()]);
    }

    /// A string, or nil.
    pub(crate) fn string(&mut self, string: Option<&[u8]>) {
        let Some(string) = string else { return self.put(&[b"$-1"]) };
        self.put(&[b"$", string.len().to_string().as_bytes()]);
        self.put(&[string]);
    }

    /// So many answers follow.
    pub(crate) fn array(&mut self, count: usize) {
        self.put(&[b"*", count.to_string().as_bytes()]);
    }

    fn put(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.0.extend_from_slice(part);
        }
        self.0.extend_from_slice(b"\r\n");
    }
}
