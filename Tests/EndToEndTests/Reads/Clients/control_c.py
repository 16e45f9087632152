"""psql on a terminal of its own, where somebody presses Ctrl-C during a long statement and then goes on."""
import os
import pty
import select
import signal
import sys
import time

child, terminal = pty.fork()
if child == 0:
    # Whoever started this may have had signals blocked.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ["PAGER"] = "cat"
    os.execvp("psql", ["psql", "-X", "-n", "-At", "-v", "PROMPT1=ready> "])

seen = b""


def wait_for(text, seconds=30):
    global seen
    deadline = time.monotonic() + seconds
    while text not in seen:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([terminal], [], [], left)[0]:
            sys.exit(f"no {text!r} in {seen!r}")
        seen += os.read(terminal, 65536)
    seen = seen[seen.index(text) + len(text):]


wait_for(b"ready> ")
os.write(terminal, b"SELECT pg_sleep(60);\n")
# It may take a moment to be under way; a Ctrl-C before that would only clear the line.
time.sleep(1)
begun = time.monotonic()
os.write(terminal, b"\x03")
wait_for(b"canceling statement due to user request")
assert time.monotonic() - begun < 20
wait_for(b"ready> ")
os.write(terminal, b"SELECT 'still ' || 'here';\n")
wait_for(b"still here")
os.write(terminal, b"\\q\n")
_, status = os.waitpid(child, 0)
assert status == 0, status
print("done")
