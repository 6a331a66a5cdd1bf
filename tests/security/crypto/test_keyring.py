"""The ring is read whole or not at all, and never shows a key."""

import json
import pickle
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from security.crypto.keyring import USES, KeyRing, KeyRingInvalid, UnknownKey, generate, keyring
from tests.security.crypto.rings import a_ring, entry, with_next_kek, written

pytestmark = pytest.mark.embedded  # no store is asked


class TestFreshRing:
    """A fresh ring serves every use at once, and no two rings share a key."""

    def test_one_active_key_for_each_use(self):
        ring = KeyRing.parse(generate())
        assert [key.use for key in ring.keys] == list(USES)
        assert all(len(ring.active(use).secret) == 32 for use in USES)

    def test_keys_are_distinct_within_and_between_rings(self):
        keys = KeyRing.parse(generate()).keys + KeyRing.parse(generate()).keys
        assert len({key.secret for key in keys}) == len(keys)

    def test_times_are_utc(self):
        created = KeyRing.parse(generate()).active("jwt").created
        assert created.utcoffset().total_seconds() == 0
        assert created <= datetime.now(UTC)

    def test_can_be_made_before_django_is_configured(self):
        code = "from security.crypto.keyring import generate, KeyRing; KeyRing.parse(generate())"
        done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "."}, check=False)
        assert done.returncode == 0


class TestFinding:
    """Old values are read with the key that made them, until it is removed."""

    def test_a_retired_key_still_reads(self):
        ring = KeyRing.parse(with_next_kek(generate()))
        assert (ring.active("kek").id, ring.get("kek", "1").state) == ("2", "retired")
        assert [key.id for key in ring.all("kek")] == ["1", "2"]

    def test_a_removed_key_is_unknown_and_needs_no_secret(self):
        removed = {"id": "old", "state": "removed", "key": ""}
        ring = KeyRing.parse(a_ring(lambda keys: keys.append(entry(keys, "jwt") | removed)))
        with pytest.raises(UnknownKey):
            ring.get("jwt", "old")
        assert "old" not in [key.id for key in ring.all("jwt")]

    def test_an_unknown_id_is_not_repeated(self):
        with pytest.raises(UnknownKey) as caught:
            keyring().get("jwt", "chosen-by-a-client")
        assert "chosen" not in str(caught.value)

    def test_an_id_of_another_use_is_unknown(self):
        with pytest.raises(UnknownKey):
            keyring().get("jwt", keyring().active("pepper").id)

    def test_an_unknown_use_is_unknown(self):
        with pytest.raises(UnknownKey):
            keyring().active("session")

    def test_the_setting_is_read_anew_when_it_changes(self, settings):
        before = keyring().active("kek").id
        settings.KEYRING = with_next_kek(settings.KEYRING)
        assert (before, keyring().active("kek").id) == ("1", "2")


def _set(use: str, member: str, value: object):
    return lambda keys: entry(keys, use).__setitem__(member, value)


REFUSED = {
    "no active key": _set("jwt", "state", "retired"),
    "two active keys": lambda keys: keys.append({**entry(keys, "jwt"), "id": "b", "key": written(b"b" * 32)}),
    "an id given twice": lambda keys: keys.append(
        {**entry(keys, "jwt"), "state": "retired", "key": written(b"b" * 32)}
    ),
    "one secret under two uses": lambda keys: entry(keys, "jwt").update(key=entry(keys, "kek")["key"]),
    "a short key": _set("index", "key", written(b"i" * 16)),
    "a long key": _set("index", "key", written(b"i" * 33)),
    "a removed secret in an active key": _set("index", "key", ""),
    "strangers inside the base64": _set("jwt", "key", "!!!!" + written(b"j" * 32)),
    "a key that is no text": _set("index", "key", 7),
    "a KEK id that is a word": _set("kek", "id", "first"),
    "a KEK id of zero": _set("kek", "id", "0"),
    "a KEK id beyond two bytes": _set("kek", "id", "65536"),
    "a KEK id in Devanagari digits": _set("kek", "id", "१"),
    "an id with a dollar": _set("pepper", "id", "a$b"),
    "an id with a bar": _set("index", "id", "a|b"),
    "an empty id": _set("jwt", "id", ""),
    "an id that is a number": _set("jwt", "id", 1),
    "an unknown use": lambda keys: keys.append({**entry(keys, "jwt"), "use": "cookie"}),
    "an unknown state": _set("jwt", "state", "asleep"),
    "a time without offset": _set("jwt", "created", "2026-11-24T10:00:00"),
    "a time that is none": _set("jwt", "created", "yesterday"),
    "a stranger among the members": _set("jwt", "note", "hi"),
    "a missing member": lambda keys: entry(keys, "jwt").pop("created"),
    "an entry that is no object": lambda keys: keys.append("jwt"),
}


class TestRefusals:
    """A ring with anything odd in it stops the process, without telling a secret."""

    @pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
    def test_entry(self, change):
        text = a_ring(change)
        with pytest.raises(KeyRingInvalid) as caught:
            KeyRing.parse(text)
        self.assert_tells_no_secret(caught.value, text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "null",
            '{"format":2,"keys":[]}',
            '{"format":1,"keys":{}}',
            '{"format":1}',
            '{"format":1,"keys":[]}',
        ],
    )
    def test_document(self, text):
        with pytest.raises(KeyRingInvalid):
            KeyRing.parse(text)

    def test_a_member_given_twice(self):
        text = generate().replace('"use": "jwt"', '"use": "kek", "use": "jwt"')
        with pytest.raises(KeyRingInvalid) as caught:
            KeyRing.parse(text)
        self.assert_tells_no_secret(caught.value, text)

    def test_a_text_cut_short(self):
        text = generate()[:-10]
        with pytest.raises(KeyRingInvalid) as caught:
            KeyRing.parse(text)
        self.assert_tells_no_secret(caught.value, text)

    @staticmethod
    def assert_tells_no_secret(error: KeyRingInvalid, text: str) -> None:
        assert error.__cause__ is None  # the JSON parser's error holds the whole text
        for secret in re.findall(r'"key": "([^"]{8})', text):
            assert secret not in str(error)


class TestPrivacy:
    """A key does not slip into a log, a cache or a queue."""

    def test_repr_shows_no_secret(self):
        text = repr(keyring()) + repr(keyring().active("kek")) + str(keyring().all("jwt"))
        for key in keyring().keys:
            assert repr(key.secret)[2:-1] not in text
            assert written(key.secret) not in text

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickling_is_refused(self, protocol):
        with pytest.raises(TypeError):
            pickle.dumps(keyring().active("kek"), protocol)
        with pytest.raises(TypeError):
            pickle.dumps(keyring(), protocol)


class TestWritingAgain:
    """A ring that is read and written is the same ring."""

    def test_nothing_is_lost_on_the_way(self):
        since = {"since": "2026-11-24T06:00:00Z"}
        text = a_ring(lambda keys: entry(keys, "jwt").update(since), text=with_next_kek(generate()))
        ring = KeyRing.parse(text)
        assert json.loads(ring.dump()) == json.loads(text)
        assert KeyRing.parse(ring.dump()).fingerprint() == ring.fingerprint()

    @pytest.mark.parametrize("since", [None, 1, "", "soon", "2026-11-24T06:00:00"])
    def test_since_is_a_time_with_its_offset(self, since):
        with pytest.raises(KeyRingInvalid, match="since"):
            KeyRing.parse(a_ring(lambda keys: entry(keys, "jwt").update(since=since)))
