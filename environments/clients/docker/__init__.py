"""A Docker engine by the docker SDK: `engine` looks at containers and restarts them, `runs` has one-off containers.

Network only, and no Django. Every call the two make is in `docs/engine.md`, for a proxy that lets nothing else through.
"""
