"""The tree: its roots and proofs are those of RFC 6962, as a second implementation has them too."""

import hashlib
import itertools
import random
from unittest import TestCase

import pytest
from pymerkle import InmemoryTree
from pymerkle import verify_consistency as verifies_consistency
from pymerkle import verify_inclusion as verifies_inclusion

from security.tlog.tiles import FULL_BYTES, RightEdge, TiledNodes, TileMissing, tile_path
from security.tlog.tree import (
    EMPTY_ROOT,
    CompactRange,
    ProofInvalid,
    consistency_proof,
    inclusion_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)

pytestmark = pytest.mark.embedded  # pure: no store has a say

SIZE = 600
LEAVES = [b"event %d" % number for number in range(SIZE)]
HASHES = [hashlib.sha256(b"\0" + leaf).digest() for leaf in LEAVES]


def tiled(hashes: list[bytes], steps: list[int]) -> tuple[TiledNodes, dict]:
    """A tree that grew by `steps`."""
    tiles: dict[tuple[int, int], bytes] = {}

    def load(level: int, index: int) -> bytes:
        return tiles.get((level, index), b"")

    size = 0
    for step in steps:
        edge = RightEdge(size, load)
        for leaf_hash in hashes[size : size + step]:
            edge.append(leaf_hash)
        tiles |= edge.changed()
        size = edge.size
    return TiledNodes(load), tiles


class Tree(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nodes, cls.tiles = tiled(HASHES, [1, 254, 1, 1, 255, 88])
        cls.other = InmemoryTree(algorithm="sha256")
        for leaf in LEAVES:
            cls.other.append_entry(leaf)

    def test_the_vectors_of_certificate_transparency(self):
        # The tree of eight inputs in the tests of google/certificate-transparency, and its root.
        inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
        tree = CompactRange()
        for text in inputs:
            tree.append(hashlib.sha256(b"\0" + bytes.fromhex(text)).digest())
        self.assertEqual(tree.root().hex(), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")

    def test_roots_are_those_of_another_implementation(self):
        tree = CompactRange()
        self.assertEqual(tree.root(), EMPTY_ROOT)
        for size in range(1, SIZE + 1):
            tree.append(HASHES[size - 1])
            if size < 300 or size % 50 == 0:
                expected = self.other.get_root(size)
                self.assertEqual((tree.root(), root_of(self.nodes, size)), (expected, expected), size)
                self.assertEqual(CompactRange.of(self.nodes, size).root(), expected, size)

    def test_inclusion_proofs_are_those_of_another_implementation(self):
        for size in (1, 2, 3, 7, 8, 255, 256, 257, 511, 513, SIZE):
            root = self.other.get_root(size)
            for index in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
                proof = inclusion_proof(self.nodes, index=index, size=size)
                theirs = self.other.prove_inclusion(index + 1, size)
                self.assertEqual([HASHES[index], *proof], theirs.path)
                verify_inclusion(leaf_hash=HASHES[index], index=index, size=size, proof=proof, root=root)
                verifies_inclusion(HASHES[index], root, theirs)

    def test_consistency_proofs_lead_from_any_tree_to_any_later_one(self):
        sizes = (0, 1, 2, 3, 4, 6, 7, 255, 256, 257, 300, 512, SIZE)
        for old, new in itertools.combinations_with_replacement(sizes, 2):
            proof = consistency_proof(self.nodes, old=old, new=new)
            old_root, new_root = (self.other.get_root(size) if size else EMPTY_ROOT for size in (old, new))
            verify_consistency(old=old, old_root=old_root, new=new, new_root=new_root, proof=proof)
            if 0 < old < new:
                verifies_consistency(old_root, new_root, self.other.prove_consistency(old, new))

    def test_what_is_forged_is_refused(self):
        chance = random.Random(7)
        root, size = self.other.get_root(SIZE), SIZE
        for _ in range(300):
            index = chance.randrange(size)
            proof = inclusion_proof(self.nodes, index=index, size=size)
            forged = chance.choice(["leaf", "index", "size", "step", "order", "short", "long", "root"])
            leaf, at, end, path, top = HASHES[index], index, size, list(proof), root
            if forged == "leaf":
                leaf = HASHES[index - 1]
            elif forged == "index":
                at = (index + 1) % size
            elif forged == "size":
                end = index  # the leaf is not in it
            elif forged == "step":
                path[chance.randrange(len(path))] = b"\0" * 32
            elif forged == "order":
                path.reverse()
            elif forged == "short":
                path.pop()
            elif forged == "long":
                path.append(b"\0" * 32)
            else:
                top = self.other.get_root(SIZE - 1)
            with self.assertRaises(ProofInvalid, msg=forged):
                verify_inclusion(leaf_hash=leaf, index=at, size=end, proof=path, root=top)

    def test_a_tree_that_did_not_grow_from_the_old_one_is_refused(self):
        chance = random.Random(8)
        for _ in range(300):
            old, new = sorted(chance.sample(range(1, SIZE), 2))
            proof = consistency_proof(self.nodes, old=old, new=new)
            old_root, new_root = self.other.get_root(old), self.other.get_root(new)
            for changed in (
                {"old_root": self.other.get_root(old + 1)},
                {"new_root": self.other.get_root(new + 1)},
                {"proof": [*proof, b"\0" * 32]},
                {"proof": proof[:-1]},
                {"old": new, "new": old},
            ):
                given = {"old": old, "old_root": old_root, "new": new, "new_root": new_root, "proof": proof} | changed
                with self.assertRaises(ProofInvalid, msg=changed.keys()):
                    verify_consistency(**given)

    def test_no_proof_is_made_for_what_is_not_there(self):
        for index, size in ((5, 5), (-1, 5), (0, 0)):
            with self.assertRaises(ValueError):
                inclusion_proof(self.nodes, index=index, size=size)
        with self.assertRaises(ValueError):
            consistency_proof(self.nodes, old=6, new=5)
        with self.assertRaises(TileMissing):
            root_of(self.nodes, SIZE + 1)


class Tiles(TestCase):
    def test_how_it_grew_does_not_show(self):
        hashes = [hashlib.sha256(b"%d" % number).digest() for number in range(256 * 256 + 300)]
        at_once = tiled(hashes, [len(hashes)])[1]
        in_steps = tiled(hashes, [256 * 255, 256, 1, 299])[1]
        self.assertEqual(at_once, in_steps)
        self.assertEqual(sorted(at_once)[-2:], [(1, 1), (2, 0)])
        self.assertEqual(len(at_once[1, 0]), FULL_BYTES)

    def test_paths_are_those_of_the_format(self):
        # The examples of c2sp.org/tlog-tiles.
        self.assertEqual(tile_path(0, 1234067), "tile/0/x001/x234/067")
        self.assertEqual(tile_path(0, 0), "tile/0/000")
        self.assertEqual(tile_path(1, 0, width=8), "tile/1/000.p/8")
        self.assertEqual(tile_path("entries", 67, width=5), "tile/entries/067.p/5")
