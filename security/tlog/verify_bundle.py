#!/usr/bin/env python3
"""Verifies an exported audit bundle without KoshFlow: this one file, Python and the package `cryptography`.

    python3 verify_bundle.py --key KEY bundle.zip           what it proves, in words; ends with 0, 1 (wrong) or 2
    python3 verify_bundle.py --key KEY --whole bundle.zip   and that no event was left out (of a part: --since, --until)
    python3 verify_bundle.py --key KEY --proof FILE --event FILE   one event and its proof, without a bundle

KEY is the log's public key, as its operator gave it to you before there was anything to hide. Without it the key in
the bundle is believed, which proves only that the bundle fits together.

What is checked, in this order:
1. The log signed the checkpoint: its name, a number of events, and one hash, the root, over all of them.
2. The root follows from the hashes of all events, two at a time (RFC 6962). The same for every earlier checkpoint.
3. Each event in the bundle has exactly the hash that stands at its place.
4. An event that must be here (--whole, or the bundle's own claim) and is not went by retention: an event tells of it.
5. Each personal value handed over is the one that its event committed to.
Of a single event and its proof (c2sp.org/tlog-proof): 1, and that the event's hash leads to the root at its place.
So nobody, not even who owns the log's database and its key, can have changed, added or removed an event since a
checkpoint that you kept (--old FILE), or that a witness cosigned, whose key you have from the witness (--witness KEY).
"""

import argparse
import hashlib
import hmac
import json
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from functools import reduce
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MOST_MEMBER_BYTES = 64_000_000  # of a tile or list; a zip file can claim to hold more than any disk
Key = tuple[str, bytes, bytes]  # name, id, public key after a byte: 1 of a log, 4 of a witness
Wrong = ValueError  # the bundle does not prove what it claims


def read(bundle: ZipFile, name: str) -> bytes:
    """Content of a member of the zip file, b"" where there is none."""
    if (member := bundle.NameToInfo.get(name)) is None:
        return b""
    # Other methods than these two give any number of bytes at once, whatever size is claimed and however few are read.
    is_plain = member.compress_type in (ZIP_STORED, ZIP_DEFLATED) and not member.flag_bits & 1
    if not is_plain or member.file_size > MOST_MEMBER_BYTES:
        raise Wrong(f"{name} is encrypted, compressed as in no bundle, or larger than {MOST_MEMBER_BYTES} bytes")
    return bundle.open(member).read(member.file_size)


def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises Wrong for a member that stands twice: another reader may take the other one."""
    if len(told := dict(members)) < len(members):
        raise Wrong("a member of an event, or of a line, stands twice")
    return told


def parse(text: bytes, decode: Any = json.JSONDecoder(object_pairs_hook=once).decode) -> Any:  # noqa: B008 - made once
    return decode(text.decode())


def shown(text: str) -> str:
    """As it may be printed: no character moves the cursor, ends the line or turns the direction of others."""
    return re.sub("[^ -~]", lambda one: one[0] if one[0].isprintable() else json.dumps(one[0])[1:-1], text)


def plain(words: str) -> str:
    """`words` that the log's owner chose, and that have no room for a sentence of theirs. Raises Wrong."""
    if not re.fullmatch(r"[a-z_.]{1,40} (of|before) [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{15}Z", words):
        raise Wrong(f"an event says what it tells of, and when, as no event of this log does: {words}")
    return words


def parse_key(text: str, kind: int = 1) -> Key:
    """The key of "<name>+<8 hex digits>+<base64 of a byte for its kind and the public key>"."""
    parts = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})", text.strip())
    name, key_id, raw = (parts[1], bytes.fromhex(parts[2]), b64decode(parts[3])) if parts else ("", b"", b"\0")
    if raw[0] != kind or hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4] != key_id:
        raise Wrong(f"that is not the text of a {'witness' if kind == 4 else 'log'}'s Ed25519 key")
    return name, key_id, raw


def open_checkpoint(note: str, keys: list[Key]) -> tuple[str, int, bytes]:
    """(origin, size, root) of a checkpoint that one of `keys` signed, a witness's with a time (tlog-cosignature)."""
    text, empty, signatures = note.rpartition("\n\n")
    for name, encoded in re.findall(r"(?m)^— (\S+) ([A-Za-z0-9+/=]+)$", signatures):
        payload = b64decode(encoded)
        for key_name, key_id, public in keys:
            if (name, payload[:4]) == (key_name, key_id):
                seen = b"cosignature/v1\ntime %d\n" % int.from_bytes(payload[4:12], "big") if public[0] == 4 else b""
                try:
                    Ed25519PublicKey.from_public_bytes(public[1:]).verify(payload[-64:], seen + text.encode() + b"\n")
                except InvalidSignature:
                    raise Wrong(f"the signature of {name} is wrong") from None
                said = re.match(r"(\S+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)(?:\n|\Z)", text)
                if said is None or (public[0] == 1 and said[1] != name):
                    raise Wrong(f"{name} signed what is no checkpoint of its own")
                return said[1], int(said[2]), b64decode(said[3])
    raise Wrong("the checkpoint is not signed by the key you gave" if empty else "the checkpoint is not a signed note")


def append(peaks: list[bytes], size: int, top: bytes) -> None:
    """Add a leaf to a tree of `size`, kept as the roots of its perfect subtrees, the largest first (RFC 6962 2.1)."""
    while size & 1:
        top, size = node(peaks.pop(), top), size >> 1
    peaks.append(top)


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def read_tile(bundle: ZipFile, kind: int | str, index: int, size: int) -> bytes:
    """Content of "tile/0/x001/x234/067" say, with ".p/<places>" behind it where they are not 256."""
    width, name, rest = min(256, size - index * 256), f"{index % 1000:03d}", index
    while (rest := rest // 1000) > 0:
        name = f"x{rest % 1000:03d}/{name}"
    content = read(bundle, f"tile/{kind}/{name}" + ("" if width == 256 else f".p/{width}"))
    if index < 0 or (kind == 0 and len(content) != width * 32):
        raise Wrong(f"the hashes from place {index * 256} on are missing")
    return content


def hashes_and_leaves(bundle: ZipFile, size: int) -> Iterator[tuple[bytes, bytes | None]]:
    """(hash in the tree, event's bytes or None) of each place."""
    for tile in range(-(-size // 256)):
        hashes = read_tile(bundle, 0, tile, size)
        entries, at = read_tile(bundle, "entries", tile, size) or b"\0\0" * (len(hashes) // 32), 0
        for place in range(0, len(hashes), 32):
            length = int.from_bytes(entries[at : at + 2], "big")
            leaf, at = entries[at + 2 : at + 2 + length], at + 2 + length
            if len(leaf) != length or (place + 32 == len(hashes) and at != len(entries)):
                raise Wrong(f"the events from place {tile * 256} on are cut")
            yield hashes[place : place + 32], leaf or None


def verify(bundle: ZipFile, options: argparse.Namespace) -> list[str]:
    """Sentences on what was proved. Raises Wrong."""
    keys = [*map(parse_key, options.key or read(bundle, "keys").decode().splitlines())]
    origin, size, root = open_checkpoint(read(bundle, "checkpoint").decode(), keys)
    notes = [(note, "a checkpoint of the bundle") for note in split_notes(read(bundle, "checkpoints").decode())]
    kept = [Path(name).read_text(encoding="utf-8") for name in options.old]
    old = [note for text in kept for note in [*split_notes(text)] or [text]]
    notes += [(note, "the checkpoint you kept") for note in old]
    seen = read(bundle, "cosigned").decode()
    cosigned = {key.partition("+")[0]: cosigned_by(parse_key(key, 4), split_notes(seen)) for key in options.witness}
    notes += [(note, f"a checkpoint that {name} cosigned") for name, some in cosigned.items() for _, note in some]
    roots = {size: [(root, "the checkpoint")]}  # of one size there may be several, and all must be one
    for note, whose in notes:
        _, at, there = open_checkpoint(note, keys)
        if at > size:
            raise Wrong(f"{whose} has {at} events, the bundle only {size}: the end is missing")
        roots.setdefault(at, []).append((there, whose))
    asked = options.since or 0, size if options.until is None else options.until
    said = asked if (options.since, options.until) != (None, None) else read(bundle, "range").split()
    first, end = map(int, said or (0, 0))
    if said and not 0 <= first < end <= size:
        raise Wrong(f"the log has {size} events, and none from {first} up to {end}")
    pruned: dict[int, int] = {}
    prunings = [*check_prunings(bundle, size, pruned)]
    values, no_more = map(parse, BytesIO(read(bundle, "disclosures"))), {"index": None}  # in the order of the events
    events, opened, peaks, value = 0, 0, list[bytes](), next(values, no_more)
    for index, (in_tree, leaf) in enumerate(hashes_and_leaves(bundle, size)):
        if leaf is not None:
            events += 1
            if not hmac.compare_digest(hashlib.sha256(b"\0" + leaf).digest(), in_tree):
                raise Wrong(f"event {index} is not the one that the log has there")
            told: dict[str, Any] = {"index": index, "event": parse(leaf), "disclosed": {}}
            while value["index"] == index:
                check_disclosure(told["event"], value)
                told["disclosed"][value["field"]] = value["value"]
                opened, value = opened + 1, next(values, no_more)
            if options.list:
                print(shown(json.dumps(told, ensure_ascii=False)))
        elif first <= index < end and not pruned.get(index // 256, 0) >> (255 - index % 256) & 1:
            raise Wrong(f"event {index} is not here, and no pruning says that it was taken out")
        append(peaks, index, in_tree)
        for there, whose in roots.get(index + 1, ()):
            if not hmac.compare_digest(reduce(lambda right, left: node(left, right), reversed(peaks)), there):
                raise Wrong(f"the events do not give the root of {whose} of {index + 1} events")
    if value is not no_more:
        raise Wrong("there are values of events that are not here, or not in their order")
    return [
        f"{origin} signed {size} events; root {root.hex()}.",
        *prunings,
        f"{events} of them are here, each as it was recorded; {opened} personal values are the ones committed to.",
        f"Events {first} to {end - 1} are whole." if said else "A selection: nobody can say whether it is whole.",
        f"{len(roots)} checkpoints lead to this one, {len(old)} of them kept by you.",
        *(f"{name} cosigned {len(some)}, the last of {max(some)[0]} events." for name, some in cosigned.items()),
    ]


def cosigned_by(witness: Key, notes: Iterable[str]) -> list[tuple[int, str]]:
    """(size, note) of each of `notes` that `witness` cosigned. Raises Wrong where it cosigned none."""
    if not (theirs := [note for note in notes if f"\n— {witness[0]} " in note]):
        raise Wrong(f"no checkpoint here is cosigned by {witness[0]}")
    return [(open_checkpoint(note, [witness])[1], note) for note in theirs]


def check_prunings(bundle: ZipFile, size: int, pruned: dict[int, int]) -> Iterator[str]:
    """A sentence on each event that tells what retention took out; `pruned` gets the bits of its places, by tile."""
    lines = map(parse, BytesIO(read(bundle, "prunings")))
    for index, (head, *tiles) in ((index, [*some]) for index, some in groupby(lines, lambda line: line["event"])):
        leaf, count, digest = head["leaf"].encode(), 0, hashlib.sha256()
        for tile, bits in ((line["tile"], int(line["places"], 16)) for line in tiles):
            hashes, pruned[tile] = read_tile(bundle, 0, tile, size), pruned.get(tile, 0) | bits
            for place in (place for place in range(256) if bits >> (255 - place) & 1):
                count += 1
                digest.update((tile * 256 + place).to_bytes(8, "big") + hashes[place * 32 : place * 32 + 32])
        told, at, own = parse(leaf), index % 256 * 32, hashlib.sha256(b"\0" + leaf).digest()
        is_there = hmac.compare_digest(own, read_tile(bundle, 0, index // 256, size)[at : at + 32])
        data, is_ours = told["data"], is_there and told["type"] == "audit.pruned"
        if not is_ours or count != data["count"] or not hmac.compare_digest(digest.hexdigest(), data["digest"]):
            raise Wrong(f"pruning {index} took out other events than it says")
        what = plain(f"{data['class']} before {data['until']}")
        yield f"Event {index} tells of {count} archived and deleted: {what}."


def verify_single(proof: str, event: bytes, keys: list[Key], witnesses: Iterable[Key] = ()) -> list[str]:
    """Sentences on one event and its proof (c2sp.org/tlog-proof). Raises Wrong."""
    form = r"c2sp\.org/tlog-proof@v1\n(?:extra .*\n)?index ([0-9]{1,19})\n((?:[A-Za-z0-9+/]{43}=\n)*)\n((?s:.*))"
    if not (parts := re.fullmatch(form, proof)):
        raise Wrong("that is not the proof of an event")
    index, path = int(parts[1]), [*map(b64decode, parts[2].split())]
    origin, size, root = open_checkpoint(parts[3], keys)
    cosigned = [f"{witness[0]} cosigned it." for witness in witnesses if cosigned_by(witness, [parts[3]])]
    told = json.loads(event.decode(), object_pairs_hook=once)
    # However the file is laid out: the log has the one canonical form (RFC 8785).
    leaf = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    top, inner = hashlib.sha256(b"\0" + leaf).digest(), (index ^ (size - 1)).bit_length()
    if index >= size or len(path) != inner + (index >> inner).bit_count():
        raise Wrong(f"that is no path from event {index} to a root over {size}")
    for level, sibling in enumerate(path):  # from `inner` on, all that is not above the event is on its left
        top = node(sibling, top) if level >= inner or index >> level & 1 else node(top, sibling)
    if not hmac.compare_digest(top, root):
        raise Wrong(f"this is not the event that {origin} has at {index}")
    what = plain(f"{told['type']} of {told['ts']}") + f" is event {index} of them, as it was recorded."
    return [f"{origin} signed {size} events; root {root.hex()}.", *cosigned, what]


def split_notes(text: str) -> Iterator[str]:
    """The notes of a text in which an empty line follows each; audit_checkpoint prints the key behind its own."""
    notes = (found[1] for found in re.finditer(r"(?s)(.+?)(?:\n\n(?!— )|\Z)", text))
    return (note for note in notes if note.strip() and not note.startswith("key: "))


def check_disclosure(event: dict[str, Any], disclosed: dict[str, Any]) -> None:
    """Base64 of HMAC-SHA256(salt, name || 0x00 || canonical JSON of the value) must stand in the event."""
    value = json.dumps(disclosed["value"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    message = disclosed["field"].encode() + b"\0" + value.encode()
    committed = b64encode(hmac.digest(b64decode(disclosed["salt"]), message, "sha256")).decode()
    if not hmac.compare_digest(committed, event["pii"].get(disclosed["field"], "")):
        raise Wrong(f"{disclosed['field']} of event {disclosed['index']} is not the value that the event committed to")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify an exported audit bundle.")
    parser.add_argument("bundle", nargs="?")
    parser.add_argument("--key", action="append", default=[], help="the log's public key; once for each epoch")
    parser.add_argument("--old", action="append", default=[], metavar="FILE", help="a checkpoint that you kept")
    parser.add_argument("--witness", action="append", default=[], metavar="KEY", help="of whom must have cosigned it")
    parser.add_argument("--whole", action="store_const", dest="since", const=0, help="no event may be left out")
    parser.add_argument("--since", type=int, metavar="INDEX", help="none from this one on")
    parser.add_argument("--until", type=int, metavar="INDEX", help="none before this one")
    parser.add_argument("--list", action="store_true", help="print the events")
    parser.add_argument("--proof", type=Path, metavar="FILE", help="proof of a single event, in place of a bundle")
    parser.add_argument("--event", type=Path, metavar="FILE", help="that event, as JSON")
    options = parser.parse_args(arguments)
    given = [option is not None for option in (options.bundle, options.proof, options.event)]
    if given not in ([True, False, False], [False, True, True]):
        parser.error("give a bundle, or --proof and --event")
    if options.proof and (options.old or not options.key):
        parser.error("a proof brings no key: give the one you trust with --key, and no --old: it leads to no other")
    try:
        if options.proof:
            files = options.proof.read_text(encoding="utf-8"), options.event.read_bytes()
            witnesses = [parse_key(key, 4) for key in options.witness]
            proved = verify_single(*files, [*map(parse_key, options.key)], witnesses)
        else:
            with ZipFile(options.bundle) as bundle:
                proved = verify(bundle, options)
    except OSError as error:
        print(f"{error.filename or options.bundle}: {error.strerror}", file=sys.stderr)
        return 2
    except Exception as wrong:  # noqa: BLE001 - whatever Python raises at a crafted file: it proves nothing
        print(f"WRONG: {shown(str(wrong) or type(wrong).__name__)}", file=sys.stderr)
        return 1
    print("\n".join(map(shown, proved)), file=sys.stderr if options.list else sys.stdout)
    if not options.key:
        print("NOT PROVED: the key came from the bundle itself. Give the one you trust with --key.", file=sys.stderr)
    return 0 if options.key else 2


if __name__ == "__main__":
    sys.exit(main())
