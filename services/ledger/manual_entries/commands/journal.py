"""Entries that people make: posted in bulk, or proposed by one person and posted once another one approves.

    atomic        one transaction: all entries are posted, or none
    independent   groups of 500, each a transaction: every entry for itself
    dry run       everything is decided by the posting engine itself, then rolled back

A call's answer is kept under its idempotency key in the transaction that posts its last entries, so a repetition is
answered the same, and whatever an interrupted one has posted is a replay.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from uuid import NAMESPACE_URL, uuid5

import msgspec

from libs.common.clock import Clock
from libs.common.contracts import ledger_journal as contract
from libs.common.contracts.ledger_journal import EntryResult, ManualEntry, Mode, Outcome, Proposal, ProposalStatus
from libs.common.db import Connection, Database
from libs.common.db.database import CONTENTION
from libs.common.errors import Rejected
from libs.common.observability.correlation import current
from services.ledger.accounts import Charts, accounts_by_code
from services.ledger.core import Account, Entry
from services.ledger.errors import (
    ApprovalRequired,
    EntryInvalid,
    JournalKeyReused,
    ProposalDecided,
    ProposalExpired,
    ProposalNotFound,
    SelfApproval,
)
from services.ledger.manual_entries.commands.outcomes import all_or_none, as_if, count, notes_of, result_of
from services.ledger.manual_entries.domain import Fault, codes, fault_of, fingerprint, identified, in_turn, manual_entry
from services.ledger.manual_entries.sql import manual, proposals
from services.ledger.posting import BalanceCache, Booking, Refused, post_locked

GROUP_MAX = 500
"""Independent entries that share a transaction: what a group of the posting engine takes."""

CONTENTION_RETRIES_MAX = 5
"""How often a transaction that lost against another one is run again."""

_results = msgspec.json.Decoder(list[EntryResult])


class _Undone(Exception):
    """Rolls a transaction back and brings out what it had found."""

    def __init__(self, results: list[EntryResult]) -> None:
        super().__init__("undone on purpose")
        self.results = results


class _KeyTaken(Exception):
    """Rolls a transaction back because a concurrent call has answered under the same key."""


class JournalCommands:
    """What one ledger process decides about entries that people make."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        proposal_lifetime: timedelta,
        cache: BalanceCache | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._proposal_lifetime = proposal_lifetime
        self._charts = Charts()

    async def post_entries(self, request: contract.PostEntries) -> contract.EntriesPosted:
        """Post entries, all or each for itself; a refused one is in the answer, with its code and its place.

        Raises:
            EntryInvalid: for no entries, or too many entries or lines.
            JournalKeyReused: when the key belongs to a request with other content.
            ApprovalRequired: when the tenant's entries must be proposed; never in a dry run.
        """
        _check_size(request.entries, entries_max=contract.ENTRIES_MAX)
        content_fingerprint = await fingerprint(request.mode, request.entries)
        if not request.is_dry_run:
            before = await self._answered(request, content_fingerprint)
            if before is not None:
                return before
            async with self._database.connection() as connection:
                if await manual.needs_approval(connection, request.tenant_id):
                    raise ApprovalRequired("this tenant's manual entries need approval: propose them instead")
        entries = await identified(request.entries, source=f"ledger/{request.tenant_id}/journal/{request.key}")
        read = await self._read(request.tenant_id, entries)
        post = self._post_together if request.is_dry_run or request.mode is Mode.ATOMIC else self._post_apart
        try:
            results = await post(request, entries, read, content_fingerprint)
        except _Undone as undone:
            results = undone.results
        except _KeyTaken:
            taken = await self._answered(request, content_fingerprint)
            assert taken is not None
            return taken
        if not request.is_dry_run:
            count(results)
        return contract.EntriesPosted(results=results)

    async def propose(self, request: contract.ProposeEntries) -> contract.ProposalAnswer:
        """Keep entries for somebody else to decide about; refused when they could not be posted now.

        Raises:
            EntryInvalid: for no entries, or too many entries or lines.
            JournalKeyReused: when the key belongs to a proposal of something else.
        """
        _check_size(request.entries, entries_max=contract.PROPOSAL_ENTRIES_MAX)
        content_fingerprint = await fingerprint(request.reason, request.entries)
        proposal_id = uuid5(NAMESPACE_URL, f"ledger/{request.tenant_id}/proposals/{request.key}")
        entries = await identified(request.entries, source=f"ledger/{request.tenant_id}/proposals/{proposal_id}")
        now = self._clock.now()
        proposal = Proposal(
            id=proposal_id,
            status=ProposalStatus.OPEN,
            reason=request.reason,
            made_by=request.made_by,
            made_at=now,
            expires_at=now + self._proposal_lifetime,
            entries=entries,
        )
        async with self._database.connection() as connection:
            existing = await proposals.fingerprint_of(connection, request.tenant_id, proposal_id)
        if existing is None:
            results = await self._try(request.tenant_id, entries)
            if any(result.outcome is Outcome.REFUSED for result in results):
                return contract.ProposalAnswer(results=results)
            async with self._database.transaction() as tx:
                if await proposals.write_proposal(tx, request.tenant_id, proposal, fingerprint=content_fingerprint):
                    return contract.ProposalAnswer(proposal=proposal, results=results)
                existing = await proposals.fingerprint_of(tx, request.tenant_id, proposal_id)
        if existing != content_fingerprint:
            raise JournalKeyReused("this Idempotency-Key belongs to a proposal of something else")
        async with self._database.connection() as connection:
            found = await proposals.proposal(connection, request.tenant_id, proposal_id, now=now)
        return contract.ProposalAnswer(proposal=found, is_replay=True)

    async def approve(self, request: contract.ApproveProposal) -> contract.ProposalAnswer:
        """Post what somebody else proposed, exactly once; approving it again answers how it stands.

        Raises:
            ProposalNotFound: when the tenant has none of this id.
            SelfApproval: when it is the one who proposed it.
            ProposalDecided: when it was rejected.
            ProposalExpired: when its time is over.
        """

        async def decide(tx: Connection) -> contract.ProposalAnswer:
            existing = await self._decidable(tx, request, but=ProposalStatus.APPROVED)
            if existing.status is ProposalStatus.APPROVED:
                return contract.ProposalAnswer(proposal=existing, is_replay=True)
            accounts = await accounts_by_code(tx, request.tenant_id, codes(existing.entries))
            read = await self._entries_or_faults(request.tenant_id, existing.entries, accounts)
            results = await self._post(tx, existing.entries, read)
            if any(result.outcome is Outcome.REFUSED for result in results):
                raise _Undone(all_or_none(results))
            notes = notes_of(
                existing.entries,
                results,
                made_by=existing.made_by,
                approved_by=request.decided_by,
                proposal_id=existing.id,
            )
            await manual.write_notes(tx, request.tenant_id, notes)
            decided = self._decided(existing, request, ProposalStatus.APPROVED)
            await proposals.decide_proposal(tx, request.tenant_id, decided)
            return contract.ProposalAnswer(proposal=decided, results=results)

        try:
            answer = await self._transact(decide)
        except _Undone as undone:
            answer = contract.ProposalAnswer(results=undone.results)
        count(answer.results)
        return answer

    async def reject(self, request: contract.RejectProposal) -> contract.ProposalAnswer:
        """Refuse what somebody else proposed; rejecting it again answers how it stands.

        Raises:
            ProposalNotFound: when the tenant has none of this id.
            SelfApproval: when it is the one who proposed it.
            ProposalDecided: when it was approved.
            ProposalExpired: when its time is over.
        """
        async with self._database.transaction() as tx:
            existing = await self._decidable(tx, request, but=ProposalStatus.REJECTED)
            if existing.status is ProposalStatus.REJECTED:
                return contract.ProposalAnswer(proposal=existing, is_replay=True)
            decided = self._decided(existing, request, ProposalStatus.REJECTED)
            await proposals.decide_proposal(tx, request.tenant_id, decided)
            return contract.ProposalAnswer(proposal=decided)

    async def set_policy(self, request: contract.SetJournalPolicy) -> contract.JournalPolicy:
        """Change what a tenant requires of entries that people make."""
        async with self._database.transaction() as tx:
            await manual.set_policy(
                tx,
                request.tenant_id,
                needs_approval=request.manual_entries_need_approval,
                changed_by=request.changed_by,
                changed_at=self._clock.now(),
            )
        return contract.JournalPolicy(manual_entries_need_approval=request.manual_entries_need_approval)

    async def _answered(
        self, request: contract.PostEntries, content_fingerprint: bytes
    ) -> contract.EntriesPosted | None:
        async with self._database.connection() as connection:
            found = await manual.answered(connection, request.tenant_id, request.key)
        if found is None:
            return None
        if found[0] != content_fingerprint:
            raise JournalKeyReused("this Idempotency-Key was already used with a different request")
        return contract.EntriesPosted(results=_results.decode(found[1]), is_replay=True)

    async def _read(self, tenant_id: str, entries: Sequence[ManualEntry]) -> list[Entry | Fault]:
        async with self._database.transaction() as tx:
            # The default accounts are there before any message about the tenant.
            await self._charts.of(tx, [tenant_id], opened_at=self._clock.now())
            accounts = await accounts_by_code(tx, tenant_id, codes(entries))
        return await self._entries_or_faults(tenant_id, entries, accounts)

    async def _entries_or_faults(
        self, tenant_id: str, entries: Sequence[ManualEntry], accounts: Mapping[str, Account]
    ) -> list[Entry | Fault]:
        now = self._clock.now()
        read: list[Entry | Fault] = []
        async for some in in_turn(entries):
            for place, entry in enumerate(some, start=len(read)):
                try:
                    read.append(manual_entry(entry, tenant_id=tenant_id, accounts=accounts, now=now))
                except Rejected as reason:
                    read.append(fault_of(reason, place=place))
        return read

    async def _post_together(
        self,
        request: contract.PostEntries,
        entries: Sequence[ManualEntry],
        read: Sequence[Entry | Fault],
        content_fingerprint: bytes,
    ) -> list[EntryResult]:
        async def post(tx: Connection) -> list[EntryResult]:
            results = await self._post(tx, entries, read)
            if request.is_dry_run:
                raise _Undone(as_if(results if request.mode is Mode.INDEPENDENT else all_or_none(results)))
            if any(result.outcome is Outcome.REFUSED for result in results):
                raise _Undone(all_or_none(results))
            await manual.write_notes(tx, request.tenant_id, notes_of(entries, results, made_by=request.made_by))
            await self._keep(tx, request, content_fingerprint, results)
            return results

        return await self._transact(post)

    async def _post_apart(
        self,
        request: contract.PostEntries,
        entries: Sequence[ManualEntry],
        read: Sequence[Entry | Fault],
        content_fingerprint: bytes,
    ) -> list[EntryResult]:
        results: list[EntryResult] = []
        while len(results) < len(entries):
            post = partial(
                self._post_group,
                request,
                entries,
                read,
                content_fingerprint=content_fingerprint,
                earlier=tuple(results),
            )
            results += await self._transact(post)
        return results

    async def _post_group(
        self,
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
        found = await self._post(tx, group, read[first:beyond], first=first)
        await manual.write_notes(tx, request.tenant_id, notes_of(group, found, made_by=request.made_by))
        every = [*earlier, *found]
        # A call of which nothing could be posted does not use up its key.
        if beyond >= len(entries) and any(result.outcome is not Outcome.REFUSED for result in every):
            await self._keep(tx, request, content_fingerprint, every)
        return found

    async def _post(
        self, tx: Connection, entries: Sequence[ManualEntry], read: Sequence[Entry | Fault], *, first: int = 0
    ) -> list[EntryResult]:
        """Let the posting engine decide the entries that could be read; the others are refused already."""
        bookings = [Booking(entry=entry, correlation=current()) for entry in read if not isinstance(entry, Fault)]
        outcomes = iter(await post_locked(tx, bookings, clock=self._clock, cache=self._cache))
        results: list[EntryResult] = []
        async for some in in_turn(list(zip(entries, read, strict=True))):
            for place, (entry, read_entry) in enumerate(some, start=first + len(results)):
                fault = read_entry if isinstance(read_entry, Fault) else None
                outcome = None if fault is not None else next(outcomes)
                if isinstance(outcome, Refused):
                    fault = fault_of(outcome.reason, place=place)
                results.append(result_of(entry, fault, outcome))
        return results

    async def _keep(
        self, tx: Connection, request: contract.PostEntries, content_fingerprint: bytes, results: Sequence[EntryResult]
    ) -> None:
        is_new = await manual.write_answer(
            tx,
            request.tenant_id,
            key=request.key,
            fingerprint=content_fingerprint,
            answer=msgspec.json.encode(results).decode(),
            answered_at=self._clock.now(),
        )
        if not is_new:
            raise _KeyTaken

    async def _try(self, tenant_id: str, entries: Sequence[ManualEntry]) -> list[EntryResult]:
        read = await self._read(tenant_id, entries)

        async def post(tx: Connection) -> list[EntryResult]:
            raise _Undone(as_if(all_or_none(await self._post(tx, entries, read))))

        try:
            return await self._transact(post)
        except _Undone as undone:
            return undone.results

    async def _decidable(
        self, tx: Connection, request: contract.ApproveProposal | contract.RejectProposal, *, but: ProposalStatus
    ) -> Proposal:
        """Lock a proposal that the one who asks may decide; one that stands as they want it already is returned too."""
        existing = await proposals.lock_proposal(tx, request.tenant_id, request.proposal_id, now=self._clock.now())
        if existing is None:
            raise ProposalNotFound("proposal not found")
        if existing.made_by.casefold() == request.decided_by.casefold():
            raise SelfApproval("who proposes does not decide: ask somebody else")
        if existing.status is ProposalStatus.EXPIRED:
            raise ProposalExpired("the proposal has expired; propose the entries again")
        if existing.status not in {ProposalStatus.OPEN, but}:
            raise ProposalDecided(f"the proposal is {existing.status} already")
        return existing

    def _decided(
        self,
        existing: Proposal,
        request: contract.ApproveProposal | contract.RejectProposal,
        status: ProposalStatus,
    ) -> Proposal:
        return msgspec.structs.replace(
            existing,
            status=status,
            decided_by=request.decided_by,
            decided_at=self._clock.now(),
            decision_reason=request.reason,
        )

    async def _transact[T](self, work: Callable[[Connection], Awaitable[T]]) -> T:
        for _ in range(CONTENTION_RETRIES_MAX):
            try:
                async with self._database.transaction() as tx:
                    return await work(tx)
            except CONTENTION:
                continue
        async with self._database.transaction() as tx:
            return await work(tx)


def _check_size(entries: Sequence[ManualEntry], *, entries_max: int) -> None:
    if not 1 <= len(entries) <= entries_max:
        sentence = f"entries must be 1 to {entries_max}"
        raise EntryInvalid(sentence, errors=(("/entries", sentence),))
    if sum(len(entry.lines) for entry in entries) > contract.LINES_MAX:
        sentence = f"entries must have at most {contract.LINES_MAX} lines together"
        raise EntryInvalid(sentence, errors=(("/entries", sentence),))
