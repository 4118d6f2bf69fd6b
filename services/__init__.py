"""The services of Premia, one folder each. They share schemas and services.runtime, and never import each other."""
