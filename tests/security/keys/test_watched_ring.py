"""A running process follows its ring's file, and nothing but a successor of the ring it has."""

import json
from unittest import mock

import pytest

from security.crypto.keyring import LOOK_EVERY_SECONDS, WatchedRing, generate
from tests.security.crypto.rings import a_ring, entry, with_next_kek, written


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock():
    clock = Clock()
    with mock.patch("security.crypto.keyring.time", clock):
        yield clock


@pytest.fixture
def ring(tmp_path, clock):
    path = tmp_path / "ring.json"
    path.write_text(generate() + "\n")
    return WatchedRing(str(path), path.read_text().strip())


def replace(ring: WatchedRing, text: str) -> None:
    """As a rotation does it: another file under the same name."""
    draft = ring._path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(ring._path)


class TestFollowing:
    """A rotation needs no restart."""

    def test_a_successor_is_taken_up_at_the_next_look(self, ring, clock):
        before = ring.text()
        after = with_next_kek(before)
        replace(ring, after + "\n")
        assert ring.text() == before  # no look yet: one a second is enough
        clock.now += LOOK_EVERY_SECONDS
        assert ring.text() == after

    def test_a_look_at_once_is_possible(self, ring):
        after = with_next_kek(ring.text())
        replace(ring, after)
        ring.look()
        assert ring.text() == after

    def test_an_unchanged_file_is_not_read_again(self, ring, clock):
        ring.text()
        with mock.patch("pathlib.Path.read_text") as read:
            clock.now += 60
            ring.text()
        read.assert_not_called()

    def test_a_removed_key_goes(self, ring, clock):
        two = with_next_kek(ring.text())
        replace(ring, two)
        clock.now += 1
        ring.text()
        one = a_ring(lambda keys: entry(keys, "kek").update(state="removed", key=""), text=two)
        replace(ring, one)
        clock.now += 1
        assert ring.text() == one


class TestRefusing:
    """What cannot follow is refused and told once; everything readable stays readable."""

    @pytest.mark.parametrize(
        "wrong",
        [
            generate(),  # of another installation
            "{",
            "",
            "ключи",
            json.dumps({"format": 1, "keys": []}),
        ],
    )
    def test_the_ring_in_use_stays(self, ring, clock, wrong, caplog):
        before = ring.text()
        replace(ring, wrong)
        for _ in range(3):
            clock.now += 1
            assert ring.text() == before
        assert [record.message for record in caplog.records] == ["keyring_file_refused"]

    def test_another_key_under_an_old_name_is_refused(self, ring, clock):
        before = ring.text()
        replace(ring, a_ring(lambda keys: entry(keys, "kek").update(key=written(b"\x07" * 32)), text=before))
        clock.now += LOOK_EVERY_SECONDS
        assert ring.text() == before

    def test_an_older_copy_is_refused(self, ring, clock):
        older = ring.text()
        newer = with_next_kek(older)
        replace(ring, newer)
        clock.now += 1
        ring.text()
        replace(ring, older)
        clock.now += 1
        assert ring.text() == newer

    def test_a_file_that_is_away_is_refused_and_taken_up_when_it_is_back(self, ring, clock):
        before = ring.text()
        ring._path.unlink()
        clock.now += 1
        assert ring.text() == before
        after = with_next_kek(before)
        ring._path.write_text(after)
        clock.now += 1
        assert ring.text() == after

    def test_no_key_is_logged(self, ring, clock, caplog):
        text = ring.text()
        replace(ring, with_next_kek(text))
        clock.now += 1
        ring.text()
        for key in json.loads(ring.text())["keys"]:
            assert key["key"] not in str([record.__dict__ for record in caplog.records])
