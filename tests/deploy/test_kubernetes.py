"""The manifests of deploy/kubernetes: as Kubernetes takes them, restricted, and true to what they run."""

import re
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml
from django.conf import settings
from django.test import Client
from django.urls import resolve

from controlplane import programs, run
from environments import pipeline_spec, spec
from tests.controlplane.test_configuration import READERS, variables_read
from tests.deploy.manifests import ALL, BASE, FOLDER, containers, documents, of_kind
from tests.live import ROOT

VERSIONS = ("1.30", "1.33", "1.37")
PROGRAMS = {program.name for program in programs.all_of("", 0, "")}
DEPLOYMENTS = of_kind("Deployment")
DOCUMENT = ROOT / "docs" / "kubernetes.md"


@pytest.mark.parametrize("kustomization", ALL, ids=lambda one: one.folder.name)
def test_kubernetes_takes_every_manifest(kustomization):
    for version in VERSIONS:
        for manifest in kustomization.resources():
            kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_would_be_found():
    web = of_kind("Deployment")[0]
    web["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(web, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("kustomization", ALL, ids=lambda one: one.folder.name)
def test_every_file_is_there_and_named(kustomization):
    there = {path.name for path in kustomization.folder.iterdir() if path.is_file()} - {"kustomization.yaml"}
    assert kustomization.files() == there


def test_patches_change_what_is_there():
    names = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in BASE.resources()}
    for kustomization in ALL:
        for patch in kustomization.values.get("patches", []):
            if "path" in patch:
                [changed] = documents(kustomization.folder / patch["path"])
                assert (changed["kind"], changed["metadata"]["name"]) in names
                continue
            for operation in yaml.safe_load(patch["patch"]):
                for manifest in of_kind(patch["target"]["kind"]):
                    assert at(manifest, operation["path"]) is not None, operation


def at(manifest, path):
    for part in path.strip("/").split("/"):
        manifest = manifest.get(part, {})
    return manifest or None


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not a package of Debian's with this kustomize")
@pytest.mark.parametrize("kustomization", ALL, ids=lambda one: one.folder.name)
def test_kustomize_itself_puts_them_together(kustomization):
    built = subprocess.run(
        ["kubectl", "kustomize", kustomization.folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert built.returncode == 0, built.stderr
    manifests = [manifest for manifest in yaml.safe_load_all(built.stdout) if manifest]
    for manifest in manifests:
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)
    made = {manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "ConfigMap"}
    for deployment in (manifest for manifest in manifests if manifest["kind"] == "Deployment"):
        assert configs_of(deployment) == made


def configs_of(deployment):
    pod = deployment["spec"]["template"]["spec"]
    mounted = {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
    sources = [source for one in containers(deployment) for source in one["envFrom"]]
    return mounted | {source["configMapRef"]["name"] for source in sources if "configMapRef" in source}


# What runs


def test_every_program_has_a_deployment_of_its_own():
    runs = {deployment["spec"]["template"]["spec"]["containers"][0]["args"][0] for deployment in DEPLOYMENTS}
    assert runs == PROGRAMS
    for deployment in DEPLOYMENTS:
        for container in containers(deployment):
            command, _ = run.chosen(container["args"])
            assert ("manage.py" in command) == (container["name"] == "prepare")


def test_the_image_is_that_of_compose():
    stack = (ROOT / "docker-compose.yml").read_text()
    [(name, version)] = re.findall(r"\$\{CONTROLPLANE_IMAGE:-([\w-]+):([\w.]+)\}", stack)
    assert BASE.values["images"] == [{"name": name, "newTag": version}]
    assert {container["image"] for deployment in DEPLOYMENTS for container in containers(deployment)} == {name}


def test_all_get_the_same_settings_secrets_and_state():
    """They share it, or refuse to work."""
    first, *others = [
        {name: container[name] for name in ("envFrom", "volumeMounts", "securityContext")}
        for deployment in DEPLOYMENTS
        for container in containers(deployment)
    ]
    assert others == [first] * len(others)
    volumes = [deployment["spec"]["template"]["spec"]["volumes"] for deployment in DEPLOYMENTS]
    assert volumes == [volumes[0]] * len(volumes)
    mounts = {mount["mountPath"] for mount in first["volumeMounts"]}
    image = (ROOT / "Dockerfile").read_text()
    assert mounts == {*re.findall(r"^VOLUME (\S+)$", image, flags=re.MULTILINE), "/tmp", "/etc/controlplane"}  # noqa: S108


def test_what_is_named_is_there():
    generated = {config["name"] for config in BASE.values["configMapGenerator"]}
    claims = {claim["metadata"]["name"] for claim in of_kind("PersistentVolumeClaim")}
    for deployment in DEPLOYMENTS:
        pod = deployment["spec"]["template"]["spec"]
        assert configs_of(deployment) == generated
        volumes = {volume["name"] for volume in pod["volumes"]}
        used = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in pod["volumes"]
            if len(volume) > 1 and "persistentVolumeClaim" in volume
        }
        assert used == claims
        for container in containers(deployment):
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def labels_of(deployment):
    return deployment["spec"]["template"]["metadata"]["labels"]


def selected(selector):
    chosen = []
    for deployment in DEPLOYMENTS:
        labels = labels_of(deployment)
        fits = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
        for rule in selector.get("matchExpressions", []):
            assert rule["operator"] == "NotIn"
            fits = fits and labels.get(rule["key"]) not in rule["values"]
        chosen += [deployment["metadata"]["name"]] if fits else []
    return chosen


def test_each_deployment_selects_its_own_pods_alone():
    for deployment in DEPLOYMENTS:
        assert selected(deployment["spec"]["selector"]) == [deployment["metadata"]["name"]]


def test_services_policies_and_budget_choose_what_they_say():
    web = ["controlplane-web"]
    workers = [
        deployment["metadata"]["name"] for deployment in DEPLOYMENTS if deployment["metadata"]["name"] not in web
    ]
    assert [selected({"matchLabels": service["spec"]["selector"]}) for service in of_kind("Service")] == [web, web]
    assert [selected(policy["spec"]["podSelector"]) for policy in of_kind("NetworkPolicy")] == [web, workers]
    assert [selected(budget["spec"]["selector"]) for budget in of_kind("PodDisruptionBudget")] == [web]


def test_nobody_reaches_a_worker_and_everybody_one_port_of_web():
    web, workers = of_kind("NetworkPolicy")
    assert web["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": "http"}]}]
    assert "ingress" not in workers["spec"]
    assert {tuple(policy["spec"]["policyTypes"]) for policy in (web, workers)} == {("Ingress",)}


def test_rasa_servers_reach_web_processes_that_are_not_ready():
    people, polls = of_kind("Service")
    assert "publishNotReadyAddresses" not in people["spec"]
    assert polls["spec"]["publishNotReadyAddresses"] is True


def test_the_port_is_the_one_that_web_listens_on():
    [web] = [deployment for deployment in DEPLOYMENTS if deployment["metadata"]["name"] == "controlplane-web"]
    [port] = web["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert (port["name"], port["containerPort"]) == ("http", run.PORT)
    for service in of_kind("Service"):
        assert [(entry["port"], entry["targetPort"]) for entry in service["spec"]["ports"]] == [(run.PORT, "http")]
    [ingress] = [found for one in ALL for found in one.resources() if found["kind"] == "Ingress"]
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "controlplane", "port": {"name": "http"}}


# Restricted, as the Pod Security Standard of that name says


def test_pods_are_restricted():
    for deployment in DEPLOYMENTS:
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(pod)
        assert all({"persistentVolumeClaim", "configMap", "emptyDir"} & set(volume) for volume in pod["volumes"])
        for container in containers(deployment):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_any_user_will_do():
    assert all("runAsUser" not in str(deployment) for deployment in DEPLOYMENTS)
    image = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER \d+:0$", image, flags=re.MULTILINE)


def test_no_secret_is_in_a_manifest():
    assert of_kind("Secret") == []
    words = re.compile(r"PASSWORD|SECRET|TOKEN|_URL=\w+://[^/\s]*:[^/\s]*@")
    for kustomization in ALL:
        assert [name for name in kustomization.settings() if words.search(name)] == []
    sources = {
        source["secretRef"]["name"]
        for deployment in DEPLOYMENTS
        for container in containers(deployment)
        for source in container["envFrom"]
        if "secretRef" in source
    }
    assert sources == {"controlplane"}


# True to the product


def test_settings_are_settings():
    known = {name for path in READERS for name in variables_read(path)}
    for kustomization in ALL:
        assert set(kustomization.settings()) <= known


def test_the_document_names_the_keys_of_the_secret():
    known = {name for path in READERS for name in variables_read(path)}
    told = set(re.findall(r"^([A-Z_]+)=", DOCUMENT.read_text(), flags=re.MULTILINE))
    assert {"DATABASE_URL", "CACHE_URL", "BROKER_URL", "CONTROLPLANE_SECRET_KEY", "RASA_TOKEN", "JWT_SECRET"} <= told
    assert told <= known | {"RASA_TOKEN"}


def test_probes_ask_what_there_is_to_ask():
    for deployment in DEPLOYMENTS:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            probes = {name: probe for name, probe in container.items() if name.endswith("Probe")}
            assert probes
            for probe in probes.values():
                if "httpGet" in probe:
                    assert resolve(probe["httpGet"]["path"])
                    assert probe["httpGet"]["port"] in {port["name"] for port in container["ports"]}
                else:
                    assert probe["exec"]["command"] == ["python", "-m", "controlplane.alive", *container["args"]]


def test_probes_are_answered_with_the_allowed_hosts(db, settings):
    settings.ALLOWED_HOSTS = BASE.settings()["ALLOWED_HOSTS"].split(",")
    [web] = [deployment for deployment in DEPLOYMENTS if deployment["metadata"]["name"] == "controlplane-web"]
    container = web["spec"]["template"]["spec"]["containers"][0]
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        get = container[name]["httpGet"]
        [host] = [header["value"] for header in get["httpHeaders"] if header["name"] == "Host"]
        assert Client().get(get["path"], headers={"host": host}).status_code == 200
    for service in of_kind("Service"):
        name = service["metadata"]["name"]
        for host in (name, f"{name}.controlplane.svc", f"{name}.controlplane.svc.cluster.local"):
            assert Client().get("/healthz", headers={"host": f"{host}:{run.PORT}"}).status_code == 200


def test_what_an_outage_of_the_broker_ends_is_no_work():
    """The probe of a worker asks by the broker: as a liveness probe it would kill trainings while that is away."""
    for deployment in DEPLOYMENTS:
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        if container["args"][0] not in ("web", "beat"):
            assert "livenessProbe" not in container


@pytest.mark.parametrize("folder", ["base", "example"])
def test_the_declarations_are_ones(folder):
    declared = spec.load(FOLDER / folder / "environments.yml", {"RASA_TOKEN": "a token"})
    assert {environment.name for environment in declared.environments} == {"production", "worker", "experimental"}
    if folder == "base":
        pipeline_spec.load(FOLDER / folder / "pipelines.yml")


def test_where_the_declarations_are_is_where_they_are_mounted():
    told = BASE.settings()
    mounts = {mount["mountPath"] for mount in containers(DEPLOYMENTS[0])[0]["volumeMounts"]}
    for name in ("CONTROLPLANE_ENVIRONMENTS", "CONTROLPLANE_PIPELINES"):
        folder, _, file = told[name].rpartition("/")
        assert folder in mounts
        [config] = [one for one in BASE.values["configMapGenerator"] if one["name"] == "controlplane-declarations"]
        assert file in config["files"]


def test_the_document_says_how_large_an_upload_may_be():
    [ingress] = [found for one in ALL for found in one.resources() if found["kind"] == "Ingress"]
    size = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert int(size.removesuffix("m")) * 1024**2 > settings.MAX_MODEL_BYTES
