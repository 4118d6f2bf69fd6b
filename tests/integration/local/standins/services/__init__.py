"""Stand-ins for the services, found first by PYTHONPATH: what is not here comes from the real package."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
