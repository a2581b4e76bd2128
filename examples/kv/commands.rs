//! The commands: what each does with the data and answers.

use std::time::Duration;

use runtime::time::Instant;

use crate::resp::{Answers, LONGEST, integer};
use crate::store::Store;

const COMMANDS: &[&str] =
    &["ping", "echo", "get", "set", "del", "incr", "expire", "ttl", "mget", "command", "config"];

/// Runs a command and appends its answer, or returns an error and has appended nothing.
pub(crate) fn execute(
    name: &[u8],
    arguments: &[&[u8]],
    store: &mut Store,
    now: Instant,
    answers: &mut Answers,
) -> Result<(), String> {
    let known = COMMANDS.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name));
    let name = known.ok_or_else(|| {
        format!("unknown command '{}'", name[..name.len().min(64)].escape_ascii())
    })?;
    match (*name, arguments) {
        ("ping", []) => answers.simple("PONG"),
        ("ping" | "echo", [text]) => answers.string(Some(text)),
        ("get", [key]) => answers.string(store.get(key, now)),
        ("set", [key, value, options @ ..]) => {
            let expires = match options {
                [] => None,
                [unit, time] if unit.eq_ignore_ascii_case(b"ex") => Some(after(now, time, 1000)?),
                [unit, time] if unit.eq_ignore_ascii_case(b"px") => Some(after(now, time, 1)?),
                _ => return Err("syntax error".into()),
            };
            if expires.is_some_and(|expires| expires <= now) {
                return Err("invalid expire time in 'set' command".into());
            }
            if !store.set(key, value, expires) {
                return Err("command not allowed: no memory is left".into());
            }
            answers.simple("OK");
        }
        ("del", keys @ [_, ..]) => {
            let removed =
                keys.iter().filter(|key| store.get(key, now).is_some() && store.remove(key));
            answers.integer(removed.count() as i64);
        }
        ("incr", [key]) => {
            let expires = store.expires(key, now).flatten();
            let value = store.get(key, now).map_or(Some(0), integer);
            let value = value.ok_or("value is not an integer or out of range")?;
            let value = value.checked_add(1).ok_or("increment or decrement would overflow")?;
            if !store.set(key, value.to_string().as_bytes(), expires) {
                return Err("command not allowed: no memory is left".into());
            }
            answers.integer(value);
        }
        ("expire", [key, seconds]) => {
            let at = after(now, seconds, 1000)?;
            let is_there = store.get(key, now).is_some() && store.expire(key, Some(at));
            answers.integer(is_there.into());
        }
        ("ttl", [key]) => answers.integer(match store.expires(key, now) {
            None => -2,
            Some(None) => -1,
            Some(Some(at)) => ((at - now).as_millis() as i64 + 500) / 1000,
        }),
        ("mget", keys @ [_, ..]) => {
            let before = answers.0.len();
            answers.array(keys.len());
            for key in keys {
                answers.string(store.get(key, now));
                // Few bytes ask for this, so it needs a limit of its own.
                if answers.0.len() - before > 4 * LONGEST {
                    answers.0.truncate(before);
                    return Err("too long an answer".into());
                }
            }
        }
        // What clients ask before they begin: a list of nothing will do.
        ("command", _) => answers.array(0),
        ("config", [_, name]) => {
            answers.array(2);
            answers.string(Some(name));
            answers.string(Some(b""));
        }
        _ => return Err(format!("wrong number of arguments for '{name}' command")),
    }
    Ok(())
}

/// So many units of `milliseconds` after now. What was before now is now.
fn after(now: Instant, time: &[u8], milliseconds: i64) -> Result<Instant, &'static str> {
    let time = integer(time).ok_or("value is not an integer or out of range")?;
    let time = time.checked_mul(milliseconds).ok_or("invalid expire time")?;
    let time = Duration::from_millis(u64::try_from(time).unwrap_or(0));
    now.checked_add(time).ok_or("invalid expire time")
}
