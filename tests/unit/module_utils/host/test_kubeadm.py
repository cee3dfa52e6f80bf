"""What kubeadm's record allows, and what is read from its output."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.host import kubeadm

DONE = kubeadm.Record("init", "c1", finished=True)
HALF = kubeadm.Record("init", "c1", finished=False)


@pytest.mark.parametrize(
    ("record", "phase", "config", "foreign", "expected"),
    [
        (None, "init", "c1", [], "run"),
        (DONE, "init", "c1", ["/etc/kubernetes/admin.conf"], "nothing"),
        (DONE, "init", "c2", ["/etc/kubernetes/admin.conf"], "nothing"),
        (HALF, "init", "c1", ["/etc/kubernetes/admin.conf"], "resume"),
        (HALF, "init", "c2", ["/etc/kubernetes/admin.conf"], "restart"),
        (kubeadm.Record("join", "a", True), "join", "b", [], "nothing"),
        (kubeadm.Record("join", "a", False), "join", "b", [], "resume"),
    ],
)
def test_decide(record: kubeadm.Record | None, phase: str, config: str, foreign: list[str], expected: str) -> None:
    assert kubeadm.decide(record, phase, config, foreign) == expected


@pytest.mark.parametrize(
    ("record", "phase", "config", "foreign", "words"),
    [
        (None, "init", "c1", ["/etc/kubernetes/admin.conf"], "did not make"),
        (DONE, "join", "c1", [], "moved between groups"),
        (HALF, "join", "c1", [], "moved between groups"),
        (kubeadm.Record("join", "a", True), "init", "c1", [], "moved between groups"),
    ],
)
def test_unsafe_states_are_refused(
    record: kubeadm.Record | None, phase: str, config: str, foreign: list[str], words: str
) -> None:
    with pytest.raises(kubeadm.KubeadmError, match=words):
        kubeadm.decide(record, phase, config, foreign)


def test_a_record_is_read_back(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "kubeadm.json")
    assert kubeadm.load(path) is None
    kubeadm.save(HALF, path)
    assert kubeadm.load(path) == HALF


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kubeadm.json"
    path.write_text("{")
    with pytest.raises(kubeadm.KubeadmError, match="no valid record"):
        kubeadm.load(str(path))


def test_the_written_configuration_is_for_root_only(tmp_path: Path) -> None:
    path = tmp_path / "kubeadm.yaml"
    kubeadm.write_config("token: x\n", str(path))
    assert path.stat().st_mode & 0o777 == 0o600


def test_token_and_hashes_are_read_from_the_join_command() -> None:
    output = "kubeadm join api:6443 --token a.b --discovery-token-ca-cert-hash sha256:1 \n"
    assert kubeadm.parse_join_command(output) == ("a.b", ["sha256:1"])


@pytest.mark.parametrize("output", ["", "kubeadm join api:6443 --token", "kubeadm join api:6443 --token a.b"])
def test_an_output_without_token_or_hash_is_refused(output: str) -> None:
    with pytest.raises(kubeadm.KubeadmError):
        kubeadm.parse_join_command(output)


def test_a_resumed_init_forgives_its_own_ports_whatever_their_numbers() -> None:
    assert "Port-7443" in kubeadm.resume_checks("init", 7443)
    assert "Port-6443" not in kubeadm.resume_checks("init", 7443)
    assert not any("7443" in name for name in kubeadm.resume_checks("join", 7443))


def test_a_join_that_never_ends_leaves_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = tmp_path / "kubeadm"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(kubeadm, "KUBEADM", str(sleeper))
    monkeypatch.setattr(kubeadm, "CONFIG", str(tmp_path / "kubeadm.yaml"))
    monkeypatch.setattr(kubeadm, "RECORD", str(tmp_path / "record"))
    monkeypatch.setattr(kubeadm, "save", lambda record: None)
    monkeypatch.setattr(kubeadm, "write_config", lambda config: Path(kubeadm.CONFIG).write_text(config))
    with pytest.raises(kubeadm.KubeadmError, match="no end after"):
        kubeadm.run("join", "token: x", (), 0.2)
    assert not Path(kubeadm.CONFIG).exists()


PROGRAM = """#!/bin/sh
echo "$@" >>{log}
cp {record} {log}.$1.record
if test "$1" = init; then cp {config} {log}.documents; fi
test ! -e {fails}.$1 || {{ echo "$1 went wrong"; exit 1; }}
"""


class Host:
    """A host whose kubeadm is a script that notes how it was called, and fails when it is told to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """All that kubeadm would touch is in the folder."""
        self.log, self.fails, self.etcd = folder / "log", folder / "fails", folder / "etcd" / "member"
        record, config = folder / "etc" / "record", folder / "etc" / "config"
        program = folder / "kubeadm"
        program.write_text(PROGRAM.format(log=self.log, record=record, config=config, fails=self.fails))
        program.chmod(0o755)
        monkeypatch.setattr(kubeadm, "KUBEADM", str(program))
        monkeypatch.setattr(kubeadm, "RECORD", str(record))
        monkeypatch.setattr(kubeadm, "CONFIG", str(config))
        monkeypatch.setattr(kubeadm, "ETCD_MEMBER", str(self.etcd))

    def fail(self, *commands: str) -> None:
        """These commands of kubeadm fail from now on, and no others."""
        for command in ("init", "reset"):
            self.fails.with_suffix(f".{command}").unlink(missing_ok=True)
        for command in commands:
            self.fails.with_suffix(f".{command}").touch()

    def converge(self, documents: str) -> str:
        """What a run of the module does, and decided."""
        todo = kubeadm.decide(kubeadm.load(), "init", kubeadm.digest(documents), [])
        kubeadm.carry_out(todo, "init", documents, 6443, 10)
        return todo

    def calls(self) -> list[str]:
        """First words of kubeadm's command lines since the last time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.split()[0] + ("+" if "--ignore-preflight-errors" in line else "") for line in lines]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A bare host."""
    return Host(tmp_path, monkeypatch)


def test_a_failed_init_is_corrected_by_other_documents(host: Host) -> None:
    """Among them the list of kubeadm's own checks whose failure is accepted."""
    host.fail("init")
    with pytest.raises(kubeadm.KubeadmError, match="init went wrong"):
        host.converge("ignorePreflightErrors: []")
    assert host.calls() == ["init"]
    host.fail()
    host.etcd.mkdir(parents=True)
    assert host.converge("ignorePreflightErrors: [NumCPU]") == "restart"
    assert host.calls() == ["reset", "init"]
    assert host.log.with_suffix(".documents").read_text() == "ignorePreflightErrors: [NumCPU]"
    assert not host.etcd.exists(), "what etcd wrote while it was being stopped"
    assert host.converge("ignorePreflightErrors: [NumCPU]") == "nothing"
    assert host.converge("anything else") == "nothing"
    assert host.calls() == []


def test_kubeadm_resets_one_host_by_its_socket_and_asks_nothing(host: Host) -> None:
    kubeadm.save(HALF)
    host.converge("other")
    assert host.log.read_text().splitlines()[0] == f"reset --force --cri-socket {kubeadm.CRI_SOCKET}"


def test_an_init_with_equal_documents_goes_on(host: Host) -> None:
    host.fail("init")
    for _ in range(2):
        with pytest.raises(kubeadm.KubeadmError):
            host.converge("a")
    host.fail()
    assert host.converge("a") == "resume"
    assert host.calls() == ["init", "init+", "init+"]


@pytest.mark.parametrize("documents", ["old", "new", "newer"])
def test_a_restart_that_was_cut_off_in_its_reset_starts_over(host: Host, documents: str) -> None:
    """Whatever the documents say then, the old ones among them: what a half reset left cannot be resumed."""
    host.fail("init")
    with pytest.raises(kubeadm.KubeadmError):
        host.converge("old")
    host.fail("reset")
    with pytest.raises(kubeadm.KubeadmError, match="reset went wrong"):
        host.converge("new")
    host.fail()
    host.calls()
    assert host.converge(documents) == "restart"
    assert host.calls() == ["reset", "init"]
    assert kubeadm.load() == kubeadm.Record("init", kubeadm.digest(documents), finished=True)


def test_a_restart_that_was_cut_off_in_its_init_resumes_with_equal_documents(host: Host) -> None:
    kubeadm.save(HALF)
    host.fail("init")
    with pytest.raises(kubeadm.KubeadmError):
        host.converge("new")
    host.fail()
    host.calls()
    assert host.converge("new") == "resume"
    assert host.calls() == ["init+"]


def test_two_runs_of_kubeadm_do_not_work_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeadm, "RECORD", str(tmp_path / "record"))
    with (
        kubeadm.only_one(1),
        pytest.raises(kubeadm.KubeadmError, match=r"another run's kubeadm is still working after 0 s"),
        kubeadm.only_one(0),
    ):
        pass
    with kubeadm.only_one(0):
        pass


def test_a_join_that_was_cut_off_after_it_joined_counts(tmp_path: Path) -> None:
    """The node is Ready then, and kubeadm would refuse to join it again."""
    kubelet = [str(tmp_path / "kubelet.conf"), str(tmp_path / "client.pem")]
    assert not kubeadm.joined_after_all("a", "a", kubelet)
    (tmp_path / "kubelet.conf").touch()
    assert not kubeadm.joined_after_all("a", "a", kubelet)
    (tmp_path / "client.pem").touch()
    assert kubeadm.joined_after_all("a", "a", kubelet)
    assert not kubeadm.joined_after_all("a", "b", kubelet), "another cluster's CA"
    assert not kubeadm.joined_after_all("", "", kubelet), "no CA at all"
