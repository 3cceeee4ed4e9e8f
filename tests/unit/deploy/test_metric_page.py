"""The page of metrics names each once, and every service has the same names for the same things."""

from deploy.local import metric_page


def test_a_name_means_one_thing() -> None:
    names = [metric.name for metrics in metric_page.known().values() for metric in metrics]
    assert len(names) == len(set(names)) > 100


def test_no_label_is_an_identifier() -> None:
    labels = {label for metrics in metric_page.known().values() for metric in metrics for label in metric.labels}
    assert {label for label in labels if label.endswith("_id") or label in {"tenant", "account", "url"}} == set()
