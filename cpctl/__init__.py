"""`cpctl`: the command line of the control plane, for people and CI. It knows the HTTP API alone."""

__version__ = "0.1.0"
