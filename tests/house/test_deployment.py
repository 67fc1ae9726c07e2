"""`compose.yaml`, `Dockerfile` and the systemd units, read and linted: no engine is needed."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from tests.deployment import (
    BIN,
    PROCESSES,
    UNITS,
    command_of_unit,
    compose,
    instructions,
    of,
    unit,
)
from tests.serving import ROOT

SERVICES = compose()["services"]
OURS = ["web", "worker", "beat", "migrate"]
KNOWN = {
    *("build", "image", "command", "env_file", "environment", "networks", "user", "read_only"),
    *("tmpfs", "cap_drop", "security_opt", "restart", "depends_on", "healthcheck", "volumes"),
    *("shm_size", "stop_grace_period", "ports", "ulimits"),
}
SECRETS = re.compile(r"PASSWORD|SECRET|TOKEN|KEYS|_URL", re.IGNORECASE)

each_service = pytest.mark.parametrize("name", SERVICES)


# --- compose.yaml -----------------------------------------------------------------------------------


def test_the_services_are_those_of_the_plan():
    assert set(SERVICES) == {"postgres", "redis", "migrate", "web", "worker", "beat"}
    assert {SERVICES[name]["image"] for name in OURS} == {"client-portal"}
    assert SERVICES["postgres"]["image"] == "postgres:16"
    assert SERVICES["redis"]["image"] == "redis:7"


@each_service
def test_a_service_has_only_keys_that_compose_knows(name):
    assert set(SERVICES[name]) <= KNOWN


@each_service
def test_a_service_runs_without_rights(name):
    service = SERVICES[name]
    uid, gid = service["user"].split(":")
    assert int(uid) > 0
    assert int(gid) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "network_mode"} & set(service)


@each_service
def test_what_a_service_writes_is_a_volume_or_a_tmpfs(name):
    mounted = [mount.split(":")[0] for mount in SERVICES[name].get("volumes", [])]
    assert all(volume in compose()["volumes"] for volume in mounted)
    assert any(mount.startswith("/tmp:") for mount in SERVICES[name]["tmpfs"])


@each_service
def test_no_secret_stands_in_the_file(name):
    environment = SERVICES[name].get("environment", {})
    assert not [key for key in environment if SECRETS.search(key)]
    if name != "redis":
        assert SERVICES[name]["env_file"] in ("portal.env", "postgres.env")


def test_the_database_does_not_get_the_portals_secrets():
    assert SERVICES["postgres"]["env_file"] == "postgres.env"


@pytest.mark.parametrize("name", ["web", "worker", "beat", "postgres", "redis"])
def test_a_service_has_a_health_check(name):
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert check["interval"]
    assert check["timeout"]


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_our_services_wait_for_what_they_need(name):
    needs = {need: how["condition"] for need, how in SERVICES[name]["depends_on"].items()}
    assert needs == {
        "postgres": "service_healthy",
        "redis": "service_healthy",
        "migrate": "service_completed_successfully",
    }
    assert SERVICES[name]["healthcheck"]["test"][1:] == ["python", "-m", "portal.probe", name]


def test_any_number_of_webs_can_run_and_only_this_machine_reaches_them():
    assert "container_name" not in SERVICES["web"]
    (ports,) = SERVICES["web"]["ports"]
    assert re.fullmatch(r"127\.0\.0\.1:\d+-\d+:8000", ports)
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["web"]


def test_database_and_broker_reach_nothing_outside():
    assert compose()["networks"]["inside"]["internal"] is True
    assert SERVICES["postgres"]["networks"] == SERVICES["redis"]["networks"] == ["inside"]


def test_the_broker_throws_nothing_away():
    words = " ".join(SERVICES["redis"]["command"])
    assert "--maxmemory-policy noeviction" in words
    assert "--appendonly yes" in words


def test_a_worker_may_finish_its_task_before_it_is_killed(settings):
    for grace in (
        SERVICES["worker"]["stop_grace_period"].rstrip("s"),
        of(unit("worker"), "TimeoutStopSec")[0],
    ):
        assert int(grace) > settings.CELERY_TASK_TIME_LIMIT


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not here")
def test_compose_itself_accepts_the_file(tmp_path):
    for name in ("compose.yaml", "Dockerfile"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("portal.env", "postgres.env"):
        shutil.copy(ROOT / "docs" / "examples" / name, tmp_path)
    subprocess.run(["docker-compose", "config", "--quiet"], cwd=tmp_path, check=True)


# --- Dockerfile -------------------------------------------------------------------------------------


def stages():
    cut = [i for i, (name, _) in enumerate(instructions()) if name == "FROM"]
    everything = instructions()
    return [everything[a:b] for a, b in zip(cut, [*cut[1:], None], strict=True)]


def test_the_image_is_built_in_stages_from_plain_names():
    images = [words for name, words in instructions() if name == "FROM"]
    assert images == ["python:3.11-slim AS build", "python:3.11-slim"]


def test_only_known_instructions_stand_there():
    known = {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "CMD"}
    assert {name for name, _ in instructions()} <= known  # no ADD, which may fetch


def test_what_is_installed_has_hashes():
    installs = [words for _, words in instructions() if "pip install" in words]
    assert len(installs) == 1
    for option in ("--require-hashes", "--no-deps", "-r requirements.lock"):
        assert option in installs[0]


def test_the_image_runs_as_nobody_in_particular():
    last = stages()[-1]
    (user,) = [words for name, words in last if name == "USER"]
    assert user == SERVICES["web"]["user"] != "0:0"
    assert [name for name, _ in last].index("USER") < [name for name, _ in last].index("CMD")


def test_nothing_is_installed_or_secret_in_the_last_stage():
    for name, words in stages()[-1]:
        assert not SECRETS.search(words), (name, words)
        assert not re.search(r"pip |apt|curl|wget", words)


def test_what_is_copied_exists_and_is_let_through():
    let_through = (ROOT / ".dockerignore").read_text().splitlines()
    for name, words in instructions():
        if name == "COPY" and not words.startswith("--from"):
            source = words.split()[0]
            assert (ROOT / source).exists(), source
            assert f"!{source}" in let_through


def test_the_image_alone_does_what_compose_does():
    (words,) = [words for name, words in stages()[-1] if name == "CMD"]
    assert json.loads(words) == SERVICES["web"]["command"]


def test_the_context_leaves_out_secrets_and_history():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines  # everything, but what is named
    assert not {"!.git", "!var", "!.env", "!tests"} & set(lines)
    assert "**/*.env" in lines


def test_the_files_with_the_secrets_cannot_be_committed():
    done = subprocess.run(["git", "check-ignore", "portal.env", "postgres.env"], cwd=ROOT)
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.returncode == 0


def test_the_examples_name_every_setting_that_production_needs():
    from portal.environment import PRODUCTION_NAMES

    text = (ROOT / "docs" / "examples" / "portal.env").read_text()
    names = {line.partition("=")[0] for line in text.splitlines() if not line.startswith("#")}
    assert set(PRODUCTION_NAMES) <= names
    assert not re.search(r"(SECRET_KEY|VAULT_KEYS)=.", text)


# --- systemd ----------------------------------------------------------------------------------------

HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectControlGroups": "yes",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "User": "portal",
    "EnvironmentFile": "/etc/client-portal/portal.env",
}
each_unit = pytest.mark.parametrize("name", PROCESSES)


def test_there_is_one_unit_for_each_process():
    assert {path.name for path in UNITS.iterdir()} == {
        f"client-portal-{name}.service" for name in PROCESSES
    }


@each_unit
def test_a_unit_is_hardened(name):
    found = unit(name)
    assert {key: of(found, key) for key in HARDENED} == {k: [v] for k, v in HARDENED.items()}
    assert not [value for key, value in found if key == "Environment" and SECRETS.search(value)]


@each_unit
def test_a_unit_runs_what_the_container_runs(name):
    def plain(words: list[str]) -> list[str]:
        return ["X" if re.search(r"beat$|\d\.\d\.\d\.\d", word) and word != "beat" else word for word in words]  # fmt: skip

    assert of(unit(name), "ExecStart")[0].startswith(BIN)
    assert plain(command_of_unit(name)) == plain(SERVICES[name]["command"])


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_a_process_is_started_again_and_after_the_migrations(name):
    found = unit(name)
    assert of(found, "Restart") == ["always"]
    assert of(found, "Requires") == ["client-portal-migrate.service"]
    assert "client-portal-migrate.service" in of(found, "After")[0]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
@each_unit
def test_systemd_understands_the_unit(name, tmp_path):
    """Its programs are not on this machine, so stand-ins are; every other word it must know."""
    for path in UNITS.iterdir():
        text = re.sub(r"^(ExecStart=)\S+", r"\1/bin/true", path.read_text(), flags=re.MULTILINE)
        (tmp_path / path.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / f"client-portal-{name}.service"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if "client-portal" in line]
    assert ours == []


# --- The commands of the manual ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_the_manual_shows_the_same_commands(name):
    manual = (ROOT / "docs" / "operations.md").read_text()
    words = SERVICES[name]["command"]
    start = " ".join(words[:2] if name == "web" else words[:5])
    shown = next(line for line in manual.splitlines() if line.startswith(start))
    assert shown.split()[0] == words[0]
    missing = [w for w in words if w.startswith("--") and w not in shown]
    assert missing == []


def test_the_yaml_is_strict_about_repeated_keys():
    """PyYAML takes the last of two equal keys without a word."""

    class Strict(yaml.SafeLoader):
        pass

    def once(loader, node):
        keys = [loader.construct_object(key) for key, _ in node.value if key.value != "<<"]
        assert len(keys) == len(set(keys)), keys
        loader.flatten_mapping(node)
        return dict(loader.construct_pairs(node))

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, once)
    assert yaml.load((ROOT / "compose.yaml").read_text(), Strict)
