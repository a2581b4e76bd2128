"""Opens a page in headless Chromium and waits until its script has given it a title and some texts are there.

Usage: page.py <url> <title> <screenshot.png> <text>..
Needs `chromium` and the package `websockets`, by which Chromium is told what to do.
"""

import asyncio
import base64
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import websockets

LIMIT = 30


async def look(port, url, title, screenshot, texts):
    path = port.read_text().split()
    async with websockets.connect(f'ws://127.0.0.1:{path[0]}{path[1]}', max_size=None) as browser:
        number = 0

        async def call(method, session=None, **params):
            nonlocal number
            number += 1
            message = {'id': number, 'method': method, 'params': params}
            if session:
                message['sessionId'] = session
            await browser.send(json.dumps(message))
            while True:
                answer = json.loads(await browser.recv())
                if answer.get('id') == number:
                    return answer['result']

        target = await call('Target.createTarget', url=url)
        attached = await call('Target.attachToTarget', targetId=target['targetId'], flatten=True)
        session = attached['sessionId']
        what = 'JSON.stringify([document.title, document.body ? document.body.innerText : ""])'
        until = time.monotonic() + LIMIT
        while True:
            value = await call('Runtime.evaluate', session, expression=what)
            seen = json.loads(value['result']['value'])
            if seen[0] == title and all(text in seen[1] for text in texts):
                break
            if time.monotonic() > until:
                raise SystemExit(f'{url}: wanted {title!r} and {texts}, saw {seen}')
            await asyncio.sleep(0.1)
        picture = await call('Page.captureScreenshot', session, format='png')
        Path(screenshot).write_bytes(base64.b64decode(picture['data']))
        await call('Browser.close')
        print(f'{url}: {seen[0]!r}')


def main():
    url, title, screenshot, *texts = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        flags = ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', '--window-size=700,500']
        browser = subprocess.Popen(
            ['chromium', *flags, f'--user-data-dir={home}', 'about:blank'],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            port = Path(home, 'DevToolsActivePort')
            until = time.monotonic() + LIMIT
            while not (port.exists() and len(port.read_text().split()) == 2):
                if browser.poll() is not None or time.monotonic() > until:
                    raise SystemExit('Chromium does not start')
                time.sleep(0.1)
            asyncio.run(look(port, url, title, screenshot, texts))
        finally:
            browser.terminate()
            browser.wait()


main()
