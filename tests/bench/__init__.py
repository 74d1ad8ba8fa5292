"""Benchmarks: ratios against something measured in the same run, because machines differ and are shared."""
