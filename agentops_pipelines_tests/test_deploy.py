"""The files of deploy/: what they say agrees with the project."""

import tomllib
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

ROOT = Path(__file__).parent.parent


def loaded(path: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_dagster_with_postgresql_differs_in_the_storage_only() -> None:
    usual, postgres = loaded("dagster.yaml"), loaded("deploy/dagster-postgres.yaml")
    assert postgres.pop("storage") == {"postgres": {"postgres_url": {"env": "AGENTOPS_DAGSTER_PG_URL"}}}
    assert postgres == usual


def test_the_chart_starts_one_pod_that_mounts_the_warehouse_and_runs_in_it() -> None:
    values = loaded("deploy/helm-values.yaml")
    (pod,) = values["dagster-user-deployments"]["deployments"]
    claims = {volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"][:2]}
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["volumeMounts"]}
    assert claims["warehouse"] == loaded("deploy/warehouse-claim.yaml")["metadata"]["name"]
    assert mounts["warehouse"] == pod["env"]["AGENTOPS_HOME"]
    assert pod["dagsterApiGrpcArgs"] == ["--module-name", "agentops_pipelines.definitions"]
    assert pod["deploymentStrategy"] == {"type": "Recreate"}
    launcher = values["runLauncher"]["config"]["customRunLauncher"]
    assert getattr(dg, launcher["class"]).__module__.startswith(launcher["module"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert pod["image"]["tag"] == project["version"]
