#!/usr/bin/env python3
"""Peers that do not keep to the rules, against the programs of `runtime-examples`.

    hostile.py PROGRAM=HOST:PORT,PID ..     PROGRAM: http, tls, websocket

What is malformed is answered as the protocol says, who says nothing or never ends is not waited for, who sends
and does not read makes no server grow; and each server is asked something sensible afterwards. Takes about as
long as the servers' patience, 10 seconds.
"""

import asyncio
import ssl
import sys
import urllib.request

import websockets

PATIENCE = 60  # of this program; those of the servers are 10
MUCH = 500_000_000
GROWTH = 60_000_000

GET = b'GET / HTTP/1.1\r\nHost: x\r\n'
POST = b'POST /size HTTP/1.1\r\nHost: x\r\n'
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
MALFORMED_HTTP = {
    'no method': (b'\0\1 nonsense\r\n\r\n', b'HTTP/1.1 400'),
    'a space in a name': (GET + b'a b: c\r\n\r\n', b'HTTP/1.1 400'),
    'a length that is none': (POST + b'Content-Length: x\r\n\r\n', b'HTTP/1.1 400'),
    'two lengths': (POST + b'Content-Length: 1\r\nContent-Length: 2\r\n\r\nab', b'HTTP/1.1 400'),
    'a chunk that is none': (POST + b'Transfer-Encoding: chunked\r\n\r\nx\r\n', b'HTTP/1.1 400'),
    'too many headers': (GET + b'a: b\r\n' * 200 + b'\r\n', b'HTTP/1.1 431'),
    # DATA on stream 0: the connection's end, GOAWAY with PROTOCOL_ERROR.
    'data nowhere': (PREFACE + bytes(9), b'\7\0\0\0\0\0' + bytes(4 + 3) + b'\1'),
}
UNFINISHED_HTTP = {'nothing': b'', 'a letter': b'P', 'half a header': GET, 'half a preface': PREFACE[:10]}


async def http(address, pid):
    for name, (said, expected) in MALFORMED_HTTP.items():
        answer = await ask(address, said)
        assert expected in answer, f'{name}: {answer}'
    await asyncio.gather(*(ends(address, name, said) for name, said in UNFINISHED_HTTP.items()))
    head = b'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n' % MUCH
    await send_only(pid, *await connect(address), head)
    answer = await asyncio.to_thread(urllib.request.urlopen, f'http://{":".join(address)}/')
    assert answer.read() == b'hello\n'


async def tls(address, pid):
    for said in [GET + b'\r\n', b'\x16\3\1\0\5\1\0\0\1h', bytes(100)]:
        answer = await ask(address, said)
        assert answer.startswith(b'\x15\3'), f'no alert: {answer}'
    await ends(address, 'half a record', b'\x16\3\1\2\0')
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await send_only(pid, *await connect(address, context))
    reader, writer = await connect(address, context)
    writer.write(b'hello')
    assert await asyncio.wait_for(reader.readexactly(5), PATIENCE) == b'hello'


async def websocket(address, pid):
    url = f'ws://{":".join(address)}/echo'
    # A reserved bit; an opcode that is none; a ping of 126 bytes; not masked.
    for frame in [b'\xc1\x80abcd', b'\x83\x80abcd', b'\x89\xfe\0\x7eabcd' + bytes(126), b'\x81\x01x']:
        async with websockets.connect(url) as socket:
            socket.transport.write(frame)
            await closes_with(socket, 1002)
    async with websockets.connect(url) as socket:
        await socket.send(b'\xff\xfe', text=True)
        await closes_with(socket, 1007)
    async with websockets.connect(url, max_queue=1) as socket:
        before = resident(pid)
        await blocks(lambda: socket.send(bytes(1 << 20)))
        assert_has_not_grown(pid, before)
        socket.transport.abort()
    async with websockets.connect(url) as socket:
        await socket.send('hello')
        assert await asyncio.wait_for(socket.recv(), PATIENCE) == 'hello'


async def connect(address, context=None):
    return await asyncio.open_connection(*address, ssl=context)


async def ask(address, said):
    """Everything that is answered, to the end."""
    reader, writer = await connect(address)
    writer.write(said)
    answer = b''
    try:
        while part := await asyncio.wait_for(reader.read(1 << 16), PATIENCE):
            answer += part
    except ConnectionResetError:
        pass  # an end, too
    writer.close()
    return answer


async def ends(address, name, said):
    answer = await ask(address, said)
    assert b' 200 ' not in answer, f'{name}: {answer}'


async def send_only(pid, reader, writer, head=b''):
    before = resident(pid)
    writer.write(head)

    async def piece():
        writer.write(bytes(1 << 20))
        await writer.drain()

    await blocks(piece)
    assert_has_not_grown(pid, before)
    writer.transport.abort()


async def blocks(send):
    """Sends a megabyte at a time until that takes two seconds."""
    for _ in range(MUCH >> 20):
        try:
            await asyncio.wait_for(send(), 2)
        except TimeoutError:
            return
    raise AssertionError('it takes what it cannot answer')


async def closes_with(socket, code):
    try:
        await asyncio.wait_for(socket.recv(), PATIENCE)
        raise AssertionError('it answers')
    except websockets.ConnectionClosed as closed:
        assert closed.rcvd and closed.rcvd.code == code, f'{closed}, not {code}'


def resident(pid):
    with open(f'/proc/{pid}/statm') as statm:
        return int(statm.read().split()[1]) * 4096


def assert_has_not_grown(pid, before):
    grown = resident(pid) - before
    assert grown < GROWTH, f'{grown} bytes more'


async def main():
    checks = []
    for argument in sys.argv[1:]:
        program, _, rest = argument.partition('=')
        address, _, pid = rest.rpartition(',')
        checks.append(globals()[program](address.rsplit(':', 1), pid))
    await asyncio.gather(*checks)
    print('malformed, unfinished, unread: each ended or waits, and the servers serve')


asyncio.run(main())
