"""The rules of Prometheus as the Prometheus Operator takes them: a PrometheusRule for each file of rules and alerts."""

from pathlib import Path

FOLDER = Path(__file__).parent
FILE = FOLDER.parent / "kubernetes" / "components" / "prometheus" / "rules.yaml"
_HEAD = "# Written by `just docs` from deploy/observability/rules and alerts; what is written by hand here is lost.\n"
_BEGINNING = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: payments-{kind}-{name}
spec:
"""


def text(levels: str) -> str:
    """Return the documents of all files; `levels` is what `rules/levels.yml` is to contain, which is written as well."""
    parts = []
    for kind in ("rules", "alerts"):
        for file in sorted((FOLDER / kind).glob("*.yml")):
            rules = levels if file.name == "levels.yml" else file.read_text()
            # Comments say where a file comes from; what follows is a document's `spec` as it is.
            lines = [line for line in rules.splitlines() if not line.startswith("#")]
            body = "".join(f"  {line}\n" if line else "\n" for line in lines)
            parts.append(_BEGINNING.format(kind=kind, name=file.stem) + body)
    return _HEAD + "---\n".join(parts)
