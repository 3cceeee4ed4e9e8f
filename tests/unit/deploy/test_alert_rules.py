"""Every alert fires where it should and is quiet where it should be: promtool plays series to the rules as they are."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.native.prometheus import promtool
from deploy.observability import cluster_rules
from tests.unit.deploy.alert_cases import CASES, IN_DAYS, Series

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "deploy/observability/rules").glob("*.yml"))
ALERTS = sorted((ROOT / "deploy/observability/alerts").glob("*.yml"))
SECONDS = 300


type Rule = dict[str, Any]


def rules_of(file: Path) -> list[Rule]:
    document = yaml.safe_load(file.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_every_alert_has_its_case() -> None:
    every = [rule["alert"] for file in ALERTS for rule in rules_of(file)]
    assert sorted(every) == sorted([*CASES, *IN_DAYS])


def test_cluster_gets_every_rule_as_it_is() -> None:
    found = list(yaml.safe_load_all(cluster_rules.FILE.read_text()))
    given = [yaml.safe_load(file.read_text()) for file in (*RULES, *ALERTS)]
    assert [document["spec"] for document in found] == given
    assert len({document["metadata"]["name"] for document in found}) == len(given)


def case(alert: str, series: Series, *, fires: bool, interval: str, at: str) -> dict[str, Any]:
    values = [{"series": name, "values": bad if fires else good} for name, (bad, good) in series.items()]
    firing = f'max(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    expected = [{"labels": "{}", "value": 1}] if fires else []
    return {
        "name": f"{alert} {'fires' if fires else 'is quiet'}",
        "interval": interval,
        "input_series": values,
        "promql_expr_test": [{"expr": firing, "eval_time": at, "exp_samples": expected}],
    }


def written(folder: Path, rule: Rule, series: Series, *, interval: str, every: str, at: str) -> str:
    """Write the two cases of one alert for promtool, with that rule and what it reads: the fewer rules, the faster."""
    recording = [one for file in RULES for one in rules_of(file)]
    read = [one for one in recording if one["record"] in rule["expr"]]
    text = " ".join(one["expr"] for one in read)
    # What those read in turn comes before them, as in their files.
    read = [one for one in recording if one in read or one["record"] in text]
    rules = folder / f"{rule['alert']}.rules.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "rules", "rules": [*read, rule]}]}))
    tests = [case(rule["alert"], series, fires=fires, interval=interval, at=at) for fires in (True, False)]
    document = {"rule_files": [str(rules)], "evaluation_interval": every, "tests": tests}
    path = folder / f"{rule['alert']}.yml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    found, reason = promtool()
    if not found:
        pytest.skip(reason)
    return found


def test_alerts_fire_and_are_quiet(program: str, tmp_path: Path) -> None:
    by_name = {rule["alert"]: rule for file in ALERTS for rule in rules_of(file)}
    files = [written(tmp_path, by_name[name], one, interval="1m", every="5m", at="90m") for name, one in CASES.items()]
    files += [
        written(tmp_path, by_name[name], one, interval="15m", every="15m", at="48h") for name, one in IN_DAYS.items()
    ]
    done = subprocess.run(
        [program, "test", "rules", *files], check=False, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["prometheus.yml"])
def test_configuration_is_valid(program: str, name: str) -> None:
    file = ROOT / "deploy" / "observability" / name
    done = subprocess.run(
        [program, "check", "config", "--syntax-only", str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        [program, "check", "rules", *RULES, *ALERTS], check=False, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
