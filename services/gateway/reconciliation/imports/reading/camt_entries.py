"""What an entry of a CAMT.053 says, and each of its parts."""

from services.gateway.reconciliation.imports.domain import NAME_MAX, Wrong
from services.gateway.reconciliation.imports.reading.amounts import read_amount, read_currency
from services.gateway.reconciliation.imports.reading.tables import text_of

TEXT_MAX = 10_000
"""Characters of one text."""
_REFERENCES = (
    ("Refs/EndToEndId", "end_to_end"),
    ("Refs/TxId", "transaction"),
    ("Refs/InstrId", "instruction"),
    ("Refs/PmtInfId", "payment_information"),
    ("Refs/MndtId", "mandate"),
    ("Refs/ChqNb", "cheque"),
    ("Refs/UETR", "uetr"),
    ("RmtInf/Strd/CdtrRefInf/Ref", "creditor_reference"),
)
_NONE = ("NOTPROVIDED", "NONREF", "NOT PROVIDED")

type Node = dict[str, list[str]]
"""The texts below an element by their path; `Amt@Ccy` is an attribute."""


def one(node: Node, path: str) -> str:
    """Return the first text of a path, or nothing."""
    found = node.get(path)
    return found[0] if found else ""


def amount_in(node: Node, path: str) -> tuple[int, str]:
    """Read an amount, above zero whatever it says, and its currency."""
    code = read_currency(one(node, f"{path}@Ccy"), column=f"{path}@Ccy")
    return abs(read_amount(one(node, path), code, column=path)), code


def amount_of_part(part: Node, code: str) -> int | None:
    """Find what a part has in the entry's currency."""
    for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt", "AmtDtls/CntrValAmt/Amt"):
        if one(part, path) and one(part, f"{path}@Ccy") == code:
            return abs(read_amount(one(part, path), code, column=path))
    return None


def sign_of(node: Node) -> int:
    """Return whether money came or left."""
    direction = one(node, "CdtDbtInd")
    if direction not in ("CRDT", "DBIT"):
        raise Wrong("must be CRDT or DBIT", column="CdtDbtInd")
    return 1 if direction == "CRDT" else -1


def kind_of(entry: Node, part: Node, *, is_reversal: bool) -> str:
    """Name what a part is, in the file's words."""
    for node in (part, entry):
        domain = "/".join(filter(None, (one(node, f"BkTxCd/Domn/{p}") for p in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd"))))
        kind = domain or one(node, "BkTxCd/Prtry/Cd")
        if kind:
            break
    else:
        kind = ""
    returned = one(part, "RtrInf/Rsn/Cd")
    return "".join((kind, f" return {returned}" if returned else "", " reversal" if is_reversal else ""))[:64].strip()


def references_of(entry: Node, part: Node) -> dict[str, str]:
    """Read what a part refers to, by name."""
    found: dict[str, str] = {}
    bank = one(part, "Refs/AcctSvcrRef") or one(entry, "AcctSvcrRef")
    for name, text in (
        ("bank", bank),
        *((name, one(part, path)) for path, name in _REFERENCES),
        ("entry", one(entry, "NtryRef")),
        ("batch", one(entry, "NtryDtls/Btch/PmtInfId") or one(entry, "NtryDtls/Btch/MsgId")),
    ):
        if not text or text.upper() in _NONE:
            continue
        if len(text) > NAME_MAX:
            raise Wrong(f"longer than {NAME_MAX} characters", column=name)
        found[name] = text
    return found


def counterparty_of(part: Node, *, came: bool) -> str:
    """Name the other side."""
    other = "Dbtr" if came else "Cdtr"
    for party in (other, f"Ultmt{other}"):
        name = one(part, f"RltdPties/{party}/Nm") or one(part, f"RltdPties/{party}/Pty/Nm")
        if name:
            return text_of(name)[:NAME_MAX]
    return ""


def description_of(entry: Node, part: Node) -> str:
    """Read what else the file has of a part."""
    texts = part.get("RmtInf/Ustrd", []) + part.get("AddtlTxInf", []) if part is not entry else []
    return text_of(" ".join(texts or entry.get("AddtlNtryInf", [])))


def raw_of(entry: Node, part: Node) -> dict[str, str]:
    """Write a part as it was read, or the entry where it has none; what the parts share is not repeated in each."""
    raw = {path: " ".join(texts)[:TEXT_MAX] for path, texts in part.items() if path != "#"}
    return raw if part is entry else raw | {"Ntry/Amt": one(entry, "Amt"), "Ntry/Sts": one(entry, "Sts")}
