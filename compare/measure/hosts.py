"""The hosts of a cluster that a session has joined, and their usage."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from compare.records.measurements import NodeUse
from deploy import host_usage
from deploy.host_usage import Spending
from engines import cluster

ROLES = HEAD, WORKER, DRIVER = "head", "worker", "driver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The hosts of a cluster, by the name that their own kernel reports."""

    roles: Mapping[str, str]
    """``head``, ``worker`` or ``driver``, by the name of the host."""
    one_clock: bool
    """Times of any two hosts may be subtracted from each other."""

    def usage(self) -> dict[str, Spending | None]:
        """Usage of each host so far."""
        return {
            host: host_usage.own() if role == DRIVER else host_usage.of(host)
            for host, role in self.roles.items()
        }

    def used(
        self, before: Mapping[str, Spending | None], after: Mapping[str, Spending | None]
    ) -> tuple[NodeUse, ...]:
        """Usage between two readings."""
        return tuple(
            _use(before[host], after[host], host, role) for host, role in self.roles.items()
        )


ALONE = Hosts(roles={}, one_clock=True)
"""No cluster: the process tree measures the usage."""


def hosts_of(address: str, workers: Iterable[str], boot_ids: Iterable[str]) -> Hosts:
    """The hosts of the cluster with this head; its workers reported these names and boot ids."""
    driver = host_usage.own()
    roles = {host: WORKER for host in workers if host != driver.host}
    head = cluster.head_of(address)
    usage = host_usage.of(head)
    # A head that also runs workers is counted once.
    if (usage.host if usage else head) not in roles | {driver.host: DRIVER}:
        roles = {head: HEAD} | roles
    return Hosts(roles=roles | {driver.host: DRIVER}, one_clock=set(boot_ids) <= {driver.boot_id})


def refuse_other_versions(address: str, distributions: Iterable[str]) -> None:
    """Refuse a cluster with other versions, before a framework fails with an unclear message.

    If the head does not report its versions, the check is left to the framework.

    Raises:
        EngineStartError: the head of the cluster has another Python, or one of these packages in
            another version.
    """
    head = cluster.head_of(address)
    usage = host_usage.of(head)
    if usage is None:
        return
    names = ("python", *distributions)
    theirs = {name: usage.versions.get(name, "none") for name in names}
    cluster.refuse_other_versions(f"the cluster at {address}", theirs, host_usage.own().versions)


def sum_or_none(numbers: Iterable[float | None]) -> float | None:
    """The sum; ``None`` if any number is unknown."""
    known = list(numbers)
    return None if None in known else math.fsum(filter(None, known))


def _use(before: Spending | None, after: Spending | None, host: str, role: str) -> NodeUse:
    if before is None or after is None:
        lost = before is not None
        return NodeUse(host, role, None, None, None, None, lost)
    cpu_s = None if before.cpu_s is None or after.cpu_s is None else after.cpu_s - before.cpu_s
    return NodeUse(
        host,
        role,
        cpu_s,
        after.memory_bytes,
        after.received_bytes - before.received_bytes,
        after.sent_bytes - before.sent_bytes,
    )
