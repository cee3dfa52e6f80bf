"""The table of observability components against the bundle and the roles' options."""

from __future__ import annotations

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.observability import COMPONENTS, Component
from ansible_collections.twinstack.core.plugins.plugin_utils.bundle import manifest, versions
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import role_options

from tests.conftest import ROOT


@pytest.mark.parametrize("component", COMPONENTS.values(), ids=lambda component: component.name)
def test_the_bundle_has_its_image_and_a_role_the_variable_of_its_folder(component: Component) -> None:
    options = role_options.load()
    bundle = manifest.load(ROOT / "bundle" / "manifest.yml", versions.of_cluster(), "source")
    assert component.image in {item.image.rsplit(":", 1)[0] for item in bundle.images_of("observability")}
    assert component.storage in ("", *options.options)


def test_no_two_services_have_one_name_or_one_port() -> None:
    """Clients tell components apart by either."""
    places = [place for component in COMPONENTS.values() for place in component.services.values()]
    assert len({place.name for place in places}) == len({place.port for place in places}) == len(places)
