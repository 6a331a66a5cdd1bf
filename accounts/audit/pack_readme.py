"""What the auditor pack says to an auditor who has never heard of us, in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any

from security.trail import audited

_TEXT = """\
AUDIT TRAIL (EDIT LOG) OF {financialYear}
{company}

For the statutory auditor: Rule 11(g) of the Companies (Audit and Auditors) Rules, 2014. It asks four things of
the software. Under each stands what this pack has to say about it, and with which file you check it.

1. WAS THERE AN AUDIT TRAIL (EDIT LOG)?
   {edits} events of this period tell of changed rows: edit-log.csv has a line for each value, with the value before
   and after, who changed it, when, in which request, its place in the log (index) and the hash of its event. The
   database itself notes each change (triggers), and no setting switches that off. Watched are the tables
{tables}
   Passwords, names, addresses and numbers are personal: of those it says that they changed, and not what they
   were. A line without an actor, of the action record.out_of_band, was written past the application. Ask who it
   was.

2. DID IT RUN THROUGHOUT THE YEAR?
   The record of this pack goes from {recordBegins} to {recordEnds}.{before}
   Every quarter of an hour the software records that it is there and how many of its triggers are in place:
   {heartbeats} such heartbeats (heartbeats.csv). Gaps of more than 31 minutes between them: {gaps}. Heartbeats that
   found fewer triggers than there should be: {shortHeartbeats}. Each is a line of continuity.csv; ask for the reason.
   In a gap the software may have been switched off, so that nothing was done in it; or it went on without its clock.
   A heartbeat cannot be put in later: its place in the log would give it away.

3. WAS IT TAMPERED WITH?
   bundle.zip has {which}, the hashes of the
   whole log ({size} events), and checkpoints that the log signed. Check them on your own computer, which
   needs Python and its package "cryptography", and nothing of ours:

       python3 -m pip install cryptography
       python3 verify_bundle.py{keys}{asked} bundle.zip

   "signed ... events" and no WRONG: no event was changed or added since it was signed. It ends with 0.{epochs}
   {whole}
   Do not believe the key that stands here: compare it, letter by letter, with the one you were given when the year
   began. With a checkpoint that you kept, add --old FILE: then not even who owns the database can have rewritten what
   was before it. Where there are witnesses, ask one of them for its key and add --witness KEY: it says up to which
   event somebody outside has signed the same history. cosigned-checkpoints.txt has what they signed on each day.
   edit-log.jsonl has the events of the edit log as they were signed; with --list the verifier prints those of
   bundle.zip, so that you can compare.

4. IS IT PRESERVED?
   The law asks for eight financial years after this one. Of {size} signed events {held} are held.
   Prunings recorded in this year: {pruned}.
   retention.json has, of each class of events, how long it is kept at least, and its oldest event. What went is
   archived, and its hashes stay in the log.

THE FILES
   README.txt                this
   edit-log.csv              every change, for a spreadsheet, with the names of people as they were when this was made
   edit-log.jsonl            the same events as they were signed, with pseudonyms in place of names
   heartbeats.csv            each heartbeat
   continuity.csv            what stands out in them: gaps, and missing triggers
   retention.json            how long what is kept
   bundle.zip                the proof (c2sp.org/tlog-tiles)
   checkpoint.txt            what the log signed last; keep it, and give it with --old next year
   cosigned-checkpoints.txt  checkpoints with the signatures of witnesses; empty where there are none
   verify_bundle.py          checks bundle.zip; a few pages, which you can read
   summary.json              the numbers above
   SHA256SUMS                of each file; "sha256sum -c SHA256SUMS" shows that the pack arrived as it was made

WHAT THIS DOES NOT PROVE
   That what was typed in is true. That nothing was taken away in the ten seconds before it was signed. Books of
   account have events of their own (class "books") once they are kept in this software.
"""

_WHOLE = """\
"Events {firstIndex} to {last} are whole": none of them was left out of the file; what retention took out is told by
   the event that says so. The two numbers are ours: in the pack of the year before, made after its end, endIndex in
   summary.json must not be below the first of them. Else events between the two years are kept from you."""
_SELECTION = """\
"A selection: nobody can say whether it is whole": that none was left out of it, only the pack of all companies
   shows."""
_EPOCHS = """
   There are {} keys, the first one first: the log was recovered, and went on under the next. What was lost is told by
   the event audit_log.recovered with which each begins. Ask for the reason."""


def readme(told: Mapping[str, Any], *, keys: Sequence[str], retention: Mapping[str, Any]) -> str:
    """README.txt. `told` are the numbers of summary.json, `keys` the log's public keys, of each epoch one."""
    tables = "\n".join(f"     {one.table}" for one in audited())
    before = "\n   Nothing was recorded before: the log begins there." if told["isBegunWithin"] else ""
    if told["isBeginningGone"]:
        before = "\n   The log is older: what was recorded before is no longer held here. Ask for its archive."
    which = "every event from index {firstIndex} up to {endIndex}, which is left out".format(**told)
    if not told["isWhole"]:
        which = "the events of this company and the heartbeats"
    is_whole = told["isWhole"] and told["firstIndex"] < told["endIndex"]
    asked = " --since {firstIndex} --until {endIndex}".format(**told) if is_whole else ""
    return _TEXT.format(
        **told,
        which=which,
        asked=asked,
        whole=_WHOLE.format(**told, last=told["endIndex"] - 1) if is_whole else _SELECTION,
        keys="".join(f" --key '{key}'" for key in keys),
        epochs=_EPOCHS.format(len(keys)) if len(keys) > 1 else "",
        tables=tables,
        held=retention["held"],
        before=before,
    )
