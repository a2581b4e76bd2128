//! Descriptors over Unix streams, and who is at the other end: nothing leaks, whatever the peer sends.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;

use runtime::io::{Read, Write};
use runtime::net::{TcpListener, TcpStream, UnixStream};
use runtime_tests::rig::{alone, on_each_flavour, open_files};

use super::kind;

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

fn null() -> std::fs::File {
    std::fs::File::open("/dev/null").unwrap()
}

/// A listener and a stream go over and are used there.
#[test]
fn sockets_are_passed_and_used() {
    on_each_flavour(|| async {
        let (one, two) = pair();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (passed, mut kept) = pair();
        let receiving = runtime::spawn(async move {
            let mut buf = [0; 16];
            let (count, fds) = two.recv_fds(&mut buf, 8).await.unwrap();
            assert_eq!(&buf[..count], b"two of them");
            for fd in &fds {
                let flags = rustix::io::fcntl_getfd(fd).unwrap();
                assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            }
            let [listener, stream]: [OwnedFd; 2] = fds.try_into().unwrap();
            let listener = TcpListener::from_std(listener.into()).unwrap();
            let mut stream = UnixStream::from_std(stream.into()).unwrap();
            let (mut accepted, _) = listener.accept().await.unwrap();
            accepted.write_all(b"accepted elsewhere").await.unwrap();
            stream.write_all(b"written elsewhere").await.unwrap();
        });
        runtime::task::yield_now().await;
        let sent = one.send_fds(b"two of them", &[listener.as_fd(), passed.as_fd()]).await;
        assert_eq!(sent.unwrap(), 11);
        drop((listener, passed));
        let mut client = TcpStream::connect(addr).await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        kept.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "accepted elsewherewritten elsewhere");
        receiving.await.unwrap();
    });
}

#[runtime::test]
async fn messages_keep_their_descriptors_and_bytes_go_without() {
    let (mut one, mut two) = pair();
    let file = null();
    one.write_all(b"plain").await.unwrap();
    one.send_fds(b"a", &[file.as_fd()]).await.unwrap();
    one.send_fds(b"b", &[file.as_fd(), file.as_fd()]).await.unwrap();
    one.write_all(b"rest").await.unwrap();
    let (mut bytes, mut fds) = (Vec::new(), Vec::new());
    while bytes.len() < 11 {
        let mut buf = [0; 100];
        let (count, came) = two.recv_fds(&mut buf, 2).await.unwrap();
        bytes.extend_from_slice(&buf[..count]);
        fds.push(came.len());
    }
    assert_eq!(bytes, b"plainabrest");
    fds.retain(|count| *count > 0);
    assert_eq!(fds, [1, 2], "each with its own bytes");
    // Waits, like any other operation, and the end is the end.
    assert!(futures::poll!(pin!(two.recv_fds(&mut [0], 1))).is_pending());
    one.shutdown().await.unwrap();
    let (count, fds) = two.recv_fds(&mut [0], 1).await.unwrap();
    assert!(count == 0 && fds.is_empty());
    two.write_all(b"x").await.unwrap();
}

#[runtime::test]
async fn wrong_numbers_are_refused() {
    let (one, two) = pair();
    let file = null();
    let many: Vec<BorrowedFd<'_>> = vec![file.as_fd(); 254];
    assert_eq!(kind(one.send_fds(b"", &many[..1]).await), ErrorKind::InvalidInput);
    assert_eq!(kind(one.send_fds(b"x", &[]).await), ErrorKind::InvalidInput);
    assert_eq!(kind(one.send_fds(b"x", &many).await), ErrorKind::InvalidInput);
    assert_eq!(kind(two.recv_fds(&mut [], 1).await), ErrorKind::InvalidInput);
    assert_eq!(one.send_fds(b"x", &many[..253]).await.unwrap(), 1);
    let (count, fds) = two.recv_fds(&mut [0], usize::MAX).await.unwrap();
    assert_eq!((count, fds.len()), (1, 253));
    let (mut one, file) = (one, file);
    drop(two);
    assert!(one.send_fds(b"x", &[file.as_fd()]).await.is_err());
    assert!(one.write_all(b"x").await.is_err());
}

/// Too many for the receiver, for its process, thrown away by a plain read, never received: all of
/// them are closed.
#[cfg(target_os = "linux")]
#[test]
fn nothing_leaks_whatever_is_sent() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    alone("net::passing::nothing_leaks_whatever_is_sent", || {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut one, mut two) = pair();
            let file = null();
            let many = |count| vec![file.as_fd(); count];
            let before = open_files();
            let mut buf = [0; 16];
            for (sent, wanted) in [(1, 0), (2, 1), (3, 1), (5, 4), (253, 3), (253, 252)] {
                one.send_fds(b"too many", &many(sent)).await.unwrap();
                let refused = two.recv_fds(&mut buf, wanted).await;
                assert_eq!(kind(refused), ErrorKind::InvalidData, "{sent} for {wanted}");
                assert_eq!(open_files(), before);
            }
            one.send_fds(b"unseen", &many(7)).await.unwrap();
            assert_eq!(two.read(&mut buf).await.unwrap(), 6);
            assert_eq!(open_files(), before);
            // A socket that was asked for credentials gets those besides.
            let socket = socket2::SockRef::from(&two);
            socket.set_passcred(true).unwrap();
            one.send_fds(b"x", &many(2)).await.unwrap();
            let (_, fds) = two.recv_fds(&mut buf, 2).await.unwrap();
            assert_eq!((fds.len(), open_files()), (2, before + 2));
            drop(fds);
            one.send_fds(b"x", &many(3)).await.unwrap();
            assert_eq!(kind(two.recv_fds(&mut buf, 2).await), ErrorKind::InvalidData);
            assert_eq!(open_files(), before);
            socket2::SockRef::from(&two).set_passcred(false).unwrap();

            let maximum = getrlimit(Resource::Nofile).maximum;
            let limit = |current| {
                setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum }).unwrap();
            };
            one.send_fds(b"no room", &many(9)).await.unwrap();
            limit(before as u64 + 3);
            assert_eq!(kind(two.recv_fds(&mut buf, 9).await), ErrorKind::InvalidData);
            limit(1000);
            assert_eq!(open_files(), before);
            // And it goes on.
            one.send_fds(b"x", &many(9)).await.unwrap();
            assert_eq!(two.recv_fds(&mut buf, 9).await.unwrap().1.len(), 9);
            one.write_all(b"plain").await.unwrap();
            assert_eq!(two.recv_fds(&mut buf, 0).await.unwrap().0, 5);
            one.send_fds(b"never received", &many(9)).await.unwrap();
            drop(two);
            assert_eq!(open_files(), before - 1);
        });
    });
}

/// What another program sends, with other control messages around.
#[cfg(target_os = "linux")]
#[runtime::test]
async fn a_message_of_another_program_is_understood() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
    let (one, two) = pair();
    socket2::SockRef::from(&two).set_passcred(true).unwrap();
    let file = null();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [file.as_fd(), file.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let bytes = [std::io::IoSlice::new(b"from rustix")];
    rustix::net::sendmsg(&one, &bytes, &mut control, SendFlags::empty()).unwrap();
    let (count, fds) = two.recv_fds(&mut [0; 100], 2).await.unwrap();
    assert_eq!((count, fds.len()), (11, 2));
}

#[runtime::test]
async fn the_other_end_is_who_it_is() {
    let (one, two) = pair();
    let who = one.peer_cred().unwrap();
    assert_eq!(who.uid(), rustix::process::geteuid().as_raw());
    assert_eq!(who.gid(), rustix::process::getegid().as_raw());
    if cfg!(target_os = "linux") {
        assert_eq!(who.pid(), Some(std::process::id() as i32));
    }
    assert_eq!(two.peer_cred().unwrap(), who);
}
