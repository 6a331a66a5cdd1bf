"""The Merkle tree of RFC 6962 over leaf hashes: its root, and proofs made and checked. Stores nothing.

A proof is a list of 32-byte hashes in the order of RFC 6962 section 2.1. What makes proofs reads the tree through
`Nodes`, so that it needs a few hashes of millions.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Protocol

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()  # RFC 6962 section 2.1: the root of a tree without leaves


class ProofInvalid(ValueError):  # noqa: N818 - named for what it says
    """The proof does not lead from what it starts with to the root it should."""


class Nodes(Protocol):
    """Read access to the perfect subtrees of one tree."""

    def node(self, level: int, index: int) -> bytes:
        """Root of the subtree of leaves `index` * 2^`level` up to the next one's first."""
        ...


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class CompactRange:
    """A tree that remembers its perfect subtrees only: grows by a leaf in constant space, and always knows its root."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # roots of the perfect subtrees, the largest first

    @classmethod
    def of(cls, nodes: Nodes, size: int) -> "CompactRange":
        """The first `size` leaves of a tree, believed as `nodes` has them."""
        tree, first = cls(), 0
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                tree._peaks.append(nodes.node(level, first >> level))
                first += 1 << level
        tree.size = size
        return tree

    def append(self, leaf_hash: bytes) -> None:
        """Add one leaf at the right."""
        rest, top = self.size, leaf_hash
        while rest & 1:
            top = node_hash(self._peaks.pop(), top)
            rest >>= 1
        self._peaks.append(top)
        self.size += 1

    def root(self) -> bytes:
        """Root over all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root_of(nodes: Nodes, size: int) -> bytes:
    """Root of the tree's first `size` leaves."""
    return _subtree(nodes, 0, size) if size else EMPTY_ROOT


def inclusion_proof(nodes: Nodes, *, index: int, size: int) -> list[bytes]:
    """That leaf `index` is among the first `size` (RFC 6962 section 2.1.1). ValueError when it is not."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    proof, first, end = [], 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            proof.append(_subtree(nodes, middle, end))
            end = middle
        else:
            proof.append(_subtree(nodes, first, middle))
            first = middle
    return proof[::-1]


def consistency_proof(nodes: Nodes, *, old: int, new: int) -> list[bytes]:
    """That the tree of `new` leaves begins with the tree of `old` (RFC 6962 section 2.1.2).

    Empty where either is everything or nothing. ValueError unless 0 <= old <= new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not begin with one of {old}")
    if old in (0, new):
        return []
    proof, first, end, is_whole = [], 0, new, True
    while old != end - first:
        middle = first + _split(end - first)
        if old <= middle - first:
            proof.append(_subtree(nodes, middle, end))
            end = middle
        else:
            proof.append(_subtree(nodes, first, middle))
            old -= middle - first
            first, is_whole = middle, False
    if not is_whole:
        proof.append(_subtree(nodes, first, end))
    return proof[::-1]


def verify_inclusion(*, leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raises ProofInvalid unless `proof` shows the leaf at `index` of the tree (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofInvalid("the leaf's index is outside the tree")
    here, last, top = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if here & 1 or here == last:
            top = node_hash(sibling, top)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            top = node_hash(top, sibling)
        here, last = here >> 1, last >> 1
    if last or not hmac.compare_digest(top, root):
        raise ProofInvalid("the proof does not lead to the root")


def verify_consistency(*, old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raises ProofInvalid unless the new tree begins with the old one (RFC 9162 section 2.1.4.2)."""
    if not 0 <= old <= new:
        raise ProofInvalid("the tree has become smaller")
    if old in (0, new):
        expected = EMPTY_ROOT if old == 0 else new_root
        if proof or not hmac.compare_digest(old_root, expected):
            raise ProofInvalid("two roots for one size" if old else "the empty tree has one root and needs no proof")
        return
    hashes = list(proof)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        raise ProofInvalid("the proof is empty")
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old_top = new_top = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if here & 1 or here == last:
            old_top, new_top = node_hash(sibling, old_top), node_hash(sibling, new_top)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            new_top = node_hash(new_top, sibling)
        here, last = here >> 1, last >> 1
    if last or not hmac.compare_digest(old_top, old_root) or not hmac.compare_digest(new_top, new_root):
        raise ProofInvalid("the new tree does not begin with the old one")


def _split(size: int) -> int:
    """The largest power of two below `size`: how many leaves the left subtree has."""
    return 1 << (size - 1).bit_length() - 1


def _subtree(nodes: Nodes, first: int, end: int) -> bytes:
    size = end - first
    if size & (size - 1) == 0:  # every subtree that splitting leads to begins at a multiple of its own size
        level = size.bit_length() - 1
        return nodes.node(level, first >> level)
    middle = first + _split(size)
    return node_hash(_subtree(nodes, first, middle), _subtree(nodes, middle, end))
