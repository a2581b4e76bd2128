//! Which type has which traits: a matter of compiling. That they do what they should is the conformance
//! suite's, which has a row for each of these.

use std::io::Cursor;

use runtime::fs::File;
use runtime::io::{
    BufRead, BufReader, BufWriter, Chain, DuplexStream, DynOwnedRead, DynOwnedWrite, DynRead,
    DynWrite, Empty, Join, OwnedRead, OwnedWrite, Read, ReadAt, ReadHalf, Ready, ReadyBufRead,
    ReadyRead, ReadyStream, ReadyWrite, Repeat, Seek, SimplexStream, Sink, Take, Write, WriteAt,
    WriteHalf,
};
use runtime::net::{TcpStream, tcp};
use runtime::pipe;

/// Reads by readiness and into owned buffers; may be shared, sent and erased.
fn reads<T: ReadyRead + OwnedRead + DynRead + DynOwnedRead + Send + Sync>() {}

/// Writes by readiness and from owned buffers; the same.
fn writes<T: ReadyWrite + OwnedWrite + DynWrite + DynOwnedWrite + Send + Sync>() {}

/// Both, in one type.
fn streams<T: ReadyStream + OwnedRead + OwnedWrite + Send + Sync>() {
    reads::<T>();
    writes::<T>();
}

/// Shows what it has.
fn shows<T: ReadyBufRead + BufRead>() {}

#[test]
fn sockets() {
    streams::<TcpStream>();
    streams::<&TcpStream>();
    reads::<tcp::ReadHalf<'_>>();
    writes::<tcp::WriteHalf<'_>>();
    reads::<tcp::OwnedReadHalf>();
    writes::<tcp::OwnedWriteHalf>();
}

#[cfg(unix)]
#[test]
fn sockets_and_pipes_of_unix() {
    use runtime::net::{UnixStream, unix};

    streams::<UnixStream>();
    streams::<&UnixStream>();
    reads::<unix::ReadHalf<'_>>();
    writes::<unix::WriteHalf<'_>>();
    reads::<unix::OwnedReadHalf>();
    writes::<unix::OwnedWriteHalf>();
    reads::<unix::pipe::Receiver>();
    reads::<&unix::pipe::Receiver>();
    writes::<unix::pipe::Sender>();
    writes::<&unix::pipe::Sender>();
}

#[test]
fn pipes_in_memory() {
    streams::<DuplexStream>();
    streams::<SimplexStream>();
    reads::<pipe::ReadHalf<'_>>();
    writes::<pipe::WriteHalf<'_>>();
    reads::<pipe::OwnedReadHalf>();
    writes::<pipe::OwnedWriteHalf>();
    reads::<pipe::SimplexReader>();
    writes::<pipe::SimplexWriter>();
    shows::<DuplexStream>();
    shows::<SimplexStream>();
    shows::<pipe::ReadHalf<'_>>();
    shows::<pipe::OwnedReadHalf>();
    shows::<pipe::SimplexReader>();
}

#[test]
fn memory_and_files() {
    fn seeks<T: Seek>() {}
    fn reads_at<T: ReadAt>() {}
    fn writes_at<T: WriteAt>() {}

    reads::<&[u8]>();
    shows::<&[u8]>();
    writes::<&mut [u8]>();
    writes::<Vec<u8>>();
    streams::<Cursor<Vec<u8>>>();
    streams::<Cursor<[u8; 8]>>();
    streams::<Cursor<Box<[u8]>>>();
    streams::<Cursor<&mut [u8]>>();
    streams::<Cursor<&mut Vec<u8>>>();
    reads::<Cursor<&[u8]>>();
    shows::<Cursor<&[u8]>>();
    streams::<Empty>();
    shows::<Empty>();
    reads::<Repeat>();
    writes::<Sink>();

    seeks::<Cursor<&[u8]>>();
    seeks::<BufReader<Cursor<&[u8]>>>();
    reads_at::<&[u8]>();
    reads_at::<Vec<u8>>();
    reads_at::<Cursor<&[u8]>>();
    writes_at::<Vec<u8>>();
    writes_at::<&mut [u8]>();
    writes_at::<Cursor<Vec<u8>>>();

    // Without readiness: the system has none of files.
    fn file<T: OwnedRead + OwnedWrite + Send + Sync>() {}
    file::<File>();
    file::<Join<BufReader<File>, BufWriter<File>>>();
    seeks::<File>();
    seeks::<BufReader<File>>();
    reads_at::<File>();
    reads_at::<&File>();
    writes_at::<File>();
    writes_at::<&File>();
}

/// As what is inside, by bound.
#[test]
fn adapters() {
    type S = DuplexStream;

    streams::<BufReader<S>>();
    streams::<BufWriter<S>>();
    streams::<Join<S, S>>();
    streams::<&mut S>();
    streams::<Box<S>>();
    streams::<BufReader<BufWriter<Join<ReadHalf<TcpStream>, WriteHalf<TcpStream>>>>>();
    reads::<Take<S>>();
    reads::<Chain<S, S>>();
    reads::<ReadHalf<S>>();
    writes::<WriteHalf<S>>();
    shows::<BufReader<TcpStream>>();
    shows::<BufWriter<S>>();
    shows::<Take<S>>();
    shows::<Chain<S, S>>();
    shows::<Join<S, S>>();
    shows::<&mut S>();
    shows::<Box<S>>();
}

/// Pointers to objects are readers and writers; those that may be shared say so.
#[test]
fn objects() {
    fn stream<T: ReadyStream + OwnedRead + OwnedWrite>() {}
    fn reader<T: Read + DynRead>() {}
    fn writer<T: Write + DynWrite>() {}
    fn owned<T: OwnedRead>() {}
    fn owned_writer<T: OwnedWrite>() {}

    stream::<Box<dyn ReadyStream>>();
    stream::<&mut dyn ReadyStream>();
    streams::<Box<dyn ReadyStream + Sync>>();
    streams::<&mut (dyn ReadyStream + Sync)>();
    reads::<Box<dyn ReadyRead + Sync>>();
    writes::<Box<dyn ReadyWrite + Sync>>();
    stream::<BufReader<Box<dyn ReadyStream>>>();
    reader::<Box<dyn ReadyRead>>();
    writer::<Box<dyn ReadyWrite>>();
    reader::<Box<dyn DynRead>>();
    reader::<&mut dyn DynRead>();
    writer::<Box<dyn DynWrite>>();
    writer::<&mut dyn DynWrite>();
    owned::<Box<dyn DynOwnedRead>>();
    owned::<&mut dyn DynOwnedRead>();
    owned_writer::<Box<dyn DynOwnedWrite>>();
    owned_writer::<&mut dyn DynOwnedWrite>();

    // What can be named as an object, whatever is behind it.
    fn named<T: ?Sized>() {}
    named::<dyn Ready>();
    named::<dyn Read>();
    named::<dyn Write>();
    named::<dyn BufRead>();
    named::<dyn ReadyBufRead>();
}
