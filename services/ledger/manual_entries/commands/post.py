"""Posting entries in bulk.

    atomic        one transaction: all entries are posted, or none
    independent   groups of 500, each a transaction: every entry for itself
    dry run       everything is decided by the posting engine itself, then rolled back

A call's answer is kept under its idempotency key in the transaction that posts its last entries, so a repetition is
answered the same, and whatever an interrupted one has posted is a replay.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

from libs.common.contracts import ledger_journal as contract
from libs.common.contracts.ledger_errors import ApprovalRequired
from libs.common.contracts.ledger_journal import EntryResult, ManualEntry, Mode, Outcome
from libs.common.contracts.ledger_policy import RuleKind
from libs.common.db import Connection
from libs.common.errors import IdempotencyKeyReused
from services.ledger.core import Entry
from services.ledger.manual_entries.commands.journal import Journal, Undone, check_size
from services.ledger.manual_entries.commands.outcomes import all_or_none, as_if, count, notes_of
from services.ledger.manual_entries.domain import Fault, fingerprint, identified
from services.ledger.manual_entries.sql import manual
from services.ledger.policies import needs_approval

GROUP_MAX = 500
"""Independent entries that share a transaction: what a group of the posting engine takes."""

_results = msgspec.json.Decoder(list[EntryResult])


class _KeyTaken(Exception):
    """Rolls a transaction back because a concurrent call has answered under the same key."""


async def post_entries(journal: Journal, request: contract.PostEntries) -> contract.EntriesPosted:
    """Post entries, all or each for itself; a refused one is in the answer, with its code and its place.

    Raises:
        EntryInvalid: for no entries, or too many entries or lines.
        IdempotencyKeyReused: when the key belongs to a request with other content.
        ApprovalRequired: when all of the tenant's entries by hand must be proposed, and none of these stands already; never
            in a dry run. Where only some must, the engine refuses those.
    """
    check_size(request.entries, entries_max=contract.ENTRIES_MAX)
    content_fingerprint = await fingerprint(request.mode, request.entries)
    if not request.is_dry_run:
        before = await _answered(journal, request, content_fingerprint)
        if before is not None:
            return before
        # Of independent entries some may stand since the call was interrupted: who proposed them all would post those twice.
        if request.mode is Mode.ATOMIC:
            await _require_allowed(journal, request.tenant_id)
    entries = await identified(request.entries, source=f"ledger/{request.tenant_id}/journal/{request.key}")
    read = await journal.read(request.tenant_id, entries)
    post = _post_together if request.is_dry_run or request.mode is Mode.ATOMIC else _post_apart
    try:
        results = await post(journal, request, entries, read, content_fingerprint)
    except Undone as undone:
        results = undone.results
    except _KeyTaken:
        taken = await _answered(journal, request, content_fingerprint)
        assert taken is not None
        return taken
    if not request.is_dry_run:
        count(results)
        if all(result.outcome is Outcome.REFUSED for result in results):
            await _require_allowed(journal, request.tenant_id)
    return contract.EntriesPosted(results=results)


async def _require_allowed(journal: Journal, tenant_id: str) -> None:
    async with journal.database.connection() as connection:
        if await needs_approval(connection, tenant_id, RuleKind.MANUAL):
            raise ApprovalRequired("this tenant's manual entries need approval: propose them instead")


async def _answered(
    journal: Journal, request: contract.PostEntries, content_fingerprint: bytes
) -> contract.EntriesPosted | None:
    async with journal.database.connection() as connection:
        found = await manual.answered(connection, request.tenant_id, request.key)
    if found is None:
        return None
    if found[0] != content_fingerprint:
        raise IdempotencyKeyReused("this Idempotency-Key was already used with a different request")
    return contract.EntriesPosted(results=_results.decode(found[1]), is_replay=True)


async def _post_together(
    journal: Journal,
    request: contract.PostEntries,
    entries: Sequence[ManualEntry],
    read: Sequence[Entry | Fault],
    content_fingerprint: bytes,
) -> list[EntryResult]:
    async def post(tx: Connection) -> list[EntryResult]:
        results = await journal.post(tx, entries, read, is_approved=request.is_dry_run)
        if request.is_dry_run:
            raise Undone(as_if(results if request.mode is Mode.INDEPENDENT else all_or_none(results)))
        if any(result.outcome is Outcome.REFUSED for result in results):
            raise Undone(all_or_none(results))
        await manual.write_notes(tx, request.tenant_id, notes_of(entries, results, made_by=request.made_by))
        await _keep(journal, tx, request, content_fingerprint, results)
        return results

    return await journal.transact(post)


async def _post_apart(
    journal: Journal,
    request: contract.PostEntries,
    entries: Sequence[ManualEntry],
    read: Sequence[Entry | Fault],
    content_fingerprint: bytes,
) -> list[EntryResult]:
    results: list[EntryResult] = []
    while len(results) < len(entries):
        post = partial(
            _post_group,
            journal,
            request,
            entries,
            read,
            content_fingerprint=content_fingerprint,
            earlier=tuple(results),
        )
        results += await journal.transact(post)
    return results


async def _post_group(
    journal: Journal,
    request: contract.PostEntries,
    entries: Sequence[ManualEntry],
    read: Sequence[Entry | Fault],
    tx: Connection,
    *,
    content_fingerprint: bytes,
    earlier: Sequence[EntryResult],
) -> list[EntryResult]:
    """Post the group of independent entries that follows those with a result already."""
    first, beyond = len(earlier), len(earlier) + GROUP_MAX
    group = entries[first:beyond]
    found = await journal.post(tx, group, read[first:beyond], first=first)
    await manual.write_notes(tx, request.tenant_id, notes_of(group, found, made_by=request.made_by))
    every = [*earlier, *found]
    # A call of which nothing could be posted does not use up its key.
    if beyond >= len(entries) and any(result.outcome is not Outcome.REFUSED for result in every):
        await _keep(journal, tx, request, content_fingerprint, every)
    return found


async def _keep(
    journal: Journal,
    tx: Connection,
    request: contract.PostEntries,
    content_fingerprint: bytes,
    results: Sequence[EntryResult],
) -> None:
    is_new = await manual.write_answer(
        tx,
        request.tenant_id,
        key=request.key,
        fingerprint=content_fingerprint,
        answer=msgspec.json.encode(results).decode(),
        answered_at=journal.clock.now(),
    )
    if not is_new:
        raise _KeyTaken
