"""A start from a loaded Python is told from a cold one by nothing but its time."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase

import psutil
import pytest

from tests import warm
from tests.harness.examples import wait_for_end
from tests.waiting import until

pytestmark = pytest.mark.embedded
WHO = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
TOLD = """
import os, sys
print(sys.argv, sorted(os.environ), os.getcwd(), oct(os.umask(0)), __name__, sys.path[0], sys.stdin.read())
print([name for name in sys.modules if name.partition(".")[0] in ("accounts", "koshflow", "monitoring", "security")])
print(sys.executable, sys.prefix, sys.stdout.encoding, sys.stdout.line_buffering, file=sys.stderr)
sys.exit(7)
"""


class AWarmStart(TestCase):
    """What a command can see of how it was begun is the same."""

    def test_it_is_that_of_a_cold_one(self):
        with tempfile.TemporaryDirectory() as folder:
            (script := Path(folder) / "script.py").write_text(TOLD)
            command = f"umask 027; echo words | %s {script} a 'b c'; echo $?"
            ended = [
                subprocess.run(
                    ["bash", "-c", command % python],
                    cwd=folder,
                    env={"PATH": "/usr/bin:/bin", "ONE": "1", **more},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                for python, more in ((sys.executable, {}), (warm.CLIENT, warm.warm()))
            ]
        self.assertEqual(ended[0].stdout.splitlines()[-1], "7")
        self.assertEqual([one.stdout for one in ended[1:]], [ended[0].stdout])
        self.assertEqual(ended[1].stderr, ended[0].stderr)

    def test_it_ends_with_its_client(self):
        with subprocess.Popen(
            [*warm.CLIENT.split(), "-c", WHO],
            env=warm.warm(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as client:
            command = psutil.Process(int(client.stdout.readline()))
            client.kill()
            wait_for_end(command)

    def test_a_started_one_is_signalled_and_waited_for(self):
        with tempfile.TemporaryFile() as output:
            ends = warm.start(
                ["-c", "import os; print(os.getpid(), os.getpgid(0)); raise SystemExit(3)"], {}, output=output
            )
            self.assertEqual((ends.wait(20), ends.poll()), (3, 3))
            output.seek(0)
            self.assertEqual(output.read().split(), [str(ends.pid).encode()] * 2)
        for hurt, code in ((lambda one: one.terminate(), -15), (lambda one: os.killpg(one.pid, signal.SIGKILL), -9)):
            stays = warm.start(["-c", "import time; time.sleep(60)"], {}, output=subprocess.DEVNULL)
            self.assertIsNone(stays.poll())
            with self.assertRaises(subprocess.TimeoutExpired):
                stays.wait(0.01)
            hurt(stays)
            self.assertEqual(stays.wait(20), code)
            stays.kill()  # nobody is there: an id that is another's by now is left alone

    def test_nothing_stays_when_we_end(self):
        program = (
            "from tests import warm; print(warm.python(['-c', ''], {}).returncode, warm.warm()[warm.ADDRESS],"
            " warm.start(['-c', 'import time; time.sleep(180)'], {}, output=-3).pid)"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program], cwd=warm.ROOT, capture_output=True, text=True, check=True
        )
        code, address, left = ended.stdout.split()
        self.assertEqual(code, "0")
        until(lambda: not psutil.pid_exists(int(left)), what="the end of what was started")
        until(lambda: not Path(address).parent.exists(), what="the end of what forks")
