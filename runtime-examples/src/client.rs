//! A client of one HTTP connection, version 1.1 or 2, for as many requests as one likes.

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, Uri, Version, header};
use runtime::compat::{HyperExecutor, HyperTimer};
use runtime::net::TcpStream;

use crate::Error;

/// What requests carry.
pub type Sent = BoxBody<Bytes, Error>;

/// A connection; it ends when this is dropped.
#[derive(Debug)]
pub enum Client {
    /// One request after the other.
    Http1(http1::SendRequest<Sent>),
    /// Any number at once.
    Http2(http2::SendRequest<Sent>),
}

impl Client {
    /// Connects to `host:port`.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub async fn connect(address: &str, version: Version) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        // The task of the connection ends with its last sender.
        if version == Version::HTTP_2 {
            let mut builder = http2::Builder::new(HyperExecutor::current());
            let (sender, connection) = builder.timer(HyperTimer).handshake(stream).await?;
            runtime::spawn(connection);
            Ok(Self::Http2(sender))
        } else {
            let (sender, connection) = http1::handshake(stream).await?;
            runtime::spawn(connection);
            Ok(Self::Http1(sender))
        }
    }

    /// Sends one request.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub async fn send(&mut self, request: Request<Sent>) -> Result<Response<Incoming>, Error> {
        Ok(match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        })
    }

    /// Gets `uri`: status and whole body.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub async fn get(&mut self, uri: &str) -> Result<(u16, Bytes), Error> {
        let response = self.send(request(uri, empty())?).await?;
        Ok((response.status().as_u16(), response.collect().await?.to_bytes()))
    }
}

/// A request with a body: `POST`, or `GET` if that is known to be empty.
///
/// # Errors
///
/// If `uri` is none, or has no host.
pub fn request(uri: &str, body: Sent) -> Result<Request<Sent>, Error> {
    let uri: Uri = uri.parse()?;
    let host = uri.authority().ok_or("a URI with a host is needed")?.to_string();
    let is_empty = hyper::body::Body::is_end_stream(&body);
    let method = if is_empty { "GET" } else { "POST" };
    Ok(Request::builder().method(method).uri(uri).header(header::HOST, host).body(body)?)
}

/// No body.
pub fn empty() -> Sent {
    full("")
}

/// A body that is there already.
pub fn full(bytes: impl Into<Bytes>) -> Sent {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}
