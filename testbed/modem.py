# SPDX-License-Identifier: GPL-2.0-or-later
"""The test bed with a modem in each link. The queue is there and not in the sender, whose TCP would
keep it short by itself (TCP Small Queues): so a link that is full has the round-trip time that it
has at home."""

from __future__ import annotations

from collections.abc import Mapping

from namespace import Namespace
from topology import Topology


class ModemTopology(Topology):
    def __init__(self, **settings) -> None:
        self._modem = Namespace()
        super().__init__(**settings)

    def close(self) -> None:
        super().close()
        self._modem.close()

    def _make_link(self, link: str, emulated: Mapping[str, object] | None) -> None:
        near, far = self._sides(link)
        for device, namespace in (near, self.router), (far, self.server):
            self._modem.run("ip", "link", "add", "name", device, "up", "type", "veth",
                            "peer", "name", link, "netns", namespace.path)
        # A copy is forwarded, because a packet itself would go on being charged to its sender, and
        # that is what keeps its queue short; the modem's IP drops what is left.
        for device, other in (near, far), (far, near):
            self._modem.batch("tc", [f"qdisc add dev {device} clsact",
                                     f"filter add dev {device} ingress protocol all u32 "
                                     f"match u32 0 0 action mirred egress mirror dev {other}"])

    @staticmethod
    def _sides(link: str) -> tuple[str, str]:
        return f"{link}-near", f"{link}-far"

    def _shapers(self, link: str) -> list[tuple[Namespace, str]]:
        if link == "lan":
            return super()._shapers(link)
        return [(self._modem, device) for device in self._sides(link)]
