"""The manifests for Kubernetes: the operators' schemas, and the rules of this project.

No Kubernetes runs here.  tests/cluster runs some of it; docs/kubernetes.md says what is not tested.
"""

import hashlib
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import typer
import yaml

from compare.cli import app
from deploy import keys
from engines.registry import clusters
from tests.deploy.manifests import (
    HEADS,
    REPOSITORY,
    SCHEMAS,
    Document,
    Loader,
    containers,
    faults,
    manifests,
    pods,
)

Files = dict[str, list[Document]]

LOCKED = dict(
    re.findall(r"^([\w-]+)==(\S+)", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE)
)


def test_the_manifests_keep_the_schemas_and_the_rules() -> None:
    assert faults(manifests()) == []


def ray_worker(files: Files) -> Any:  # noqa: ANN401 - any part of a document
    return files["ray"][0]["spec"]["workerGroupSpecs"][0]


def dask_pod(files: Files) -> Any:  # noqa: ANN401 - any part of a document
    return files["dask"][0]["spec"]["worker"]["spec"]


def spark_pod(files: Files) -> Any:  # noqa: ANN401 - any part of a document
    return files["spark"][0]["spec"]["masterSpec"]["statefulSetSpec"]["template"]["spec"]


def job_of(files: Files, engine: str) -> Any:  # noqa: ANN401 - any part of a document
    return next(document for document in files[engine] if document["kind"] == "Job")


def on(files: Files, engine: str, address: str) -> None:
    arguments = job_of(files, engine)["spec"]["template"]["spec"]["containers"][0]["args"]
    arguments[arguments.index("--on") + 1] = address


def without(files: Files, name: str) -> None:
    for documents in files.values():
        documents[:] = [one for one in documents if one["metadata"]["name"] != name]


def without_policy(files: Files, name: str) -> None:
    for documents in files.values():
        documents[:] = [
            one
            for one in documents
            if (one["kind"], one["metadata"]["name"]) != ("NetworkPolicy", name)
        ]


BROKEN: dict[str, tuple[Callable[[Files], object], str]] = {
    "a misspelt field of Ray": (
        lambda files: ray_worker(files).update(minReplica=ray_worker(files).pop("minReplicas")),
        "'minReplica' was unexpected",
    ),
    "a wrong type": (
        lambda files: files["ray"][0]["spec"].update(enableInTreeAutoscaling="yes"),
        "'yes' is not of type 'boolean'",
    ),
    "a required field that is missing in Dask": (
        lambda files: files["dask"][1]["spec"].pop("maximum"),
        "'maximum' is a required property",
    ),
    "a required field that is missing in Spark": (
        lambda files: files["spark"][0]["spec"].pop("runtimeVersions"),
        "'runtimeVersions' is a required property",
    ),
    "a misspelt field in a pod of Dask": (
        lambda files: dask_pod(files)["containers"][0].update(imagePullPolice="Never"),
        "'imagePullPolice' was unexpected",
    ),
    "a misspelt field in a pod of Spark": (
        lambda files: spark_pod(files).update(hostname2="x"),
        "'hostname2' was unexpected",
    ),
    "a misspelt field of the Job": (
        lambda files: job_of(files, "ray")["spec"].update(backOffLimit=1),
        "'backOffLimit' was unexpected",
    ),
    "a wrong API version": (
        lambda files: files["dask"][0].update(apiVersion="kubernetes.dask.org/v2"),
        "nothing has the kind kubernetes.dask.org/v2/DaskCluster",
    ),
    "more replicas than the maximum": (
        lambda files: ray_worker(files).update(replicas=3),
        "has 3 workers, which is not between 2 and 2",
    ),
    "a cluster that scales while it is measured": (
        lambda files: files["dask"][1]["spec"].update(maximum=4),
        "may have 2 to 4 workers while it is measured",
    ),
    "an unknown cluster in the Job": (
        lambda files: on(files, "ray", "ray=ray-head:6379"),
        "joins ray-head:6379, which no service has",
    ),
    "an unknown engine in the Job": (
        lambda files: on(files, "spark", "flink=x:1"),
        "measures the unknown engine flink",
    ),
    "another number of workers in the Job": (
        lambda files: files["spark"][0]["spec"]["clusterTolerations"]["instanceConfig"].update(
            initWorkers=3, minWorkers=3, maxWorkers=3
        ),
        "expects 2 workers, and the cluster has {3}",
    ),
    "root": (
        lambda files: dask_pod(files)["securityContext"].update(runAsUser=0),
        "does not run as user 10001",
    ),
    "root in one container": (
        lambda files: dask_pod(files)["containers"][0]["securityContext"].update(runAsUser=0),
        "does not run as user 10001",
    ),
    "a writable root": (
        lambda files: spark_pod(files)["containers"][0]["securityContext"].update(
            readOnlyRootFilesystem=False
        ),
        "can write to its root",
    ),
    "capabilities": (
        lambda files: dask_pod(files)["containers"][0]["securityContext"].pop("capabilities"),
        "has capabilities",
    ),
    "shared memory on a disk": (
        lambda files: dask_pod(files)["volumes"][1].update(emptyDir={}),
        "has no memory at /dev/shm",
    ),
    "a policy that is missing": (
        lambda files: without_policy(files, "compare-spark"),
        "no policy lets Job compare-spark reach its cluster",
    ),
    "no policy that denies": (
        lambda files: without(files, "deny-by-default"),
        "no policy denies by default",
    ),
    "a secret as a value": (
        lambda files: dask_pod(files)["containers"][0]["env"].append(
            {"name": "RAY_AUTH_TOKEN", "value": "hunter2"}
        ),
        "has the secret RAY_AUTH_TOKEN as a value",
    ),
    "a secret elsewhere": (
        lambda files: files["spark"][0]["spec"]["sparkConf"].update(x="0123456789abcdef" * 4),
        "contains a value that looks like a secret",
    ),
    "another image": (
        lambda files: dask_pod(files)["containers"][0].update(image="daskdev/dask:latest"),
        "there is more than one image: daskdev/dask:latest, engine-compare:dev",
    ),
    "a probe of an unknown port": (
        lambda files: dask_pod(files)["containers"][0]["ports"].pop(),
        "startupProbe asks the unknown port usage",
    ),
    "a claim that nobody makes": (
        lambda files: without(files, "compare-results"),
        "writes to the unknown claim compare-results",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_manifest_that_is_wrong_is_found_with_a_sentence(what: str) -> None:
    files = manifests()
    breaks, sentence = BROKEN[what]
    breaks(files)
    assert [fault for fault in faults(files) if sentence in fault]


def test_a_name_that_occurs_twice_in_a_manifest_is_an_error() -> None:
    with pytest.raises(ValueError, match="a name occurs twice"):
        yaml.load("{replicas: 1, replicas: 2}", Loader)  # noqa: S506 - it is a safe loader


def nodes() -> list[tuple[str, Document]]:
    """The containers of daemons, by the role that their command starts."""
    found = []
    for documents in manifests().values():
        for pod in (pod for document in documents for pod in pods(document)):
            if not pod.driver:
                (container,) = containers(pod)
                command = " ".join([*container["command"], *container.get("args", ())])
                role = re.search(r"-m deploy\.node ([\w-]+)", command)
                assert role is not None, command
                found.append((role[1], container))
    return found


def test_every_role_of_every_engine_is_started_once() -> None:
    known = [(one.head_role, one.worker_role) for one in clusters().values()]
    assert sorted(role for role, _ in nodes()) == sorted(role for both in known for role in both)


@pytest.mark.parametrize("part", ["masterSpec", "workerSpec"])
def test_what_the_operator_of_spark_appends_has_no_effect(part: str) -> None:
    """It appends to the command and the arguments, and adds ports with names of its own."""
    template = manifests()["spark"][0]["spec"][part]["statefulSetSpec"]["template"]
    (container,) = template["spec"]["containers"]
    script = container["command"][-1].replace("exec python", "exec echo")
    appended = ["bash", *container.get("args", ()), "-c", "/opt/spark/sbin/start-master.sh"]
    done = subprocess.run(
        [*container["command"][:-1], script, *appended], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("-m deploy.node spark-")
    assert "/opt" not in done.stdout
    assert {port["name"] for port in container["ports"]}.isdisjoint({"web", "spark", "rest"})


def test_all_engines_have_the_resources_of_the_compose_file() -> None:
    composed = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    node, environment = composed["x-node"], composed["x-environment"]
    cores, memory = (
        re.sub(r"\$\{\w+:-(\w+)\}", r"\1", str(node[name])) for name in ("cpus", "mem_limit")
    )
    wanted = {"cpu": cores, "memory": memory.replace("g", "Gi")}
    sizes = {
        name: re.sub(r"\$\{\w+:-(\w+)\}", r"\1", str(value))
        for name, value in environment.items()
        if name.startswith("NODE_")
    }
    for role, container in nodes():
        assert container["resources"] == {"requests": wanted, "limits": wanted}, role
        given = {one["name"]: one.get("value") for one in container["env"]}
        assert sizes.items() <= given.items(), role


def test_the_paths_of_credentials_are_those_of_the_project() -> None:
    wanted = keys.environment("/run/compare")
    every: set[str] = set()
    for documents in manifests().values():
        for pod in (pod for document in documents for pod in pods(document)):
            for container in containers(pod):
                own = {one["name"]: one.get("value") for one in container["env"]}
                known = {name: value for name, value in own.items() if name in wanted}
                assert known.items() <= wanted.items()
                assert known
                every |= set(known)
    assert every == set(wanted)


def test_the_versions_are_those_that_the_image_has() -> None:
    files = manifests()
    assert files["ray"][0]["spec"]["rayVersion"] == LOCKED["ray"]
    assert files["spark"][0]["spec"]["runtimeVersions"]["sparkVersion"] == LOCKED["pyspark"]


@pytest.mark.parametrize("engine", HEADS)
def test_the_command_line_of_a_job_is_accepted(engine: str) -> None:
    container = job_of(manifests(), engine)["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["python", "-m", "compare"]
    context = typer.main.get_command(app).make_context("compare", list(container["args"]))
    assert context.params["on"].startswith(f"{engine}=")
    assert context.params["workers"] == 2


def test_the_autoscaler_of_ray_reads_the_cluster_as_it_is_meant() -> None:
    config = pytest.importorskip("ray.autoscaler._private.kuberay.autoscaling_config")
    cluster = manifests()["ray"][0]
    derived = config._derive_autoscaling_config_from_ray_cr(cluster)  # noqa: SLF001
    group = derived["available_node_types"]["small-group"]
    assert (group["min_workers"], group["max_workers"]) == (2, 2)
    assert group["resources"]["CPU"] == 1
    assert group["resources"]["slot"] == 1
    head = derived["available_node_types"][derived["head_node_type"]]
    assert head["resources"]["CPU"] == 0


def test_the_schemas_are_those_that_their_readme_names() -> None:
    text = (SCHEMAS / "README.md").read_text()
    for path in SCHEMAS.glob("*.gz"):
        assert f"| `{path.name}` |" in text
        assert hashlib.sha256(path.read_bytes()).hexdigest() in text, path.name
