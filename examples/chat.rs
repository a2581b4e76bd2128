//! A chat over TCP: a task for each member, everyone hears everyone, and an end in good order.
//!
//! ```text
//! cargo run --example chat                  # a server and fifty members that check what they hear
//! cargo run --example chat 127.0.0.1:7000   # only the server; then, a few times: nc 127.0.0.1 7000
//! ```
//!
//! At ctrl-c the server stops accepting, lets its members go with a word, and says which of its tasks
//! did not end in time. Without an address it presses ctrl-c itself, when the members are done.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{Receiver, Sender, channel};
use runtime::TaskTracker;
use runtime::io::{BufRead, BufReader, Write};
use runtime::net::{TcpListener, TcpStream};
use runtime::task::{CancellationToken, JoinSet};

/// The longest line that a member may say.
const LONGEST: usize = 1024;
/// How many lines a member may be behind before it misses some.
const BEHIND: usize = 256;
/// How long members have to go.
const LIMIT: Duration = Duration::from_secs(2);

// ---------------------------------------------------------------- the server

/// Who is there.
#[derive(Default)]
struct Room(Mutex<HashMap<SocketAddr, Sender<Arc<str>>>>);

impl Room {
    fn enter(self: &Arc<Self>, name: SocketAddr) -> (Presence, Receiver<Arc<str>>) {
        let (mut sender, inbox) = channel(BEHIND);
        let _ = sender.try_send("welcome\n".into());
        self.0.lock().unwrap().insert(name, sender);
        (Presence { name, room: Arc::clone(self) }, inbox)
    }

    /// Tells everyone. Who is too far behind misses it: nobody waits for the slowest.
    fn say(&self, line: String) {
        let line = Arc::from(line);
        for member in self.0.lock().unwrap().values_mut() {
            let _ = member.try_send(Arc::clone(&line));
        }
    }
}

/// A member is in the room for as long as this lives; then its inbox ends.
struct Presence {
    name: SocketAddr,
    room: Arc<Room>,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.room.0.lock().unwrap().remove(&self.name);
    }
}

/// One member. It listens and speaks at the same time; what ends one of these ends the other.
async fn member(
    stream: TcpStream,
    presence: Presence,
    inbox: Receiver<Arc<str>>,
    stop: CancellationToken,
) -> io::Result<()> {
    let (read, write) = stream.into_split();
    runtime::scope(async |scope| {
        scope.spawn(tell(inbox, write));
        let mut lines = BufReader::new(read).lines().limit(LONGEST);
        while let Some(line) = stop.run_until_cancelled(lines.next_line()).await {
            let Some(line) = line? else { break };
            presence.room.say(format!("{}: {line}\n", presence.name));
        }
        drop(presence);
        Ok(())
    })
    .await
}

/// Writes what is said until there is nothing more to come.
async fn tell(mut inbox: Receiver<Arc<str>>, mut stream: impl Write) -> io::Result<()> {
    while let Some(line) = inbox.next().await {
        stream.write_all(line.as_bytes()).await?;
    }
    stream.write_all(b"goodbye\n").await?;
    stream.shutdown().await
}

async fn accept(listener: TcpListener, tracker: TaskTracker) {
    let room = Arc::<Room>::default();
    while let Some(accepted) = tracker.token().run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // Too many open files, say. The next `accept` waits until it makes sense.
            Err(error) => {
                eprintln!("cannot accept: {error}");
                continue;
            }
        };
        let (presence, inbox) = room.enter(peer);
        let stop = tracker.token().clone();
        tracker.spawn_named(format!("member {peer}"), member(stream, presence, inbox, stop));
    }
}

#[runtime::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let local = listener.local_addr()?;
    println!("listening on {local}");
    let ctrl_c = runtime::signal::ctrl_c();
    let tracker = TaskTracker::new();
    tracker.spawn_named("accept loop", accept(listener, tracker.clone()));

    if address.is_some() {
        ctrl_c.await?;
        println!("{}", tracker.drain(LIMIT).await);
        return Ok(());
    }
    // Something that does not listen, for the report.
    tracker.spawn_named("a deaf task", std::future::pending::<()>());
    let talk = runtime::spawn(talk(local));
    ctrl_c.await?;
    let report = tracker.drain(LIMIT).await;
    println!("{report}");
    assert_eq!(report.left().len(), 1);
    talk.await?
}

// ---------------------------------------------------------------- the members that check it

/// Has fifty members talk, presses ctrl-c, and sees them off.
async fn talk(server: SocketAddr) -> io::Result<()> {
    const MEMBERS: usize = 50;
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        // Nobody speaks before all are there.
        let mut lines = BufReader::new(TcpStream::connect(server).await?).lines();
        assert_eq!(lines.next_line().await?.as_deref(), Some("welcome"));
        members.push(lines);
    }
    let mut talks = JoinSet::new();
    for (number, mut lines) in members.into_iter().enumerate() {
        talks.spawn(async move {
            lines.get_mut().write_all(format!("hello from {number}\n").as_bytes()).await?;
            let mut heard = [false; MEMBERS];
            while heard.contains(&false) {
                let line = lines.next_line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
                let (_, from) = line.rsplit_once(' ').ok_or(io::ErrorKind::InvalidData)?;
                heard[from.parse::<usize>().map_err(io::Error::other)?] = true;
            }
            io::Result::Ok(lines)
        });
    }
    let mut members = Vec::new();
    while let Some(talk) = talks.join_next().await {
        members.push(talk??);
    }
    println!("{MEMBERS} members have heard {MEMBERS} lines each");
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT)?;
    for mut lines in members {
        assert_eq!(lines.next_line().await?.as_deref(), Some("goodbye"));
        assert_eq!(lines.next_line().await?, None);
    }
    println!("and were seen off");
    Ok(())
}
