#!/usr/bin/env python3
"""Runs a command on a fresh terminal, and plays a person there.

Takes one JSON object on standard input:
  {"command": [...], "columns": 80, "steps": [STEP...], "seconds": 30}
where each step waits until the terminal shows a text that it has not shown before the last step, and then acts:
  {"wait": "PIN: ", "type": "1234\\n"}        types; nothing is typed before the text is there
  {"wait": "PIN: ", "signal": "TERM"}         sends the command a signal
  {"wait": "PIN: "}                           only waits; each step also notes whether the terminal echoed then
Prints one JSON object: {"output", "code", "signal", "echo": [true|false for each step, and at the end], "waiting": TEXT or null}.
`waiting` is the text that never came: the command had ended, or the time was over.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time


class Terminal:
    def __init__(self, command, columns, rows, seconds):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.deadline = time.monotonic() + seconds
        self.output = b""
        self.read_to = 0
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2):
                os.dup2(self.slave, fd)
            os.closerange(3, 64)
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP):
                signal.signal(number, signal.SIG_DFL)
            try:
                os.execvp(command[0], command)
            finally:
                os._exit(127)
        self.status = None

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def read(self, wait):
        ready, _, _ = select.select([self.master], [], [], wait)
        if ready:
            self.output += os.read(self.master, 65536)
        return bool(ready)

    def wait_for(self, text):
        while True:
            at = self.output.find(text, self.read_to)
            if at >= 0:
                self.read_to = at + len(text)
                return True
            over = self.ended() or time.monotonic() > self.deadline
            if not self.read(0 if over else 0.05) and over:
                return False

    def wait_for_end(self):
        while not self.ended():
            self.read(0.05)
            if time.monotonic() > self.deadline:
                os.kill(self.pid, signal.SIGKILL)
        while self.read(0):
            pass

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)


def main():
    asked = json.load(sys.stdin)
    terminal = Terminal(asked["command"], asked.get("columns", 80), asked.get("rows", 24), asked.get("seconds", 30))
    echo, waiting = [], None
    for step in asked.get("steps", []):
        if not terminal.wait_for(step["wait"].encode()):
            waiting = step["wait"]
            break
        echo.append(terminal.echoes())
        if "type" in step:
            os.write(terminal.master, step["type"].encode())
        if "signal" in step:
            os.kill(terminal.pid, getattr(signal, "SIG" + step["signal"]))
    terminal.wait_for_end()
    echo.append(terminal.echoes())
    code = os.waitstatus_to_exitcode(terminal.status)
    json.dump({
        "output": terminal.output.decode(errors="replace").replace("\r\n", "\n"),
        "code": code if code >= 0 else None,
        "signal": signal.Signals(-code).name if code < 0 else None,
        "echo": echo,
        "waiting": waiting,
    }, sys.stdout)


if __name__ == "__main__":
    main()
