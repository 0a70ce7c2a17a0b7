"""A hostile function. Each attack returns what it reached, so that an empty answer means that the walls held."""

import bounds
import commons
import doors
import files
import inodes
import network
import processes

ATTACKS = (bounds, commons, doors, files, inodes, network, processes)


def handler(event, context):
    attack = next(getattr(module, event["attack"]) for module in ATTACKS if hasattr(module, event["attack"]))
    return attack(**event.get("with", {}))
