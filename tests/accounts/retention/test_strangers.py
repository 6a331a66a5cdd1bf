"""Bundles and archives across what was taken out, in the hands of who has nothing else of ours."""

import gzip
import os
import subprocess
import tracemalloc
import zipfile
from pathlib import Path

from django.core.management import call_command

from security.tlog import AuditPruned
from tests.accounts.retention.keeping import OF_EACH, TICKET, Verifying


class Strangers(Verifying):
    """Who has only a bundle, or only an archive, can check both."""

    def check(self, *range_: str) -> subprocess.CompletedProcess[str]:
        path, old = self.out / "bundle.zip", self.out / "early.txt"
        path.unlink(missing_ok=True)
        old.write_text(self.early.note)
        call_command("audit_export", str(path), "--reason", TICKET, *range_)
        return self.verified(path, "--old", str(old))

    def test_a_bundle_across_pruned_places_proves_and_says_how_many(self):
        self.prune()
        pruned = self.audited("audit.pruned")[0].tree_index
        for range_ in ((), ("--since", "100", "--until", "250")):
            checked = self.check(*range_)
            self.assertEqual(checked.returncode, 0, checked.stderr)
            self.assertIn(
                f"Event {pruned} tells of {OF_EACH} archived and deleted: access before 2025-", checked.stdout
            )

    def test_a_bundle_without_an_event_that_nothing_covers_is_wrong(self):
        self.prune()
        self.intruder.remove(self.kept, self.kept + 1, is_renumbered=False)
        self.assertIn(f"event {self.kept} is not here, and no pruning", self.check().stderr)

    def test_a_bundle_whose_places_were_changed_is_wrong(self):
        self.prune()
        self.intruder.remove(self.kept, self.kept + 1, is_renumbered=False)
        row = AuditPruned.objects.filter(tile=1).first()
        places = int.from_bytes(bytes(row.places), "big") | 1 << (255 - self.kept % 256)
        self.intruder.run("UPDATE audit_pruned SET places = %s WHERE id = %s", places.to_bytes(32, "big"), row.pk)
        self.assertIn("took out other events than it says", self.check().stderr)

    def test_a_pruning_that_the_log_does_not_have_is_wrong(self):
        """Whoever makes a bundle can put any lines in it."""
        self.prune()
        self.check()
        pruned = self.audited("audit.pruned")[0].tree_index
        path = self.out / "bundle.zip"
        with zipfile.ZipFile(path) as bundle:
            members = {name: bundle.read(name) for name in bundle.namelist()}
        for place in ("-1", "0.5", "999999", str(self.kept)):
            lines = members["prunings"].replace(b'"event": %d' % pruned, b'"event": %s' % place.encode())
            self.assertNotEqual(lines, members["prunings"])
            with self.subTest(place), zipfile.ZipFile(path, "w") as bundle:
                for name, content in (members | {"prunings": lines}).items():
                    bundle.writestr(name, content)
            verified = self.verified(path)
            self.assertEqual((verified.returncode, verified.stderr[:7]), (1, "WRONG: "), verified.stderr)

    def test_an_archive_is_checked_and_an_edited_one_is_found(self):
        plan = self.prune("--class", "noise")
        path = self.file(plan, "noise")
        self.assertIn(f"{OF_EACH} events, each as it was sealed", self.retention("--check", path))
        content = gzip.decompress(path.read_bytes())
        for edited, said in (
            (content.replace(b'"outcome":"success"', b'"outcome":"refused"', 1), "was changed"),
            (content[:-40], "changed"),
            (content + b'{"index":9', "no archive"),
            (content.replace(b'{"index":', b'{"index":9' + b"9" * 20, 1), "no archive"),
            (content.replace(b'{"index":', b'{"index":0.', 1), "no archive"),
            (content.replace(b'{"index":', b'{"index":-', 1), "no archive"),
        ):
            path.write_bytes(gzip.compress(edited))
            self.assertIn(said, self.refused("--check", path))
        path.write_bytes(b"no gzip")
        self.assertIn("no archive", self.refused("--check", path))
        self.assertEqual(self.refusals(), ["archive"] * 7)

    def test_what_would_fill_the_memory_or_never_end_is_no_archive(self):
        path = self.out / "bomb.gz"
        with gzip.open(path, "wb", compresslevel=1) as bomb:
            for _ in range(64):
                bomb.write(bytes(1 << 20))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertIn("a line without end", self.refused("--check", path))
        self.assertLess(tracemalloc.get_traced_memory()[1], 16 << 20)
        pipe = self.out / "pipe"
        os.mkfifo(pipe)
        for no_file in (pipe, self.out, Path(os.devnull)):
            self.assertIn("no file", self.refused("--check", no_file))
