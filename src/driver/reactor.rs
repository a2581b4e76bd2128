//! The table between the operating system's tokens and our [`Source`]s.
//!
//! One mio registry, one table of sources behind a lock. A token is a slot of the table and a
//! generation that no two registrations share (until 2^32 of them have passed, 2^12 on 32-bit
//! machines), so an event that was already under way when its source left finds either an empty
//! slot or another generation and is dropped.
//!
//! Who wakes whom: nobody here. [`Reactor::dispatch`] and [`Reactor::shutdown`] append wakers to the
//! caller's list. The lock is taken once for a whole batch of events; under it no user code runs:
//! wakers are moved, never called, cloned or dropped.

use std::io;
use std::ptr;
use std::sync::Arc;
use std::task::Waker;

use super::source::{self, ERROR, PRIORITY, RD_CLOSED, READ, Source, WR_CLOSED, WRITE};
use crate::sync::{Apart, Mutex};

/// The token of the unpark event; no slot reaches it.
const UNPARK: mio::Token = mio::Token(usize::MAX);

/// How many of a token's bits name the slot; the rest are the generation.
const SLOT_BITS: u32 = if usize::BITS >= 64 { 32 } else { 20 };
const SLOT_MASK: usize = (1 << SLOT_BITS) - 1;

#[derive(Debug)]
pub(super) struct Reactor {
    registry: mio::Registry,
    waker: mio::Waker,
    table: Apart<Mutex<Table>>,
}

/// Who has which token.
#[derive(Debug)]
pub(super) struct Table {
    /// By slot. Their generations are apart, so that a slot takes 12 bytes and not 16.
    sources: Vec<Option<Arc<Source>>>,
    generations: Vec<u32>,
    /// Slots whose sources have left.
    vacant: Vec<u32>,
    /// The generation of the next registration.
    generation: u32,
    events: u64,
    shut_down: bool,
}

impl Reactor {
    pub(super) fn new(registry: &mio::Registry) -> io::Result<Self> {
        Ok(Self {
            registry: registry.try_clone()?,
            waker: mio::Waker::new(registry, UNPARK)?,
            table: Apart(Mutex::new(Table::new())),
        })
    }

    pub(super) fn unpark(&self) {
        // An eventfd write fails only for a closed descriptor, and this one is ours.
        let woken = self.waker.wake();
        debug_assert!(woken.is_ok(), "unpark failed: {woken:?}");
    }

    /// Marks what became ready and collects those who waited for it.
    pub(super) fn dispatch(&self, events: &mio::Events, woken: &mut Vec<Waker>) {
        if events.is_empty() {
            return;
        }
        let mut table = self.table.lock();
        let mut count = 0;
        for event in events {
            if let Some(source) = table.find(event.token()) {
                source.event(bits_of(event), woken);
                count += 1;
            }
        }
        table.events += count;
    }

    /// Enters `source` in the table and `io`, which it stands for, at the operating system.
    pub(super) fn register(
        &self,
        io: &mut dyn mio::event::Source,
        interest: mio::Interest,
        source: &Arc<Source>,
    ) -> io::Result<()> {
        let token = self.table.lock().insert(source)?;
        let result = self.registry.register(io, token, interest);
        if result.is_err() {
            let _removed = self.table.lock().remove(source);
        }
        result
    }

    /// Takes `io` out of the operating system's set and of the table.
    pub(super) fn deregister(
        &self,
        io: &mut dyn mio::event::Source,
        source: &Source,
    ) -> io::Result<()> {
        let result = self.registry.deregister(io);
        let removed = self.table.lock().remove(source);
        drop(removed); // not under the lock
        result
    }

    /// Asks the operating system for events about `io` again.
    pub(super) fn rearm(
        &self,
        io: &mut dyn mio::event::Source,
        source: &Source,
        interest: mio::Interest,
    ) -> io::Result<()> {
        let token = self.table.lock().token_of(source).ok_or_else(source::gone)?;
        match self.registry.reregister(io, token, interest) {
            // mio takes a descriptor with an error out of its set over poll(2).
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.registry.register(io, token, interest)
            }
            result => result,
        }
    }

    /// Collects every waiter; from here on every source and every registration fails.
    pub(super) fn shutdown(&self, woken: &mut Vec<Waker>) {
        let sources = self.table.lock().shut_down();
        for source in sources.iter().flatten() {
            source.shut_down(woken);
        }
    }

    /// How many events there were for sources in the table.
    pub(super) fn events(&self) -> u64 {
        self.table.lock().events
    }

    /// How many sources are in the table.
    pub(super) fn len(&self) -> usize {
        self.table.lock().len()
    }
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            sources: Vec::new(),
            generations: Vec::new(),
            vacant: Vec::new(),
            generation: 0,
            events: 0,
            shut_down: false,
        }
    }

    pub(super) fn insert(&mut self, source: &Arc<Source>) -> io::Result<mio::Token> {
        if self.shut_down {
            return Err(source::gone());
        }
        let slot = match self.vacant.pop() {
            Some(slot) => slot as usize,
            None => self.new_slot()?,
        };
        let generation = self.generation;
        self.generation = generation.wrapping_add(1);
        source.set_slot(slot as u32);
        self.sources[slot] = Some(Arc::clone(source));
        self.generations[slot] = generation;
        Ok(token(slot, generation))
    }

    fn new_slot(&mut self) -> io::Result<usize> {
        let slot = self.sources.len();
        if slot >= SLOT_MASK {
            return Err(io::Error::other("a runtime cannot watch that many I/O objects"));
        }
        if slot == self.sources.capacity() {
            // Doubled, it would hold half as much again for each idle connection.
            self.sources.reserve_exact((slot / 8).max(64));
            self.generations.reserve_exact((slot / 8).max(64));
        }
        self.sources.push(None);
        self.generations.push(0);
        Ok(slot)
    }

    /// Takes `source` out, if it is still in. The caller drops it with no lock held: there may be
    /// wakers in it.
    pub(super) fn remove(&mut self, source: &Source) -> Option<Arc<Source>> {
        let slot = self.slot_of(source)?;
        self.vacant.push(slot as u32);
        self.sources[slot].take()
    }

    /// The token of `source`, if it is still in.
    fn token_of(&self, source: &Source) -> Option<mio::Token> {
        self.slot_of(source).map(|slot| token(slot, self.generations[slot]))
    }

    /// Where `source` is, if it is still in: after a shutdown the table is empty.
    fn slot_of(&self, source: &Source) -> Option<usize> {
        let slot = source.slot();
        let found = self.sources.get(slot)?.as_deref()?;
        ptr::eq(found, source).then_some(slot)
    }

    fn len(&self) -> usize {
        self.sources.len() - self.vacant.len()
    }

    /// Lets nobody in any more and takes everybody out.
    pub(super) fn shut_down(&mut self) -> Vec<Option<Arc<Source>>> {
        self.shut_down = true;
        self.vacant.clear();
        std::mem::take(&mut self.sources)
    }

    /// The source that `wanted` was given to, if it is still in.
    #[inline]
    pub(super) fn find(&self, wanted: mio::Token) -> Option<&Source> {
        let slot = wanted.0 & SLOT_MASK;
        let source = self.sources.get(slot)?.as_deref()?;
        (token(slot, self.generations[slot]) == wanted).then_some(source)
    }
}

fn token(slot: usize, generation: u32) -> mio::Token {
    mio::Token((generation as usize) << SLOT_BITS | slot)
}

/// An event in the bits of a source's word.
fn bits_of(event: &mio::event::Event) -> u64 {
    let mut bits = 0;
    let mut set = |is: bool, bit| bits |= if is { bit } else { 0 };
    set(event.is_readable(), READ);
    set(event.is_writable(), WRITE);
    set(event.is_priority(), PRIORITY);
    // Whoever waits has to try, whatever the news is: hence the readiness beside the closed bits.
    set(event.is_read_closed(), READ | RD_CLOSED);
    set(event.is_error(), READ | WRITE | ERROR);
    if event.is_write_closed() {
        // An error that arrives alone is reported as closed as well, but may be a passing one (a
        // datagram refused); only with a hang-up, which closes reading too, is it for ever.
        let for_ever = !event.is_error() || event.is_read_closed();
        set(true, if for_ever { WRITE | WR_CLOSED } else { WRITE });
    }
    bits
}
