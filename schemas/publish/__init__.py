"""Published contracts: JSON Schema, AsyncAPI and a page for people, all made from the models of `schemas`."""
