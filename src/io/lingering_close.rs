//! [`lingering_close`]: the end of a connection whose peer may not have finished.

use std::io::{ErrorKind, Result};

use super::{Read, Write, read_with};

/// Closes a stream so that what was written arrives, though the peer may not have finished writing.
///
/// A TCP connection that is dropped with bytes unread is *reset*: what was written and is not there yet
/// is thrown away. So a server that refuses a request half way shuts the writing down, reads what the
/// peer still sends, for nothing and without a buffer while it waits, until the peer closes as well,
/// and drops the stream then. (Web servers call this a lingering close.)
///
/// A peer may take for ever over that. Put a [`timeout`](crate::time::timeout) around it: a future that
/// is dropped closes the stream at once.
///
/// # Errors
///
/// Those of shutting down and of reading except `Interrupted`, which is retried. After one the peer may not have got everything.
///
/// # Cancel safety
///
/// The stream is dropped with the future.
///
/// ```
/// # runtime::Runtime::new().unwrap().block_on(async {
/// use runtime::io::{Read, Write, duplex, lingering_close};
/// use runtime::time::{Duration, timeout};
///
/// let (mut client, mut server) = duplex(64);
/// client.write_all(b"far too long a request").await?;
/// server.write_all(b"too long").await?;
/// let closing = timeout(Duration::from_secs(1), lingering_close(server));
///
/// let answer = async {
///     let mut answer = String::new();
///     client.read_to_string(&mut answer).await?;
///     drop(client);
///     std::io::Result::Ok(answer)
/// };
/// let (closed, answer) = futures::future::join(closing, answer).await;
/// assert_eq!(answer?, "too long");
/// closed.expect("the client has closed in time")?;
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub async fn lingering_close(mut stream: impl Read + Write) -> Result<()> {
    let mut is_shut_down = false;
    loop {
        let left = if is_shut_down {
            read_with(&mut stream, <[u8]>::len).await
        } else {
            stream.shutdown().await.map(|()| 1)
        };
        match left {
            Ok(0) => return Ok(()),
            Ok(_) => is_shut_down = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
