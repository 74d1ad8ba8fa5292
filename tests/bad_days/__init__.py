"""What can break, one file each: what a person then sees, what heals by itself, and what must never happen.

`docs/operations.md` has a row for each of them.
"""
