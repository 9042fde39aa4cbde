"""The hosts of a cluster, asked over a real connection."""

import pytest

from compare.measure.hosts import hosts_of, refuse_other_versions
from deploy import host_usage
from deploy.host_usage import Spending
from engines.cluster import head_of
from engines.errors import EngineStartError


@pytest.fixture
def head() -> str:
    """Serves what this host spends, under the port that all nodes have."""
    return "127.0.0.1:6379"


def test_finds_the_host_in_addresses_of_every_form() -> None:
    assert head_of("ray-head:6379") == "ray-head"
    assert head_of("tls://scheduler.example:8786") == "scheduler.example"
    assert head_of("spark://10.0.0.1:7077") == "10.0.0.1"


def test_equal_versions_are_let_in(head: str) -> None:
    with host_usage.served(alive="http://127.0.0.1:9/"):
        refuse_other_versions(head, ["torch"])


@pytest.mark.parametrize(("name", "there"), [("distributed", "2026.1.0"), ("python", "3.9.18")])
def test_another_version_is_refused_by_name_and_version(
    head: str, monkeypatch: pytest.MonkeyPatch, name: str, there: str
) -> None:
    ours = host_usage.own()
    theirs = ours.model_copy(update={"versions": ours.versions | {name: there}})
    with host_usage.served(alive="http://127.0.0.1:9/"):
        monkeypatch.setattr(host_usage, "of", lambda _: theirs)
        with pytest.raises(EngineStartError, match=f"{name} {there}") as refused:
            refuse_other_versions(head, ["distributed"])
    assert ours.versions[name] in str(refused.value)


def test_another_patch_level_of_python_is_let_in(
    head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = host_usage.own()
    minor = ".".join(ours.versions["python"].split(".")[:2])
    theirs = ours.model_copy(update={"versions": ours.versions | {"python": f"{minor}.99"}})
    monkeypatch.setattr(host_usage, "of", lambda _: theirs)
    refuse_other_versions(head, [])


def test_a_host_that_was_there_and_is_gone_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = host_usage.own()
    names = ("head", "one", "two")
    told: dict[str, Spending | None] = {n: ours.model_copy(update={"host": n}) for n in names}
    monkeypatch.setattr(host_usage, "of", lambda host: told[host])
    hosts = hosts_of("head:1", {"one", "two"}, {ours.boot_id})
    before = hosts.usage()
    told["two"] = None
    used = {node.host: node.lost for node in hosts.used(before, hosts.usage())}
    assert used == {"head": False, "one": False, "two": True, ours.host: False}
    assert hosts.one_clock
    assert not hosts_of("head:1", {"one"}, {"another kernel"}).one_clock
