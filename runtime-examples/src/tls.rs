//! The server's side of a TLS connection that holds no buffer while it waits; and configurations to try
//! it with.
//!
//! rustls has no I/O, and a form without buffers of its own: it is shown what came and says what has to
//! be sent. So there are three vectors here, each of them without memory unless something is under
//! way: what came is read when it is there (`read_into`), and what stays of it is the beginning of a
//! record whose rest the peer has not sent yet.

use std::fmt;
use std::io::ErrorKind;
use std::mem::take;
use std::sync::Arc;

use runtime::io::ReadyStream;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::Error;

#[cfg(test)]
mod tests;

/// The most that goes into one record.
const RECORD: usize = 16 << 10;

/// More than a record takes when it is encrypted.
const ENCRYPTED: usize = 20 << 10;

/// A TLS connection on any stream.
pub struct Tls<S> {
    stream: S,
    session: UnbufferedServerConnection,
    /// What came and is not understood yet.
    came: Vec<u8>,
    /// What was understood, for the next read.
    heard: Vec<u8>,
    /// What has to be sent before anything else.
    goes: Vec<u8>,
    is_at_end: bool,
}

/// What is to be encrypted, if anything.
enum Say<'a> {
    Nothing,
    This(&'a [u8]),
    End,
}

impl<S: ReadyStream> Tls<S> {
    /// A connection that has yet to begin.
    ///
    /// # Errors
    ///
    /// If the configuration is no good.
    pub fn new(stream: S, config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self {
            stream,
            session: UnbufferedServerConnection::new(config)?,
            came: Vec::new(),
            heard: Vec::new(),
            goes: Vec::new(),
            is_at_end: false,
        })
    }

    /// Does the handshake, which has no limit on time. It is not what makes a `Tls`: then a task would
    /// have room for two, one in the handshake's future.
    ///
    /// # Errors
    ///
    /// Those of the stream; those of rustls, of which the peer was told.
    pub async fn handshake(&mut self) -> Result<(), Error> {
        while self.session.is_handshaking() {
            self.advance().await?;
        }
        self.send().await
    }

    /// What the peer says next; nothing if it has ended in good order.
    ///
    /// # Errors
    ///
    /// As [`handshake`](Self::handshake), and `UnexpectedEof` if the peer ends without saying so.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, unless a write was dropped before.
    pub async fn read(&mut self) -> Result<Vec<u8>, Error> {
        while self.heard.is_empty() && !self.is_at_end {
            self.advance().await?;
        }
        Ok(take(&mut self.heard))
    }

    /// Sends `bytes`. While that waits nothing is read, so a peer that does not read is not heard.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks(RECORD) {
            self.turn(&Say::This(piece))?;
            self.send().await?;
        }
        Ok(())
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub async fn close(mut self) -> Result<(), Error> {
        self.turn(&Say::End)?;
        self.send().await?;
        Ok(self.stream.shutdown().await?)
    }

    /// Waits until something comes, and lets the session take it.
    async fn advance(&mut self) -> Result<(), Error> {
        self.send().await?;
        if self.stream.read_into(&mut self.came).await? == 0 {
            return Err(std::io::Error::from(ErrorKind::UnexpectedEof).into());
        }
        let outcome = self.turn(&Say::Nothing);
        if outcome.is_err() {
            self.alert();
        }
        Ok(outcome?)
    }

    /// Tells the peer what is wrong with what it said, if there is room for it.
    fn alert(&mut self) {
        // One call and no other: with nothing left to say it would look again at what came.
        let state = self.session.process_tls_records(&mut self.came).state;
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = state
            && append(&mut self.goes, |room| data.encode(room)).is_ok()
        {
            let _ = self.stream.non_blocking_write(&self.goes);
        }
    }

    async fn send(&mut self) -> Result<(), Error> {
        if !self.goes.is_empty() {
            self.stream.write_all(&self.goes).await?;
            self.goes = Vec::new();
        }
        Ok(())
    }

    /// Asks the session what it wants until it wants to be shown more.
    fn turn(&mut self, say: &Say<'_>) -> Result<(), rustls::Error> {
        let mut taken = 0;
        let outcome = loop {
            let UnbufferedStatus { mut discard, state, .. } =
                self.session.process_tls_records(&mut self.came[taken..]);
            let outcome = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                    match traffic.next_record() {
                        Some(Ok(record)) => {
                            discard += record.discard;
                            self.heard.extend_from_slice(record.payload);
                        }
                        Some(Err(error)) => break Some(Err(error)),
                        None => break None,
                    }
                },
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(&mut self.goes, |room| data.encode(room)).err().map(Err)
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done(); // As good as: it goes before anything else does.
                    None
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.is_at_end = true;
                    None
                }
                Ok(ConnectionState::WriteTraffic(mut traffic)) => Some(match say {
                    Say::Nothing => Ok(()),
                    Say::This(bytes) => append(&mut self.goes, |room| traffic.encrypt(bytes, room)),
                    Say::End => append(&mut self.goes, |room| traffic.queue_close_notify(room)),
                }),
                Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => Some(Ok(())),
                Ok(state) => Some(Err(rustls::Error::General(format!("not expected: {state:?}")))),
                Err(error) => Some(Err(error)),
            };
            taken += discard;
            if let Some(outcome) = outcome {
                break outcome;
            }
        };
        self.came.drain(..taken);
        if self.came.is_empty() {
            self.came = Vec::new();
        }
        outcome
    }
}

impl<S: fmt::Debug> fmt::Debug for Tls<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// A certificate of its own for `localhost`, and who trusts it.
///
/// # Errors
///
/// None that is to be expected.
pub fn configs() -> Result<(Arc<ServerConfig>, Arc<ClientConfig>), Error> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let server =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key)?;
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok((Arc::new(server), Arc::new(client)))
}

/// Lets `write` put one record at the end of `goes`.
fn append<E: std::error::Error>(
    goes: &mut Vec<u8>,
    write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
) -> Result<(), rustls::Error> {
    let before = goes.len();
    goes.resize(before + ENCRYPTED, 0);
    let written = write(&mut goes[before..]);
    goes.truncate(before + *written.as_ref().unwrap_or(&0));
    written.map(drop).map_err(|error| rustls::Error::General(error.to_string()))
}
