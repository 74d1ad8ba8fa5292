"""The settings of the control plane, with the benchmarks' URLs."""

from controlplane.settings import *  # noqa: F403

ROOT_URLCONF = "tests.bench.urls"
