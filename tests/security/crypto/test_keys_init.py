"""`keys_init` makes a ring once, for its owner's eyes, and never replaces one."""

import os
from unittest import mock

import pytest
from django.core.management import CommandError

from security.crypto.keyring import KeyRing
from tests.commands import output_of

pytestmark = pytest.mark.embedded


def run(path) -> str:
    return output_of("keys_init", str(path))


class TestKeysInit:
    """The file of a new installation's keys."""

    def test_writes_a_ring(self, tmp_path):
        run(tmp_path / "ring.json")
        KeyRing.parse((tmp_path / "ring.json").read_text())

    def test_only_its_owner_may_read_it_whatever_the_umask(self, tmp_path):
        for number, mask in enumerate((0o000, 0o077, 0o777)):
            before = os.umask(mask)
            try:
                run(tmp_path / f"{number}.json")
            finally:
                os.umask(before)
            assert (tmp_path / f"{number}.json").stat().st_mode & 0o7777 == 0o600

    def test_says_one_line_without_a_key(self, tmp_path):
        said = run(tmp_path / "ring.json")
        assert said.count("\n") == 1
        keys = KeyRing.parse((tmp_path / "ring.json").read_text()).keys
        assert not any(key.id in said for key in keys if key.use != "kek")

    def test_a_file_that_is_there_stays(self, tmp_path):
        path = tmp_path / "ring.json"
        path.write_text("the only copy")
        with pytest.raises(CommandError, match="never replaced"):
            run(path)
        assert path.read_text() == "the only copy"

    def test_a_link_is_not_followed(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(CommandError):
            run(tmp_path / "link")
        assert not (tmp_path / "elsewhere").exists()

    def test_a_missing_folder_is_said(self, tmp_path):
        with pytest.raises(CommandError, match="cannot write"):
            run(tmp_path / "no" / "ring.json")

    def test_half_a_ring_is_taken_away(self, tmp_path):
        full = mock.patch("os.fsync", side_effect=OSError(28, "No space left on device"))
        with full, pytest.raises(CommandError, match="No space"):
            run(tmp_path / "ring.json")
        assert list(tmp_path.iterdir()) == []
