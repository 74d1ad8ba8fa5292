"""When a schedule is due: five fields of cron in a time zone, to instants. Pure.

The fields are read by django-celery-beat. Which instants they mean is found here: its own evaluation gives those of the
hour that a clock skips in spring twice, and passes over the hour that comes twice in autumn.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cron_descriptor import ExpressionDescriptor, FormatException, MissingFieldException, WrongArgumentException
from cron_descriptor.Options import Options
from django_celery_beat.tzcrontab import TzAwareCrontab

FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
EXAMPLE = (
    '"0 3 * * *", which is each night at 03:00: minute, hour, day of the month, month, day of the week (Sunday is 0)'
)
LONGEST = 100
DAY = timedelta(days=1)
# Of 40 years each date comes with each day of the week, also the 29th of February.
HORIZON = 40 * 366


class BadSchedule(ValueError):
    """A sentence that names what is wrong and the cure."""


def zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSchedule("is no time zone. Write one of the IANA database, like Europe/Berlin or UTC.") from None


def parse(cron: str, time_zone: str) -> TzAwareCrontab:
    """The schedule; raises `BadSchedule`, also for one that never comes."""
    words = cron.split()
    if len(words) != len(FIELDS) or len(cron) > LONGEST:
        raise BadSchedule(f"is not understood. Write five fields in quotes, like {EXAMPLE}.")
    tz = zone(time_zone)
    try:
        schedule = TzAwareCrontab(**dict(zip(FIELDS, words, strict=True)), tz=tz)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # The last ones are its words for fields that make no sense at all.
        raise BadSchedule(f"is not understood, or never due. Write five fields in quotes, like {EXAMPLE}.") from None
    if next_due(schedule, datetime(2024, 1, 1, tzinfo=UTC)) is None:
        raise BadSchedule("is never due: there is no such day. Correct the day of the month or the month.")
    return schedule


def next_due(schedule: TzAwareCrontab, after: datetime) -> datetime | None:
    """The first instant later than `after`, in UTC; None if there is none.

    A time that the clock skips comes as much later as it skips. One that comes twice counts the first time, and both
    times where every hour is meant. Day of the month and day of the week must both fit.
    """
    day = after.astimezone(schedule.tz).date()
    for _ in range(HORIZON):
        due = min((time for time in _times(schedule, day) if time > after), default=None)
        if due is not None:
            return due
        day += DAY
    return None


def _times(schedule: TzAwareCrontab, day: date) -> Iterator[datetime]:
    fits = day.day in schedule.day_of_month and day.month in schedule.month_of_year
    if not fits or day.isoweekday() % 7 not in schedule.day_of_week:
        return
    folds = (0, 1) if len(schedule.hour) == 24 else (0,)
    for hour in schedule.hour:
        for minute in schedule.minute:
            for fold in folds:
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=schedule.tz, fold=fold)
                yield local.astimezone(UTC)


def words(cron: str) -> str:
    """`At 03:00, Monday through Friday`; the fields themselves where there are no words for them."""
    options = Options()
    options.use_24hour_time_format = True
    try:
        return str(ExpressionDescriptor(cron, options).get_description())
    except (FormatException, MissingFieldException, WrongArgumentException, ValueError, IndexError, KeyError):
        return cron
