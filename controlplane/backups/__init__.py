"""An installation as one file: `taking` writes it while everything runs, `restoring` makes an installation of it.

The file is the same for every database, so it also carries an installation from one to another. How it is laid out is
told in `container`.
"""


class BackupError(Exception):
    """It could not be done; the message says why and what to do. Nothing is half done by it."""
