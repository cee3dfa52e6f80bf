"""Fixtures of scenarios, created and removed again: a namespace, and a route broken on purpose."""

from __future__ import annotations

import time
from contextlib import suppress

from ansible_collections.twinstack.core.plugins.module_utils.kube.apply import wait_all
from ansible_collections.twinstack.core.plugins.module_utils.kube.client import Client
from ansible_collections.twinstack.core.plugins.module_utils.kube.errors import RefusedError
from ansible_collections.twinstack.core.plugins.module_utils.kube.objects import Key, key_of
from ansible_collections.twinstack.core.plugins.module_utils.kube.removal import remove_namespace
from ansible_collections.twinstack.core.plugins.module_utils.scenarios import objects as scenario_objects
from ansible_collections.twinstack.core.plugins.module_utils.scenarios.settings import ScenarioError, Settings

REMOVAL_SECONDS = 60.0


class Fixtures:
    """Creates and removes the scenarios' fixtures."""

    def __init__(self, settings: Settings, client: Client) -> None:
        self.settings = settings
        self.client = client

    def create(self) -> None:
        """The namespace with what is outside the mesh. It starts beside the first scenarios."""
        for item in self._objects():
            self.client.apply(item, key_of(item), dry_run=False, force=True)

    def _objects(self) -> list[scenario_objects.Object]:
        return scenario_objects.objects(self.settings.demo_image, self.settings.fortio_image)

    def wait(self) -> None:
        """Until it is ready."""
        pods = [(key, "Ready") for key in self._pod_keys()]
        late = wait_all(self.client, pods, time.monotonic() + self.settings.ready_seconds)
        if late:
            raise ScenarioError("; ".join(late))

    def start_removal(self) -> None:
        """Begin to remove it, once no scenario needs it any more.

        The namespace first: its controller pauses before it looks, and finds an empty one if the pods go meanwhile.
        """
        for key in (Key("v1", "Namespace", "", scenario_objects.NAMESPACE), *self._pod_keys()):
            with suppress(RefusedError):  # it is on its way already
                self.client.delete(key, dry_run=False)

    def _pod_keys(self) -> list[Key]:
        return [key_of(item) for item in self._objects() if item["kind"] == "Pod"]

    def clean(self) -> None:
        """Remove what this run, or one that was cut off, has left."""
        for tenant in self.settings.tenants:
            self.unbreak(tenant)
        space = scenario_objects.NAMESPACE
        left = remove_namespace(self.client, space, REMOVAL_SECONDS)
        if left:
            raise ScenarioError("; ".join(left))

    def break_route(self, tenant: str) -> None:
        """Give a tenant a route that leads nowhere."""
        item = scenario_objects.broken_route(tenant)
        self.client.apply(item, key_of(item), dry_run=False, force=True)

    def unbreak(self, tenant: str) -> None:
        """Remove the broken route of a tenant."""
        item = scenario_objects.broken_route(tenant)
        with suppress(RefusedError):
            self.client.delete(key_of(item), dry_run=False)
