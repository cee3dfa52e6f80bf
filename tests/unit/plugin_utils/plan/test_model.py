"""The plan: an action for every host, counts of objects, one line when nothing is to be done."""

from __future__ import annotations

from ansible_collections.twinstack.core.plugins.plugin_utils.plan import model
from ansible_collections.twinstack.core.plugins.plugin_utils.plan.notes import Note

STANDS = {"finished": True}
BEGUN = {"finished": False}


def test_bare_hosts() -> None:
    """A first run: who creates the cluster and who joins."""
    plan = model.make("lab", {"n1": {}, "n2": {}}, ["n1"], [], {}, [])
    assert [(host.name, host.action) for host in plan.hosts] == [
        ("n1", "install, create the cluster"),
        ("n2", "install, join"),
    ]
    assert not plan.nothing
    assert model.text(plan) == "plan of cluster lab:\n  n1  install, create the cluster\n  n2  install, join"


def test_an_unchanged_site_in_one_line() -> None:
    """What was compared is counted: a plan that looked at nothing could say the same."""
    notes = [Note("", part="network", compared=40), Note("", part="tenants", compared=2)]
    plan = model.make("lab", {"n1": STANDS, "n2": STANDS}, ["n1"], notes, {}, [])
    assert plan.nothing
    assert model.text(plan) == "plan: nothing to do on 2 hosts and in cluster lab (42 objects compared)"


def test_hosts_that_were_cut_off_go_on() -> None:
    plan = model.make("lab", {"n1": BEGUN, "n2": BEGUN}, ["n1"], [], {}, [])
    assert [host.action for host in plan.hosts] == ["go on with creating the cluster", "go on with joining"]


def test_what_restarts_and_what_is_deleted() -> None:
    """Deleted objects are named, and so are settings that change live; n2 is told that it stays as it is."""
    notes = [
        Note("n1", ["file /etc/containerd/config.toml", "unit containerd.service restarted"]),
        Note("", [], "tenants", ["Service baz/web"], ["Service foo/web"], ["Namespace bar"], 30),
    ]
    settings = {"": ["kube-proxy: ipvs.minSyncPeriod: 3s -> 5s"], "n1": ["kube-proxy"]}
    plan = model.make("lab", {"n1": STANDS, "n2": STANDS}, ["n1"], notes, settings, [])
    assert not plan.nothing
    assert plan.hosts[0].restarts == ("containerd.service", "kube-proxy")
    assert model.text(plan).splitlines() == [
        "plan of cluster lab:",
        "  n1  reconcile; restart of containerd.service, kube-proxy",
        "        file /etc/containerd/config.toml",
        "        unit containerd.service restarted",
        "        kube-proxy restarted",
        "  n2  nothing",
        "  setting  kube-proxy: ipvs.minSyncPeriod: 3s -> 5s",
        "  tenants: 1 created, 1 changed, 1 deleted of 30 objects",
        "    - Namespace bar",
        "    ~ Service foo/web",
        "    + Service baz/web",
    ]
    written = model.as_dict(plan)
    assert written["objects"]["tenants"]["deleted"] == ["Namespace bar"]
    assert written["hosts"]["n1"]["restarts"] == ["containerd.service", "kube-proxy"]
    assert written["nothing"] is False


def test_what_could_not_be_compared_is_no_nothing() -> None:
    """Absence is a finding: an API that does not answer may hide any change."""
    plan = model.make("lab", {"n1": STANDS}, ["n1"], [], {}, ["objects of the cluster: no answer"])
    assert not plan.nothing
    assert "  not compared: objects of the cluster: no answer" in model.text(plan)


def test_a_long_list_is_counted() -> None:
    """All of it is in plan.json."""
    names = [f"Service foo/s{number}" for number in range(40)]
    plan = model.make("lab", {"n1": STANDS}, ["n1"], [Note("", part="tenants", deleted=names, compared=0)], {}, [])
    assert "and 28 more" in model.text(plan)
    assert model.as_dict(plan)["objects"]["tenants"]["deleted"] == names


def test_several_looks_at_one_set_count_once() -> None:
    """A change of routes is looked at before and after; what both would do is one thing."""
    notes = [
        Note("", part="canary", changed=["VirtualService foo/web"], compared=4),
        Note("", part="canary", changed=["VirtualService foo/web"], deleted=["DestinationRule foo/old"], compared=4),
    ]
    plan = model.make("lab", {"n1": STANDS}, ["n1"], notes, {}, [])
    assert model.as_dict(plan)["objects"]["canary"] == {
        "compared": 4,
        "created": [],
        "changed": ["VirtualService foo/web"],
        "deleted": ["DestinationRule foo/old"],
    }
