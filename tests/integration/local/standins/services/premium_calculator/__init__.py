"""Stand-in: its entry point replaces the real one, everything else is the real service's."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
