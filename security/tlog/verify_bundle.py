#!/usr/bin/env python3
"""Verifies an exported audit bundle without KoshFlow: this one file, Python and the package `cryptography`.

    python3 verify_bundle.py --key KEY bundle.zip          what it proves, in words; ends with 0, 1 (wrong) or 2
    python3 verify_bundle.py --key KEY --list bundle.zip   the events too, one JSON object a line
    python3 verify_bundle.py --key KEY --proof FILE --event FILE   one event and its proof, without a bundle

KEY is the log's public key, as its operator gave it to you on paper or by mail, before there was anything to hide.
Without it the key in the bundle is believed, which proves only that the bundle fits together.

What is checked, in this order:
1. The log signed the checkpoint: its name, a number of events, and one hash, the root, over all of them.
2. The root follows from the hashes of all events, two at a time (RFC 6962). The same for every earlier checkpoint.
3. Each event in the bundle has exactly the hash that stands at its place.
4. An event that should be here and is not was taken out by retention: an event of the log says so, and which ones.
5. Each personal value handed over is the one that its event committed to.

Of a single event and its proof (c2sp.org/tlog-proof): 1, and that the event's hash leads to the root at its place.
So nobody, not even who owns the log's database and its key, can have changed, added or removed an event since a
checkpoint that you or a witness kept: give it with --old FILE, and the bundle must have grown out of it.
"""

import argparse
import hashlib
import hmac
import json
import sys
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MOST_MEMBER_BYTES = 64_000_000  # of a tile or list; a zip file can claim to hold more than any disk
Key = tuple[str, bytes, bytes]  # name, id, public key


class Wrong(Exception):  # noqa: N818 - what it says of the bundle
    """The bundle does not prove what it claims."""


def read(bundle: zipfile.ZipFile, name: str) -> bytes | None:
    """Content of a member of the zip file, None where there is none."""
    member = bundle.NameToInfo.get(name)
    if member is not None and member.file_size > MOST_MEMBER_BYTES:
        raise Wrong(f"{name} claims {member.file_size} bytes")
    return None if member is None else bundle.read(member)


def parse_key(text: str) -> Key:
    """(name, key id, public key) of "<name>+<8 hex digits>+<base64 of 0x01 and the key>"."""
    try:
        name, key_id, encoded = text.strip().split("+", 2)
        raw = b64decode(encoded, validate=True)
    except ValueError:
        raise Wrong("that is not the text of a key") from None
    digest = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if len(raw) != 33 or raw[0] != 1 or digest.hex() != key_id:
        raise Wrong("that is not the text of an Ed25519 key")
    return name, digest, raw[1:]


def open_checkpoint(note: str, keys: list[Key]) -> tuple[str, int, bytes]:
    """(origin, size, root) of a checkpoint that one of `keys` signed."""
    text, empty, signatures = note.rpartition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        dash, name, encoded = [*line.split(" "), "", ""][:3]
        for key_name, key_id, public in keys:
            payload = b64decode(encoded) if dash == "—" and name == key_name else b""
            if payload[:4] == key_id:
                try:
                    Ed25519PublicKey.from_public_bytes(public).verify(payload[4:], text.encode())
                except InvalidSignature:
                    raise Wrong(f"the signature of {name} is wrong") from None
                origin, size, root = text.split("\n")[:3]
                return origin, int(size), b64decode(root)
    raise Wrong("the checkpoint is not signed by the key you gave" if empty else "the checkpoint is not a signed note")


class Tree:
    """Of RFC 6962 section 2.1; grows leaf by leaf, and keeps the roots of its perfect subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, leaf_hash: bytes) -> None:
        rest, top = self.size, leaf_hash
        while rest & 1:
            top, rest = node(self.peaks.pop(), top), rest >> 1
        self.peaks.append(top)
        self.size += 1

    def root(self) -> bytes:
        peaks = list(self.peaks)
        root = peaks.pop() if peaks else hashlib.sha256(b"").digest()
        while peaks:
            root = node(peaks.pop(), root)
        return root


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def path(kind: int | str, index: int, width: int) -> str:
    """Name of a tile: "tile/0/x001/x234/067", with ".p/<width>" for one that is not full."""
    name = f"{index % 1000:03d}"
    while index := index // 1000:
        name = f"x{index % 1000:03d}/{name}"
    return f"tile/{kind}/{name}" + ("" if width == 256 else f".p/{width}")


def hashes_and_leaves(bundle: zipfile.ZipFile, size: int) -> Iterator[tuple[bytes, bytes | None]]:
    """(hash in the tree, event's bytes or None) of each place."""
    for tile in range(-(-size // 256)):
        width = min(256, size - tile * 256)
        hashes = read(bundle, path(0, tile, width))
        if hashes is None or len(hashes) != width * 32:
            raise Wrong(f"the hashes from place {tile * 256} on are missing")
        entries, at = read(bundle, path("entries", tile, width)) or b"\0\0" * width, 0
        for place in range(width):
            length = int.from_bytes(entries[at : at + 2], "big")
            leaf = entries[at + 2 : at + 2 + length]
            at += 2 + length
            if len(leaf) != length or (place == width - 1 and at != len(entries)):
                raise Wrong(f"the events from place {tile * 256} on are cut")
            yield hashes[place * 32 : place * 32 + 32], leaf or None


def verify(bundle: zipfile.ZipFile, keys: list[Key], old_notes: list[str], *, is_listing: bool) -> list[str]:
    """Sentences on what was proved. Raises Wrong."""
    origin, size, root = open_checkpoint((read(bundle, "checkpoint") or b"").decode(), keys)
    roots: dict[int, tuple[bytes, str]] = {}
    listed = split_notes((read(bundle, "checkpoints") or b"").decode())
    notes = [(note, "a checkpoint of the bundle") for note in listed]
    for note, whose in notes + [(note, "the checkpoint you kept") for note in old_notes]:
        _, at, there = open_checkpoint(note, keys)
        if at > size:
            raise Wrong(f"{whose} has {at} events, the bundle only {size}: the end is missing")
        roots[at] = (there, whose)
    roots[size] = (root, "the checkpoint")
    disclosures: dict[int, list[dict[str, Any]]] = {}
    for disclosed in map(json.loads, (read(bundle, "disclosures") or b"").splitlines()):
        disclosures.setdefault(disclosed["index"], []).append(disclosed)
    pruned = Prunings(read(bundle, "prunings") or b"")
    first, end = map(int, (read(bundle, "range") or b"0 0").split())
    tree, events, opened = Tree(), 0, 0
    for index, (in_tree, leaf) in enumerate(hashes_and_leaves(bundle, size)):
        if not pruned.take(index, in_tree) and leaf is None and first <= index < end:
            raise Wrong(f"event {index} is not here, and no pruning says that it was taken out")
        if leaf is not None:
            events += 1
            if not hmac.compare_digest(hashlib.sha256(b"\0" + leaf).digest(), in_tree):
                raise Wrong(f"event {index} is not the one that the log has there")
            values = disclosures.get(index, ())
            for disclosed in values:
                check_disclosure(index, json.loads(leaf), disclosed)
                opened += 1
            if is_listing:
                told = {"event": json.loads(leaf), "disclosed": {d["field"]: d["value"] for d in values}}
                print(json.dumps({"index": index} | told, ensure_ascii=False))
        tree.append(in_tree)
        if tree.size in roots and not hmac.compare_digest(tree.root(), roots[tree.size][0]):
            raise Wrong(f"the events do not give the root of {roots[tree.size][1]} of {tree.size} events")
    kept = f", {len(old_notes)} of them kept by you" if old_notes else ""
    return [
        f"{origin} signed {size} events; root {root.hex()}.",
        *pruned.close(),
        f"{events} of them are here, each as it was recorded; {opened} personal values are the ones committed to.",
        f"{len(roots)} checkpoints lead to this one{kept}.",
    ]


class Prunings:
    """What retention took out, by the event that tells of each: checked while the places go by."""

    def __init__(self, lines: bytes) -> None:
        self.told: dict[int, list[Any]] = {}  # by the event's index: its leaf, how many went by, their digest
        self.proved: set[int] = set()
        self.places: dict[int, list[tuple[int, int]]] = {}  # tile → bits and index of the event
        for line in map(json.loads, lines.splitlines()):
            if "leaf" in line:
                self.told[line["event"]] = [line["leaf"].encode(), 0, hashlib.sha256()]
            else:
                self.places.setdefault(line["tile"], []).append((int(line["places"], 16), line["event"]))

    def take(self, index: int, in_tree: bytes) -> bool:
        """Whether the event of this place was taken out, if all holds in the end."""
        if index in self.told and hmac.compare_digest(hashlib.sha256(b"\0" + self.told[index][0]).digest(), in_tree):
            self.proved.add(index)
        by = [self.told[event] for bits, event in self.places.get(index // 256, ()) if bits >> (255 - index % 256) & 1]
        for told in by:
            told[1] += 1
            told[2].update(index.to_bytes(8, "big") + in_tree)
        return bool(by)

    def close(self) -> Iterator[str]:
        """A sentence on each. Raises Wrong where one is not in the log, or took out other events than it says."""
        for event, (leaf, count, digest) in self.told.items():
            told = json.loads(leaf)
            data, is_ours = told["data"], told["type"] == "audit.pruned" and event in self.proved
            if not is_ours or (count, digest.hexdigest()) != (data["count"], data["digest"]):
                raise Wrong(f"pruning {event} took out other events than it says")
            yield f"Event {event} tells of {count} archived and deleted: {data['class']} before {data['until']}."


def verify_single(proof: str, event: bytes, keys: list[Key]) -> list[str]:
    """Sentences on one event and its proof (c2sp.org/tlog-proof). Raises Wrong."""
    head, _, note = proof.partition("\n\n")
    lines = [line for line in head.split("\n") if not line.startswith("extra ")]
    if len(lines) < 2 or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("index "):
        raise Wrong("that is not the proof of an event")
    index, path = int(lines[1].removeprefix("index ")), [b64decode(line, validate=True) for line in lines[2:]]
    origin, size, root = open_checkpoint(note, keys)
    if not 0 <= index < size:
        raise Wrong(f"the checkpoint has {size} events and none at {index}")
    told = json.loads(event)
    # However the file is laid out: the log has the one canonical form (RFC 8785).
    leaf = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    here, last, top = index, size - 1, hashlib.sha256(b"\0" + leaf).digest()
    for sibling in path:  # RFC 9162 section 2.1.3.2
        if last == 0:
            raise Wrong("the proof is too long")
        if here & 1 or here == last:
            top = node(sibling, top)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            top = node(top, sibling)
        here, last = here >> 1, last >> 1
    if last or not hmac.compare_digest(top, root):
        raise Wrong(f"this is not the event that {origin} has at {index}")
    signed = f"{origin} signed {size} events; root {root.hex()}."
    return [signed, f"{told['type']} of {told['ts']} is event {index} of them, as it was recorded."]


def split_notes(text: str) -> Iterator[str]:
    """The notes of a text in which an empty line follows each."""
    note = ""
    for line in text.split("\n"):
        if line or "\n— " not in note:
            note += line + "\n"
        else:
            yield note
            note = ""
    if note.strip():
        yield note


def check_disclosure(index: int, event: dict[str, Any], disclosed: dict[str, Any]) -> None:
    """Base64 of HMAC-SHA256(salt, name || 0x00 || canonical JSON of the value) must stand in the event."""
    value = json.dumps(disclosed["value"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    message = disclosed["field"].encode() + b"\0" + value.encode()
    committed = b64encode(hmac.digest(b64decode(disclosed["salt"]), message, "sha256")).decode()
    if not hmac.compare_digest(committed, event["pii"].get(disclosed["field"], "")):
        raise Wrong(f"{disclosed['field']} of event {index} is not the value that the event committed to")


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an exported audit bundle.")
    parser.add_argument("bundle", nargs="?")
    parser.add_argument("--key", action="append", default=[], help="the log's public key; once for each epoch")
    parser.add_argument("--old", action="append", default=[], metavar="FILE", help="a checkpoint that you kept")
    parser.add_argument("--list", action="store_true", help="print the events")
    parser.add_argument("--proof", type=Path, metavar="FILE", help="proof of a single event, in place of a bundle")
    parser.add_argument("--event", type=Path, metavar="FILE", help="that event, as JSON")
    options = parser.parse_args()
    is_single = options.proof is not None and options.event is not None
    if is_single is (options.bundle is not None) or (options.proof is None) is not (options.event is None):
        parser.error("give a bundle, or --proof and --event")
    if is_single and not options.key:
        parser.error("a proof brings no key: give the one you trust with --key")
    try:
        if is_single:
            single = options.proof.read_text(encoding="utf-8"), options.event.read_bytes()
            print("\n".join(verify_single(*single, [parse_key(key) for key in options.key])))
            return 0
        old_notes = [Path(name).read_text(encoding="utf-8") for name in options.old]
        with zipfile.ZipFile(options.bundle) as bundle:
            keys = options.key or (read(bundle, "keys") or b"").decode().split("\n")[:-1]
            proved = verify(bundle, [parse_key(key) for key in keys], old_notes, is_listing=options.list)
    except (Wrong, ValueError, KeyError, TypeError, RecursionError, zipfile.BadZipFile) as wrong:
        print(f"WRONG: {wrong}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    print("\n".join(proved), file=sys.stderr if options.list else sys.stdout)
    if not options.key:
        print("NOT PROVED: the key came from the bundle itself. Give the one you trust with --key.", file=sys.stderr)
    return 0 if options.key else 2


if __name__ == "__main__":
    sys.exit(main())
