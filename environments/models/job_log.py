from dataclasses import dataclass
from typing import ClassVar

from django.db import models
from django.db.models.functions import Length

from environments.models.job import Job

LEFT_OUT = "[… {} characters were left out …]\n"
# Of one answer, about.
MOST_READ = 256 * 1024


@dataclass(frozen=True)
class Reading:
    """`text` is what was printed up to `next_offset`, from where the next reading goes on."""

    text: str
    next_offset: int


class JobLogQuerySet(models.QuerySet["JobLog"]):
    def end(self, job: Job) -> int:
        """The offset behind the last piece."""
        last = self.filter(job=job).order_by("-offset").values_list("offset", Length("text")).first()
        return sum(last) if last else 0

    def containing(self, job: Job, offset: int) -> int:
        """The offset of the piece in which `offset` is; where that was left out, of the last one before."""
        found = self.filter(job=job, offset__lte=offset).order_by("-offset").values_list("offset", flat=True).first()
        return found or 0

    def read(self, job: Job, offset: int) -> Reading:
        """The log from `offset` on, not more than is good for one answer. What was left out is told in its place."""
        text, size, begin = [], 0, offset
        pieces = self.filter(job=job, offset__gte=self.containing(job, offset)).order_by("offset")
        for piece in pieces.iterator(chunk_size=20):
            end = piece.offset + len(piece.text)
            if end <= offset:
                continue
            if piece.offset > offset:
                text.append(LEFT_OUT.format(piece.offset - offset))
            text.append(piece.text[max(0, offset - piece.offset) :])
            size, offset = size + len(text[-1]), end
            if size >= MOST_READ:
                break
        return Reading("".join(text), offset if text else min(begin, self.end(job)))


class JobLog(models.Model):
    """A piece of what a job printed, stored while it runs. `offset` counts the characters before it, over all runs.

    Of a log that is too long the middle is removed: there the next piece does not follow on the one before.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="log")
    offset = models.PositiveBigIntegerField()
    text = models.TextField()

    objects = JobLogQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["offset"]
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "offset"], name="job_log_piece_once")]

    def __str__(self) -> str:
        return f"{self.job} at {self.offset}"
