"""The deployment's steps against an `az` that answers what a test says."""

from collections.abc import Callable
from typing import Any

import pytest
from infra.deploy.azure_cli import DeploymentFailed
from infra.deploy.endpoint import live_colour, release
from infra.deploy.images import running_scoring_image, wanted_image
from infra.deploy.migrate import migrate
from infra.deploy.promote import promote
from infra.deploy.ready import wait_until_ready
from infra.deploy.scale import scale
from infra.deploy.summary import findings, written
from infra.deploy.target import Running, Target, running
from infra.deploy.template import apply
from tests.infra.scripted_az import MISSING, ScriptedAz, outputs

TARGET = Target("dev", "opal-dev")
DIGEST = "sha256:" + "ab" * 32
IMAGE = f"opaldev.azurecr.io/opal-scoring@{DIGEST}"
HAS = outputs(
    registryServer="opaldev.azurecr.io",
    registryName="opaldev",
    servicebusName="bus",
    endpointInstances=2,
    endpointConcurrency=1,
)
SHARE = "ml online-endpoint update --name opal-sd-placement-dev"


def _shares(az: ScriptedAz) -> list[str]:
    return [line.partition("--traffic ")[2] for line in az.lines(SHARE)]


def _endpoint(traffic: dict[str, int], **more: Any) -> ScriptedAz:
    return ScriptedAz(
        {
            "deployment group show": HAS,
            "ml online-endpoint show": {"traffic": traffic, "provisioning_state": "Succeeded"},
            "ml environment show": MISSING,
            "ml online-deployment show": [MISSING, {"name": "there"}],
            **more,
        }
    )


def _smoke(fails_at: int | None = None) -> Callable[[str | None], float]:
    asked = 0

    def smoke(deployment: str | None) -> float:
        nonlocal asked
        asked += 1
        if asked == fails_at:
            raise DeploymentFailed("The endpoint answered 424.")
        return 1.0

    return smoke


@pytest.mark.parametrize(
    ("traffic", "colour"),
    [({}, None), ({"blue": 0}, None), ({"blue": 100}, "blue"), ({"blue": 10, "green": 90}, "green")],
)
def test_the_live_colour_has_most_traffic(traffic: dict[str, int], colour: str | None) -> None:
    assert live_colour(traffic) == colour


def test_the_first_deployment_is_blue_and_gets_everything() -> None:
    az = _endpoint({})
    assert release(az, TARGET, IMAGE, "azureml/deployment-stub.yml", _smoke()) == "blue"
    assert _shares(az) == ["blue=100"]
    (created,) = az.lines("ml online-deployment create")
    assert "environment=azureml:opal-scoring:abababababababababab" in created
    assert "instance_count=2" in created
    assert not az.lines("ml online-deployment delete")


def test_traffic_goes_over_step_by_step_and_the_old_colour_goes() -> None:
    az = _endpoint({"blue": 100})
    assert release(az, TARGET, IMAGE, "azureml/deployment-stub.yml", _smoke()) == "green"
    assert _shares(az) == ["blue=90 green=10", "blue=0 green=100"]
    (deleted,) = az.lines("ml online-deployment delete")
    assert "--name blue" in deleted


# Asked alone, in a tenth of the traffic, and with all of it.
@pytest.mark.parametrize("fails_at", [1, 2, 12, 22])
def test_whatever_fails_gives_the_old_colour_all_traffic_back(fails_at: int) -> None:
    az = _endpoint({"blue": 100})
    with pytest.raises(DeploymentFailed, match="green was taken back, blue has the traffic"):
        release(az, TARGET, IMAGE, "azureml/deployment-stub.yml", _smoke(fails_at))
    assert _shares(az)[-1] == "blue=100 green=0"
    (deleted,) = az.lines("ml online-deployment delete")
    assert "--name green" in deleted
    # First the traffic, then the deployment.
    assert az.asked.index(deleted) > az.asked.index(az.lines(SHARE)[-1])


def test_a_deployment_that_is_not_even_made_changes_no_traffic() -> None:
    refused = DeploymentFailed("az ml online-deployment: OutOfQuota")
    az = _endpoint(
        {"green": 100},
        **{"ml online-deployment create": refused, "ml online-deployment show": [MISSING, MISSING]},
    )
    with pytest.raises(DeploymentFailed, match=r"blue was taken back, green has the traffic.*OutOfQuota"):
        release(az, TARGET, IMAGE, "azureml/deployment-stub.yml", _smoke())
    assert _shares(az) == ["green=100"]
    assert not az.lines("ml online-deployment delete")


def test_what_a_broken_run_left_behind_is_removed_first() -> None:
    az = _endpoint({"blue": 100}, **{"ml online-deployment show": [{"name": "green"}]})
    release(az, TARGET, IMAGE, "azureml/deployment-stub.yml", _smoke())
    deleted = [line.split("--name ")[1].split()[0] for line in az.lines("ml online-deployment delete")]
    assert deleted == ["green", "blue"]


def test_an_image_without_a_digest_is_not_released() -> None:
    with pytest.raises(DeploymentFailed, match="does not name a digest"):
        release(_endpoint({}), TARGET, "opaldev.azurecr.io/opal-scoring:latest", "x.yml", _smoke())


def test_the_template_is_looked_at_before_it_is_applied() -> None:
    changes = [{"resourceId": "a", "changeType": "Modify"}, {"resourceId": "b", "changeType": "NoChange"}]
    az = ScriptedAz({"deployment group what-if": {"changes": changes}})
    counts = apply(az, TARGET, Running("app", "job", {"blue": 100}))
    assert counts == {"Modify": 1, "NoChange": 1}
    assert [line.split()[2] for line in az.asked] == ["what-if", "create"]
    assert "infra/dev.bicepparam" in az.asked[1]
    assert az.variables[0] == az.variables[1]
    assert az.variables[1]["OPAL_ENDPOINT_TRAFFIC"] == '{"blue": 100}'


def test_what_would_be_deleted_stops_the_deployment() -> None:
    az = ScriptedAz({"deployment group what-if": {"changes": [{"resourceId": "db", "changeType": "Delete"}]}})
    with pytest.raises(DeploymentFailed, match="would delete db"):
        apply(az, TARGET, Running("", "", {}))
    assert not az.lines("deployment group create")


def test_what_runs_is_asked_and_may_be_nothing() -> None:
    assert running(
        ScriptedAz({"containerapp": MISSING, "ml online-endpoint show": MISSING}), TARGET
    ) == Running("", "", {})
    app = {"properties": {"template": {"containers": [{"image": "app@sha256:1"}]}}}
    az = ScriptedAz({"containerapp": app, "ml online-endpoint show": {"traffic": {"green": 100}}})
    assert running(az, TARGET) == Running("app@sha256:1", "app@sha256:1", {"green": 100})


def test_a_fault_that_is_no_absence_is_a_fault() -> None:
    with pytest.raises(DeploymentFailed, match="expired"):
        running(ScriptedAz({"containerapp": DeploymentFailed("az: the token is expired")}), TARGET)


@pytest.mark.parametrize(
    ("statuses", "fault"),
    [
        (["Processing", "Running", "Succeeded"], None),
        (["Running", "Failed"], "ended as Failed"),
        (["Running"] * 500, "did not end within"),
    ],
)
def test_the_migration_is_waited_for(statuses: list[str], fault: str | None) -> None:
    az = ScriptedAz(
        {
            "containerapp job start": {"name": "run-1"},
            "containerapp job execution show": [{"properties": {"status": each}} for each in statuses],
        }
    )
    if fault is None:
        assert migrate(az, TARGET, lambda _: None) == "run-1"
    else:
        with pytest.raises(DeploymentFailed, match=fault):
            migrate(az, TARGET, lambda _: None)


def test_an_image_is_promoted_by_its_digest() -> None:
    az = ScriptedAz({"deployment group show": HAS})
    image = f"opalother.azurecr.io/opal-app@{DIGEST}"
    assert promote(az, TARGET, image) == f"opaldev.azurecr.io/opal-app@{DIGEST}"
    (imported,) = az.lines("acr import")
    assert f"--source {image} --image opal-app:abababababababababab" in imported
    assert promote(az, TARGET, f"opaldev.azurecr.io/opal-app@{DIGEST}")
    assert len(az.lines("acr import")) == 1
    with pytest.raises(DeploymentFailed, match="digest"):
        promote(az, TARGET, "opalother.azurecr.io/opal-app:latest")


def test_what_was_tried_comes_before_what_was_built_and_before_what_runs() -> None:
    az = ScriptedAz({"deployment group show": HAS})
    tried, here = (f"{name}.azurecr.io/opal-app@{DIGEST}" for name in ("opalother", "opaldev"))
    assert wanted_image(az, TARGET, built="built", tried=tried, runs="runs") == here
    assert wanted_image(az, TARGET, built="built", tried="", runs="runs") == "built"
    assert wanted_image(az, TARGET, built="", tried="", runs="runs") == "runs"


@pytest.mark.parametrize(
    "environment", ["azureml:opal-scoring:v7", "/subscriptions/1/environments/opal-scoring/versions/v7"]
)
def test_the_image_behind_the_traffic_is_found(environment: str) -> None:
    az = _endpoint(
        {"blue": 0, "green": 100},
        **{
            "ml online-deployment show": {"environment": environment},
            "ml environment show": {"image": IMAGE},
        },
    )
    assert running_scoring_image(az, TARGET) == IMAGE
    assert "--name green" in az.lines("ml online-deployment show")[0]
    assert "--version v7" in az.lines("ml environment show")[0]
    assert running_scoring_image(_endpoint({}), TARGET) == ""


def _healthy(dead: int = 0, ready: str = "r2") -> ScriptedAz:
    app = {"runningStatus": "Running", "latestReadyRevisionName": ready, "latestRevisionName": "r2"}
    return ScriptedAz(
        {
            "deployment group show": HAS,
            "containerapp show": {"properties": app},
            "ml online-endpoint show": {"provisioning_state": "Succeeded", "traffic": {"blue": 100}},
            "servicebus queue show": {
                "countDetails": {"activeMessageCount": 3, "deadLetterMessageCount": dead}
            },
        }
    )


def test_the_summary_looks_at_apps_endpoint_and_queues() -> None:
    seen = findings(_healthy(), TARGET, lambda: 2.0)
    assert [each.what for each in seen] == [
        "opal-web-api-dev",
        "opal-orchestrator-dev",
        "opal-export-worker-dev",
        "opal-billing-service-dev",
        "opal-sd-placement-dev",
        "queue jobs",
        "queue exports",
    ]
    assert all(each.good for each in seen)
    assert "| ✅ | queue jobs | 3 waiting, 0 dead |" in written(TARGET, seen)


def test_what_is_not_as_it_should_be_is_seen() -> None:
    def bad(az: ScriptedAz, ask: Callable[[], float] = lambda: 2.0) -> list[str]:
        return [each.what for each in findings(az, TARGET, ask) if not each.good]

    def unanswered() -> float:
        raise DeploymentFailed("The endpoint answered 503.")

    assert bad(_healthy(dead=1)) == ["queue jobs", "queue exports"]
    assert len(bad(_healthy(ready="r1"))) == 4
    assert bad(_healthy(), unanswered) == ["opal-sd-placement-dev"]
    shown = written(TARGET, findings(_healthy(), TARGET, unanswered))
    assert "| ❌ | opal-sd-placement-dev | Succeeded, traffic: blue. The endpoint answered 503. |" in shown


def _revisions(*ready: str) -> list[dict[str, Any]]:
    return [{"properties": {"latestRevisionName": "r2", "latestReadyRevisionName": each}} for each in ready]


def test_the_newest_revision_of_every_app_is_waited_for() -> None:
    waits: list[float] = []
    az = ScriptedAz(
        {
            "containerapp show": _revisions("r2")[0],
            "containerapp show --name opal-orchestrator-dev": _revisions("r1", "r1", "r2"),
        }
    )
    wait_until_ready(az, TARGET, waits.append)
    assert len(waits) == 2
    # Who was ready is not asked again.
    assert len(az.asked) == 4 + 2


def test_a_revision_that_never_gets_ready_ends_the_wait() -> None:
    waits: list[float] = []
    az = ScriptedAz(
        {
            "containerapp show": _revisions("r2")[0],
            "containerapp show --name opal-web-api-dev": {"properties": {"latestRevisionName": "r2"}},
        }
    )
    with pytest.raises(DeploymentFailed, match="not ready of web-api"):
        wait_until_ready(az, TARGET, waits.append)
    assert sum(waits) == 900


def _running_deployment(instances: int, concurrency: str, at_once: int) -> ScriptedAz:
    shown = {
        "instance_count": instances,
        "environment_variables": {"OPAL_SCORING_CONCURRENCY": concurrency},
        "request_settings": {"max_concurrent_requests_per_instance": at_once},
    }
    return _endpoint({"blue": 0, "green": 100}, **{"ml online-deployment show": shown})


@pytest.mark.parametrize(
    ("runs", "settings"),
    [
        ((2, "1", 1), None),
        ((1, "1", 1), "instance_count=2"),
        (
            (2, "2", 2),
            "environment_variables.OPAL_SCORING_CONCURRENCY=1"
            " request_settings.max_concurrent_requests_per_instance=1",
        ),
    ],
)
def test_the_live_deployment_gets_the_parameters_numbers(
    runs: tuple[int, str, int], settings: str | None
) -> None:
    az = _running_deployment(*runs)
    changed = scale(az, TARGET)
    updates = az.lines("ml online-deployment update")
    if settings is None:
        assert (changed, updates) == ({}, [])
    else:
        (update,) = updates
        assert "--name green" in update
        assert update.endswith(f" --set {settings}")


def test_without_traffic_nothing_is_scaled() -> None:
    az = _endpoint({"blue": 0})
    assert scale(az, TARGET) == {}
    assert not az.lines("ml online-deployment")
