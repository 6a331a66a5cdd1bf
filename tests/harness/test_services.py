"""The servers that other tests lean on: real, private, breakable, and gone afterwards."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
import redis as redis_client

from tests.harness.examples import STARTERS, is_alive, read, wait_for_end, write
from tests.service_process import PrivateProcess, ServiceFailedError
from tests.services import ServiceMissingError, postgres, redis

pytestmark = pytest.mark.real  # once is enough: nothing here differs between the legs

SOURCES = [("postgres", "debian"), ("postgres", "wheel"), ("redis", "debian"), ("redis", "wheel")]


@pytest.fixture(scope="module", params=SOURCES, ids="-".join)
def server(request):
    """One durable server of each kind and source, shared by the tests below; each leaves it running."""
    kind, source = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_SERVICES", source)
        try:
            started = STARTERS[kind](durable=True, private=True)
        except ServiceMissingError as missing:
            pytest.skip(str(missing))
    with started:
        yield started


@pytest.fixture(scope="module")
def database():
    with postgres(private=True, settings={"application_name": "from a setting"}) as database:
        yield database


UNREACHABLE = (psycopg.OperationalError, redis_client.ConnectionError, redis_client.TimeoutError)


def shared_memory_of(folder):
    """Ids of System V segments that a PostgreSQL in this folder holds."""
    lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    return {lines[6].split()[1]}


def segments():
    listing = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in listing}


class TestAPrivateServer:
    """Real, reachable from this machine by those who know the password, and as breakable as a rented one."""

    def test_listens_on_loopback_alone(self, server):
        listening = psutil.Process(server.pid).net_connections(kind="inet")
        assert {c.laddr.ip for c in listening if c.status == psutil.CONN_LISTEN} == {"127.0.0.1"}

    def test_lives_in_a_folder_closed_to_others(self, server):
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700

    def test_asks_for_its_password(self, server):
        secret = server.url.split(":")[2].split("@")[0]
        stranger = server.url.replace(secret, "guess")
        ask = psycopg.connect if server.name == "PostgreSQL" else lambda url: redis_client.Redis.from_url(url).ping()
        with pytest.raises((psycopg.OperationalError, redis_client.AuthenticationError)):
            ask(stranger)

    def test_keeps_its_password_out_of_the_process_list(self, server):
        secret = server.url.split(":")[2].split("@")[0]
        assert secret not in " ".join(psutil.Process(server.pid).cmdline())

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root has someone else to run it as")
    def test_does_not_run_as_root(self, server):
        assert psutil.Process(server.pid).username() == "nobody"

    def test_knows_nothing_of_our_environment(self, server):
        assert set(psutil.Process(server.pid).environ()) <= {
            "PATH",
            "HOME",
            "LC_ALL",
            "TZ",
            "PG_GRANDPARENT_PID",
        }

    def test_names_its_source_and_version(self, server):
        assert server.flavour.split()[0] in ("Debian", "system", "wheel")
        assert server.version in server.description

    def test_killed_answers_nobody_and_started_again_has_every_commit_at_the_same_address(self, server):
        write(server, "before the power cut")
        address, first = server.url, server.pid
        server.kill()
        assert server.pid is None
        with pytest.raises(UNREACHABLE):
            read(server)
        server.start()
        assert server.url == address
        assert server.pid != first
        assert "before the power cut" in read(server)

    def test_killed_takes_its_children_along(self, server):
        children = psutil.Process(server.pid).children(recursive=True)
        server.kill()
        assert [child for child in children if is_alive(child)] == []
        server.start()

    def test_paused_keeps_the_caller_waiting_and_resumed_answers(self, server):
        write(server, "after the pause")
        server.pause()
        with pytest.raises(UNREACHABLE):
            read(server, patience_seconds=2 if server.name == "PostgreSQL" else 0.1)
        server.resume()
        assert "after the pause" in read(server)


class TestTheRoleOfThePostgres:
    """The tests' role has production's rights: it owns databases, and rules of the server bind it."""

    def test_may_create_databases(self, database):
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE test_koshflow_gw0")
            connection.execute("DROP DATABASE test_koshflow_gw0")

    def test_is_no_superuser(self, database):
        refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
        with psycopg.connect(database.url, autocommit=True) as connection, refused:
            connection.execute("ALTER SYSTEM SET fsync = on")

    def test_leaves_that_to_the_other_address(self, database):
        with psycopg.connect(database.superuser_url) as connection:
            assert connection.execute("SHOW is_superuser").fetchone() == ("on",)

    def test_sees_the_settings_asked_for(self, database):
        with psycopg.connect(database.url) as connection:
            assert connection.execute("SHOW application_name").fetchone() == ("from a setting",)
            assert connection.execute("SHOW fsync").fetchone() == ("off",)


class TestNothingStays:
    """Whatever ends first, the server, its folder and its shared memory go."""

    @pytest.mark.parametrize("kind", STARTERS)
    def test_after_stop(self, kind):
        server = STARTERS[kind](private=True)
        master, folder = psutil.Process(server.pid), server.folder
        server.stop()
        assert not is_alive(master)
        assert not folder.exists()

    def test_after_kill_and_stop_not_even_the_shared_memory_of_postgres(self):
        server = postgres(private=True)
        held = shared_memory_of(server.folder)
        assert held <= segments()
        server.kill()
        server.stop()
        assert held & segments() == set()

    @pytest.mark.parametrize("kind", STARTERS)
    def test_after_we_are_killed_ourselves(self, kind):
        program = (
            f"from tests.services import {kind}\n"
            f"server = {kind}(private=True)\n"
            "print(server.pid, server._process._keeper.pid, server.folder, flush=True)\n"
            "input()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as runner:
            *pids, folder = runner.stdout.readline().split()
            master, keeper = (psutil.Process(int(pid)) for pid in pids)
            held = shared_memory_of(Path(folder)) if kind == "postgres" else set()
            runner.kill()
        wait_for_end(keeper)
        assert not is_alive(master)
        assert not Path(folder).exists()
        assert held & segments() == set()

    def test_after_a_start_that_fails(self):
        before = set(psutil.Process().children(recursive=True))
        with pytest.raises(ServiceFailedError, match="did not start"):
            postgres(private=True, settings={"no_such_setting": "1"})
        started = set(psutil.Process().children(recursive=True)) - before
        assert [process for process in started if is_alive(process)] == []

    def test_a_forked_child_that_ends_does_not_take_the_server_along(self):
        with redis(private=True) as server:
            child = os.fork()
            if child == 0:
                server.stop()
                os._exit(0)
            os.waitpid(child, 0)
            write(server, "still here")
            assert read(server) == {"still here"}


def test_a_paused_server_that_is_down_says_so():
    process = PrivateProcess()
    with pytest.raises(ServiceFailedError, match="down"):
        process.pause()
    process.stop()
