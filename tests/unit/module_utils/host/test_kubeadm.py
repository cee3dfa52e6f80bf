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
        (HALF, "init", "c1", ["/etc/kubernetes/admin.conf"], "resume"),
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
        (DONE, "init", "c2", [], "other settings"),
        (HALF, "init", "c2", [], "unfinished kubeadm init"),
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
