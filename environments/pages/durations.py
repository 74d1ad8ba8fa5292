"""Lengths of time in words. Pure."""

MINUTE, HOUR, DAY = 60, 3600, 86400


def span(seconds: float) -> str:
    """A length of time in words: `41 s`, `3 min`, `2 h 5 min`, `9 days`."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        hours, minutes = divmod(whole // MINUTE, 60)
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    days = whole // DAY
    return f"{days} day" if days == 1 else f"{days} days"


def lasted(seconds: float | None) -> str:
    """How long something took, to the second where that is of interest: `4 min 10 s`."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), MINUTE)
    return f"{minutes} min {rest} s" if 0 < minutes < 60 and rest else span(seconds)
