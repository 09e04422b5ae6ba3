"""A destination that is a container of OpenStack Swift, or one for each dataset. Needs the extra ``swift``."""

from dataverse_backup.destinations.swift.destination import SwiftDestination
from dataverse_backup.destinations.swift.settings import SwiftSettings

__all__ = ["SwiftDestination", "SwiftSettings"]
