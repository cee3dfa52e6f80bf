"""What roles need of the observability components comes from their one table."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.twinstack.core.plugins.filter import observability as filters
from ansible_collections.twinstack.core.plugins.module_utils.observability import COMPONENTS

from tests.unit.plugin_utils.manifests.observability_samples import SETTINGS


def test_what_reads_others_is_installed_after_them() -> None:
    names = [one["name"] for one in filters.observability_components([])]
    assert names == list(COMPONENTS)
    assert names.index("kiali") > max(names.index("prometheus"), names.index("jaeger"))


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_component_has_objects_and_the_first_one_the_namespace(name: str) -> None:
    made = filters.observability_objects(SETTINGS, name)
    assert [item["metadata"]["name"] for item in made if item["kind"] == "Deployment"] == [COMPONENTS[name].deployment]
    assert [item["kind"] for item in made].count("Namespace") == (1 if name == "prometheus" else 0)


def test_a_wrong_name_and_a_missing_setting_are_reported() -> None:
    with pytest.raises(AnsibleFilterError, match="found none-such, expected one of prometheus, jaeger, kiali"):
        filters.observability_objects(SETTINGS, "none-such")
    with pytest.raises(AnsibleFilterError, match="settings: found no 'image', expected it"):
        filters.observability_objects({name: value for name, value in SETTINGS.items() if name != "image"}, "kiali")
